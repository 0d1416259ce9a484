//! Which files are programs: the server runs or refuses them, but never sends them.

use std::str::FromStr;

use wildmatch::WildMatch;

/// Which files are programs.
///
/// A program is never sent, and no client may write it, even if nothing runs it.
///
/// # Examples
///
/// ```
/// use kamea_components::documents::{Programs, Run};
///
/// let mut programs = Programs::default();
/// programs.interpreters.push("*.py=python3 -u".parse()?);
/// assert_eq!(programs.how(b"cgi-bin/guest-book", 0o755), Some(Run::Itself));
/// assert_eq!(programs.how(b"cgi-bin/notes.txt", 0o644), None);
/// assert!(matches!(programs.how(b"tools/report.py", 0o644), Some(Run::With(words)) if words[0] == "python3"));
/// assert!(programs.is_kept_back(b"tools/report.py", 0o644) && !programs.is_kept_back(b"notes.txt", 0o755));
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Programs {
    /// Whether every file with an execute bit is a program, and not only files in `/cgi-bin/`, the
    /// docroot's own folder, or below it.
    pub executables: bool,
    /// Which program reads and runs which files; the first match wins.
    pub interpreters: Vec<Interpreter>,
}

/// How a program is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run<'p> {
    /// Directly, by the system.
    Itself,
    /// By this program and its arguments; the file is the last argument.
    With(&'p [String]),
}

/// The folder of programs. Its files are run if it lies directly in the docroot; in any other
/// folder they are only refused.
pub(crate) const PROGRAM_FOLDER: &str = "cgi-bin";

impl Programs {
    /// How a file is run, if it is a program: by its path relative to the root, and its mode
    /// (inode(7)).
    #[must_use]
    pub fn how(&self, path: &[u8], mode: u32) -> Option<Run<'_>> {
        let interpreter = || self.interpreters.iter().find(|own| own.files.matches(path));
        let is_executable = mode & 0o111 != 0;
        if is_executable && (self.executables || runs_programs(path)) {
            return Some(Run::Itself);
        }
        Some(Run::With(&interpreter()?.words))
    }

    /// Whether a file must not be sent: a program, or anything in a folder of programs.
    #[must_use]
    pub fn is_kept_back(&self, path: &[u8], mode: u32) -> bool {
        is_in_program_folder(path) || self.how(path, mode).is_some()
    }

    /// Whether a file with such a path could be a program, with any mode.
    #[must_use]
    pub fn may_be_program(&self, path: &[u8]) -> bool {
        self.executables
            || runs_programs(path)
            || self.interpreters.iter().any(|own| own.files.matches(path))
    }
}

/// Whether a path leads into the folder whose programs are run.
pub(crate) fn runs_programs(path: &[u8]) -> bool {
    let rest = path.strip_prefix(PROGRAM_FOLDER.as_bytes());
    rest.is_some_and(|rest| rest.starts_with(b"/"))
}

/// Whether a path leads into a folder of programs, at any depth and in any case.
pub(super) fn is_in_program_folder(path: &[u8]) -> bool {
    let mut segments = path.split(|byte| *byte == b'/');
    let is_in = segments.any(|segment| segment.eq_ignore_ascii_case(PROGRAM_FOLDER.as_bytes()));
    is_in && segments.next().is_some()
}

/// Matches files by a pattern: one that begins with a slash is for the path, any other for the name
/// of the file. `*` stands for any characters, `?` for one.
///
/// # Examples
///
/// ```
/// use kamea_components::documents::FilePattern;
///
/// let scripts: FilePattern = "*.py".parse()?;
/// assert!(scripts.matches(b"tools/report.py"));
/// assert!("tools/*.py".parse::<FilePattern>().unwrap_err().contains("begins with a slash"));
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone)]
pub struct FilePattern {
    is_path: bool,
    pattern: WildMatch,
}

impl FilePattern {
    /// Whether a file matches: by its path relative to the root.
    #[must_use]
    pub fn matches(&self, path: &[u8]) -> bool {
        let path = String::from_utf8_lossy(path);
        if self.is_path {
            return self.pattern.matches(&format!("/{path}"));
        }
        self.pattern
            .matches(path.rsplit('/').next().unwrap_or_default())
    }
}

impl FromStr for FilePattern {
    type Err = String;

    fn from_str(pattern: &str) -> Result<Self, String> {
        let wanted = match pattern.find('/') {
            _ if pattern.is_empty() => Some("it is empty"),
            Some(1..) => Some("a pattern for a path begins with a slash"),
            _ => None,
        };
        if let Some(wanted) = wanted {
            return Err(format!("{pattern:?} is no pattern for files: {wanted}"));
        }
        Ok(Self {
            is_path: pattern.starts_with('/'),
            pattern: WildMatch::new(pattern),
        })
    }
}

/// The program that runs files of a pattern. Written `PATTERN=PROGRAM ARGUMENTS`, such as
/// `*.py=python3 -u`.
#[derive(Debug, Clone)]
pub struct Interpreter {
    files: FilePattern,
    words: Vec<String>,
}

impl Interpreter {
    /// The program and its arguments.
    #[must_use]
    pub fn words(&self) -> &[String] {
        &self.words
    }
}

impl FromStr for Interpreter {
    type Err = String;

    fn from_str(rule: &str) -> Result<Self, String> {
        let wanted = "an interpreter is PATTERN=PROGRAM, such as *.py=python3";
        let (files, program) = rule.split_once('=').ok_or(wanted)?;
        let words: Vec<_> = program.split_whitespace().map(str::to_owned).collect();
        if words.is_empty() {
            return Err(wanted.to_owned());
        }
        Ok(Self {
            files: files.trim().parse()?,
            words,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_program_is_decided_by_folder_mode_and_pattern() {
        let interpreters = vec![
            "*.py=python3".parse().unwrap(),
            "/apps/*=/usr/bin/env lua -e x".parse().unwrap(),
        ];
        let by_pattern = Programs {
            interpreters,
            ..Programs::default()
        };
        let executable = Programs {
            executables: true,
            ..Programs::default()
        };
        let off = Programs::default();
        // Rules, path, mode; whether the file is run, and whether it is refused.
        let rows: [(&Programs, &str, u32, bool, bool); 18] = [
            (&off, "cgi-bin/a", 0o755, true, true),
            (&off, "cgi-bin/a", 0o100, true, true),
            (&off, "cgi-bin/a", 0o644, false, true),
            (&off, "cgi-bin/sub/a", 0o755, true, true),
            (&off, "docs/cgi-bin/a", 0o755, false, true),
            (&off, "CGI-Bin/a", 0o755, false, true),
            (&off, "cgi-bin", 0o755, false, false),
            (&off, "cgi-binary/a", 0o755, false, false),
            (&off, "a", 0o755, false, false),
            (&executable, "a", 0o755, true, true),
            (&executable, "a", 0o644, false, false),
            (&by_pattern, "a.py", 0o644, true, true),
            (&by_pattern, "x/y/a.py", 0o600, true, true),
            (&by_pattern, "a.py.txt", 0o644, false, false),
            (&by_pattern, "apps/x", 0o644, true, true),
            (&by_pattern, "more/apps/x", 0o644, false, false),
            (&by_pattern, "cgi-bin/a.py", 0o644, true, true),
            (&by_pattern, "py", 0o755, false, false),
        ];
        for (programs, path, mode, runs, kept_back) in rows {
            let path = path.as_bytes();
            let what = String::from_utf8_lossy(path);
            assert_eq!(programs.how(path, mode).is_some(), runs, "{what} {mode:o}");
            assert_eq!(
                programs.is_kept_back(path, mode),
                kept_back,
                "{what} {mode:o}"
            );
        }
        assert_eq!(
            by_pattern.how(b"cgi-bin/a.py", 0o755),
            Some(Run::Itself),
            "who may be executed, is"
        );
    }

    #[test]
    fn a_rule_without_sense_says_what_would_make_sense() {
        for (rule, said) in [
            ("*.py", "such as *.py=python3"),
            ("*.py=", "such as *.py=python3"),
            ("*.py=  ", "such as *.py=python3"),
            ("=python3", "it is empty"),
            ("a/*.py=python3", "begins with a slash"),
        ] {
            let error = rule.parse::<Interpreter>().unwrap_err();
            assert!(error.contains(said), "{rule}: {error}");
        }
    }
}
