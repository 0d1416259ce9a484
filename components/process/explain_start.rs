//! Explains why a program could not be started, and what to do about it.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use super::Command;

/// How much of a program is read to find its first line, in bytes: as much as Linux reads
/// (execve(2)).
const FIRST_LINE: u64 = 256;

/// Returns the same error, with the reason that the program itself shows. Reads the program: do not
/// call it on a worker.
pub(super) fn explain_start(command: &Command, error: io::Error) -> io::Error {
    let program = &command.program;
    let has_slash = program.as_encoded_bytes().contains(&b'/');
    let missing = command.named_folder().filter(|folder| !folder.is_dir());
    let reason = match error.kind() {
        ErrorKind::NotFound if missing.is_some() => {
            missing.map(|folder| format!("the folder {} does not exist", folder.display()))
        }
        ErrorKind::NotFound if program.as_encoded_bytes().contains(&b' ') => Some(
            "arguments go into Command::arg, a line for the shell into Command::shell".to_owned(),
        ),
        ErrorKind::NotFound if !has_slash => Some("it is in no folder of PATH".to_owned()),
        _ => first_line(Path::new(program)).and_then(|line| reason_of(&line, &error)),
    };
    match reason {
        Some(reason) => io::Error::new(error.kind(), format!("{error}: {reason}")),
        None => error,
    }
}

/// Returns what is wrong with the first line of a program, if that is visible: a program that
/// started and wrote nothing may have failed for this reason. Reads the program: do not call it on
/// a worker.
pub(crate) fn carriage_return(program: &Path) -> Option<String> {
    let line = first_line(program)?;
    (line.starts_with(b"#!") && line.ends_with(b"\r")).then(|| reason_of_return(&line))
}

/// Returns the first line of a file, without its line end.
fn first_line(program: &Path) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    // Opening a FIFO would wait for a writer.
    if !program.metadata().ok()?.is_file() {
        return None;
    }
    let file = File::open(program).ok()?;
    file.take(FIRST_LINE).read_to_end(&mut line).ok()?;
    if let Some(end) = line.iter().position(|&byte| byte == b'\n') {
        line.truncate(end);
    }
    Some(line)
}

fn reason_of(line: &[u8], error: &io::Error) -> Option<String> {
    const MARK: &[u8] = b"\xef\xbb\xbf";
    let Some(named) = line.strip_prefix(b"#!") else {
        let is_unknown = error.raw_os_error() == Some(rustix::io::Errno::NOEXEC.raw_os_error());
        return match line {
            [b'\x7f', b'E', b'L', b'F', ..] if is_unknown => {
                Some("it is made for another kind of machine".to_owned())
            }
            [b'\x7f', b'E', b'L', b'F', ..] => None,
            _ if !is_unknown => None,
            _ if line.starts_with(MARK) => Some(
                "it begins with a byte order mark: save it as UTF-8 without one, so that it begins with #!"
                    .to_owned(),
            ),
            _ => Some(
                "it does not say what runs it: its first line must be one such as #!/usr/bin/python3"
                    .to_owned(),
            ),
        };
    };
    if line.ends_with(b"\r") {
        return Some(reason_of_return(line));
    }
    let mut words = named.split(|byte| byte.is_ascii_whitespace());
    let interpreter = words.find(|word| !word.is_empty()).unwrap_or_default();
    let shown = String::from_utf8_lossy(interpreter);
    if interpreter.is_empty() {
        Some("its first line, #!, does not name a program that runs it".to_owned())
    } else if !interpreter.starts_with(b"/") {
        Some(format!(
            "its first line names {shown}, and not the whole path of a program"
        ))
    } else if error.kind() == ErrorKind::NotFound {
        Some(format!(
            "its first line names {shown}, which does not exist"
        ))
    } else if !is_executable(Path::new(&*shown)) {
        Some(format!(
            "its first line names {shown}, which may not be executed"
        ))
    } else {
        None
    }
}

fn reason_of_return(line: &[u8]) -> String {
    let shown = String::from_utf8_lossy(line).escape_debug().to_string();
    format!(
        "its first line, {shown}, ends in CR LF, as on Windows: save it with Unix line ends (LF)"
    )
}

fn is_executable(program: &Path) -> bool {
    program.is_file() && rustix::fs::access(program, rustix::fs::Access::EXEC_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::super::Process;
    use super::*;

    fn start(program: &Path) -> String {
        let command = Command::new(program);
        let started = kamea::testing::block_on(Process::start(&command));
        started.unwrap_err().to_string()
    }

    #[test]
    fn the_first_line_shows_what_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let plain = folder.path().join("plain");
        fs::write(&plain, "").unwrap();
        let not_executable = format!("#!{}\n", plain.display());
        let rows: [(&str, &[u8], &str); 11] = [
            ("cr", b"#!/bin/sh\r\necho\r\n", "Unix line ends (LF)"),
            ("cr-argument", b"#!/usr/bin/env sh\r\n", ""),
            ("cr-only", b"#!/no/such\r\n", "#!/no/such\\r, ends in CR LF"),
            (
                "missing",
                b"#!/no/such/python3 -u\n",
                "names /no/such/python3, which does not exist",
            ),
            (
                "relative",
                b"#! python3\n",
                "names python3, and not the whole path",
            ),
            ("nameless", b"#!\necho\n", "does not name a program"),
            (
                "without",
                b"echo hello\n",
                "must be one such as #!/usr/bin/python3",
            ),
            ("empty", b"", "must be one such as"),
            ("mark", b"\xef\xbb\xbf#!/bin/sh\n", "byte order mark"),
            ("elf", b"\x7fELF of nothing", "another kind of machine"),
            (
                "no-right",
                not_executable.as_bytes(),
                "which may not be executed",
            ),
        ];
        for (name, content, expected) in rows {
            let path = folder.path().join(name);
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
            if expected.is_empty() {
                // It starts, but env fails.
                let said = carriage_return(&path).unwrap();
                assert!(said.contains("#!/usr/bin/env sh\\r"), "{said}");
                continue;
            }
            let said = start(&path);
            assert!(said.contains(expected), "{name}: {said}");
        }
        assert_eq!(carriage_return(Path::new("/bin/sh")), None);
        assert_eq!(carriage_return(&folder.path().join("without")), None);
        assert_eq!(carriage_return(&folder.path().join("no/such")), None);
    }

    #[test]
    fn a_missing_program_is_said_to_be_missing() {
        assert!(start(Path::new("no-such-program")).contains("in no folder of PATH"));
        let said = start(Path::new("/no/such/program"));
        assert!(said.starts_with("No such file or directory"), "{said}");
    }
}
