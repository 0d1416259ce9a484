//! Which application to run, and how.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::process::{Command, Stdio};
use kamea::time::now;

/// A WSGI application, and how to run it. Its name consists of a module, a colon, and an attribute.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use kamea_components::wsgi::WsgiApplication;
///
/// let mut application: WsgiApplication = "package.module:app".parse()?;
/// application.workers = 2;
/// application.threads = 8;
/// application.timeout = Duration::from_secs(10);
/// assert!("package/module.py".parse::<WsgiApplication>().is_err());
/// # Ok::<(), kamea_components::wsgi::NameError>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WsgiApplication {
    /// `package.module:attribute`.
    pub name: String,
    /// The number of worker processes.
    pub workers: usize,
    /// How many requests a process serves at the same time. With 1, the application need not be
    /// thread-safe.
    pub threads: usize,
    /// The first folder of the module search path.
    pub folder: PathBuf,
    /// The interpreter; it is searched along `PATH` if it has no slash.
    pub python: PathBuf,
    /// The time limit of a process without output while it serves a request. Also the time limit of
    /// a request that waits for a process.
    pub timeout: Duration,
    /// A process is replaced after this number of requests; `None`: never.
    pub requests: Option<u64>,
    /// Whether processes are replaced when the source of their modules changes.
    pub reload: bool,
    /// Whether bodies are buffered in both directions: a process gets a request once its whole body
    /// has arrived, and does not wait for a client that reads slowly.
    pub buffering: bool,
    /// How many requests may wait for a process; further ones get 503.
    pub waiting: usize,
}

/// An invalid name of an application.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} names no WSGI application: MODULE:ATTRIBUTE is wanted, such as package.module:app")]
pub struct NameError(String);

impl FromStr for WsgiApplication {
    type Err = NameError;

    fn from_str(name: &str) -> Result<Self, NameError> {
        let is_path = |path: &str| path.split('.').all(is_identifier);
        let is_name = |(module, attribute)| is_path(module) && is_path(attribute);
        if !name.split_once(':').is_some_and(is_name) {
            return Err(NameError(name.to_owned()));
        }
        Ok(Self {
            name: name.to_owned(),
            workers: 1,
            threads: 1,
            folder: PathBuf::from("."),
            python: PathBuf::from("python3"),
            timeout: Duration::from_secs(30),
            requests: None,
            reload: false,
            buffering: true,
            waiting: 1024,
        })
    }
}

fn is_identifier(name: &str) -> bool {
    let mut letters = name.chars();
    let is_first = |letter: char| letter.is_alphabetic() || letter == '_';
    letters.next().is_some_and(is_first)
        && letters.all(|letter| letter.is_alphanumeric() || letter == '_')
}

/// The program that runs in each process.
const WORKER: &str = include_str!("worker.py");

/// The variable that passes the program: on the command line it would fill the process lists.
const VARIABLE: &str = "KAMEA_WSGI_WORKER";

/// The first code that Python runs.
const START: &str = "import os; exec(compile(os.environ.pop('KAMEA_WSGI_WORKER'), '<WSGI worker>', 'exec'), {'__name__': '<WSGI worker>'})";

impl WsgiApplication {
    /// The command of a process whose end of the control socket is `control`.
    pub(super) fn command(&self, control: OwnedFd) -> Command {
        let folder = std::path::absolute(&self.folder);
        let folder = folder.unwrap_or_else(|_| self.folder.clone());
        let watch = if self.reload { "reload" } else { "" };
        Command::new(&self.python)
            .args(["-c", START])
            .arg(&self.name)
            .arg(self.threads.to_string())
            .arg(folder)
            .arg(watch)
            .env(VARIABLE, WORKER)
            .stdin(Stdio::Fd(Arc::new(control)))
    }

    /// Whether the time since then, waiting or working, exceeds the limit.
    pub(super) fn is_late(&self, since: Instant) -> bool {
        now().saturating_duration_since(since) > self.timeout
    }

    /// After how many requests the first process of a slot is replaced. The limits differ, so that
    /// not all are replaced at the same time.
    pub(super) fn first_limit(&self, slot: usize) -> Option<u64> {
        let workers = self.workers.max(1) as u64;
        let early = |most: u64| most - most * (slot as u64 % workers) / (2 * workers);
        self.requests.map(|most| early(most).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_module_and_an_attribute() {
        for (name, is_right) in [
            ("app:app", true),
            ("package.module:factory.app", true),
            ("_m\u{f6}dule:a1", true),
            ("app", false),
            ("app:", false),
            (":app", false),
            ("app:app:app", false),
            ("app.py:app()", false),
            ("../app:app", false),
            ("a..b:app", false),
            ("1a:app", false),
        ] {
            assert_eq!(name.parse::<WsgiApplication>().is_ok(), is_right, "{name}");
        }
        assert!(START.contains(VARIABLE));
    }

    #[test]
    fn first_processes_are_replaced_one_after_another() {
        let mut application: WsgiApplication = "a:a".parse().unwrap();
        assert_eq!(application.first_limit(0), None);
        (application.workers, application.requests) = (4, Some(1000));
        let limits: Vec<_> = (0..4).map(|slot| application.first_limit(slot)).collect();
        assert_eq!(limits, [1000, 875, 750, 625].map(Some));
    }
}
