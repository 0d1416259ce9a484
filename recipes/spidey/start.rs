//! What `spidey` says when it starts: what it was configured by, and what it runs.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::cgi::Which;
use super::options::{Options, Source};

/// A limit of connections below this is worth a warning, unless an option says what is enough.
const ENOUGH: usize = 4096;

impl Options {
    /// Prints on stderr what the user of the server should know.
    pub(crate) fn say_what_is_in_force(&self, confined: Vec<String>) {
        let mut stderr = io::stderr().lock();
        // Who cannot read it cannot be helped.
        for line in self.in_force().into_iter().chain(confined) {
            let _ = writeln!(stderr, "{line}");
        }
    }

    /// A warning, if fewer connections fit than are wanted.
    pub(crate) fn few_connections(&self, count: usize) -> Option<String> {
        let wanted = self.connections.unwrap_or(ENOUGH);
        (count < wanted).then(|| {
            format!(
                "warning: at most {count} connections, because of the limit of open files \
                 (ulimit -n); {wanted} need about {}",
                2 * wanted + 256
            )
        })
    }

    fn in_force(&self) -> Vec<String> {
        let mut lines = Vec::new();
        match &self.source {
            Source::Arguments | Source::Named => {}
            Source::Implicit => lines.push("Configured by ./spidey.toml".to_owned()),
            Source::Ignored(why) => lines.push(format!("warning: {why}")),
        }
        let folder = self.docroot_folder().join("cgi-bin");
        match self.cgi {
            Some(Which::Off) => {}
            Some(Which::Executable) => {
                lines.push(
                    "CGI: every file that may be executed; --cgi off turns it off".to_owned(),
                );
            }
            Some(Which::CgiBin) | None if folder.is_dir() => {
                let programs = match count_programs(&folder) {
                    1 => "1 program".to_owned(),
                    count => format!("{count} programs"),
                };
                lines.push(format!(
                    "CGI: /cgi-bin/ ({programs}); --cgi off turns it off"
                ));
            }
            Some(Which::CgiBin) | None => {}
        }
        lines
    }
}

/// How many files in and below a folder may be executed.
fn count_programs(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let count = entries.filter_map(Result::ok).map(|entry| {
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder {
            return count_programs(&entry.path());
        }
        let metadata = fs::metadata(entry.path());
        let is_program = metadata
            .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0);
        usize::from(is_program)
    });
    count.sum()
}
