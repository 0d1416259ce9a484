//! Finds the installed servers, and what they cannot do.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use crate::experiment::Server;

/// A server that can be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Installed {
    pub(crate) server: Server,
    pub(crate) program: PathBuf,
    pub(crate) version: String,
    /// Why it cannot run CGI scripts, if it cannot.
    pub(crate) no_cgi: Option<String>,
}

/// Folders with programs that may be missing in a user's PATH.
const SYSTEM: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// The program that runs CGI scripts for servers that cannot do so themselves.
pub(super) const FCGIWRAP: &str = "fcgiwrap";

/// Finds a server that will serve the files in `site`.
///
/// # Errors
///
/// Why it cannot.
pub(crate) fn find(server: Server, site: &Path) -> Result<Installed, String> {
    let (program, version) = match server {
        Server::Spidey => asked(ours("spidey")?, "--version")?,
        Server::Nginx => asked(installed(&["nginx"])?, "-v")?,
        Server::Apache => asked(installed(&["apache2", "httpd"])?, "-v")?,
        Server::Lighttpd => asked(installed(&["lighttpd"])?, "-v")?,
        Server::Caddy => asked(installed(&["caddy"])?, "version")?,
        Server::Python => python(installed(&["python3"])?)?,
    };
    let is_closed = || rustix::process::geteuid().is_root() && !is_open_to_others(site);
    let closed = || {
        let site = site.display();
        format!("it does nothing as root, and others may not enter {site}: take another directory")
    };
    if server == Server::Apache && is_closed() {
        return Err(closed());
    }
    let no_cgi = match server {
        Server::Nginx | Server::Caddy => installed(&[FCGIWRAP]).err(),
        Server::Python if !has_cgi(&program) => Some("it cannot run them any more".to_owned()),
        Server::Python => is_closed().then(closed),
        Server::Spidey | Server::Apache | Server::Lighttpd => None,
    };
    Ok(Installed {
        server,
        program,
        version,
        no_cgi,
    })
}

/// A program of this project, which was built into the same folder as this one.
///
/// # Errors
///
/// If it is missing.
pub(crate) fn ours(name: &str) -> Result<PathBuf, String> {
    let us = env::current_exe().map_err(|error| format!("cannot find {name}: {error}"))?;
    let program = us.with_file_name(name);
    if program.is_file() {
        return Ok(program);
    }
    Err(format!(
        "{} is missing: cargo build --bins builds it",
        program.display()
    ))
}

/// The first of these programs that is installed.
pub(super) fn installed(names: &[&str]) -> Result<PathBuf, String> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = env::split_paths(&path)
        .chain(SYSTEM.map(PathBuf::from))
        .collect();
    let places = names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    let mut found = places.filter(|place| place.is_file());
    found
        .next()
        .ok_or_else(|| format!("{} is not installed", names.join(" or ")))
}

/// A program, and its version text.
fn asked(program: PathBuf, option: &str) -> Result<(PathBuf, String), String> {
    let said = said(&program, &[option])?;
    let version = version_in(&said).map(str::to_owned);
    let version = version.ok_or_else(|| format!("{} {option} says none", program.display()))?;
    Ok((program, version))
}

/// The first word that is a version.
fn version_in(said: &str) -> Option<&str> {
    let words = said.split([' ', '\n', '/']);
    let mut words = words.map(|word| word.trim_start_matches('v'));
    words.find(|word| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.'))
}

/// The interpreter itself. The program in the PATH may be a script that searches for it on each
/// start.
fn python(program: PathBuf) -> Result<(PathBuf, String), String> {
    let script = "import platform, sys; print(sys.executable); print(platform.python_version())";
    let said = said(&program, &["-c", script])?;
    match said.lines().collect::<Vec<_>>()[..] {
        [program, version] => Ok((program.into(), version.to_owned())),
        _ => Err(format!("{} says no version", program.display())),
    }
}

fn has_cgi(python: &Path) -> bool {
    said(python, &["-m", "http.server", "--help"]).is_ok_and(|said| said.contains("--cgi"))
}

/// The output of a program, on either stream.
fn said(program: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output();
    let output = output.map_err(|error| format!("cannot start {}: {error}", program.display()))?;
    if !output.status.success() {
        return Err(format!("{} ends with {}", program.display(), output.status));
    }
    let said = [output.stdout, output.stderr].concat();
    Ok(String::from_utf8_lossy(&said).trim().to_owned())
}

/// Whether all users may enter a folder. Missing folders are created that way.
fn is_open_to_others(folder: &Path) -> bool {
    let mut modes = folder
        .ancestors()
        .filter_map(|folder| fs::metadata(folder).ok());
    modes.all(|folder| folder.permissions().mode() & 0o001 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_servers_say() {
        for (said, version) in [
            ("nginx version: nginx/1.22.1", Some("1.22.1")),
            (
                "Server version: Apache/2.4.71 (Debian)\nServer built:   2026-11-12T08:58:41",
                Some("2.4.71"),
            ),
            (
                "lighttpd/1.4.69 (ssl) - a light and fast webserver",
                Some("1.4.69"),
            ),
            (
                "v2.8.4 h1:q3pe0wpBj1OcHFZ3n/1nl4V4bxBrYoSoab7rL9BMYNk=",
                Some("2.8.4"),
            ),
            ("2.6.2", Some("2.6.2")),
            ("spidey 0.1.0", Some("0.1.0")),
            ("usage: 3 options", None),
        ] {
            assert_eq!(version_in(said), version, "{said}");
        }
    }
}
