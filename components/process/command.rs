//! What is to be started, and how.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{Access, access};
use rustix::process::Resource;

/// A program that is to be started, and how. It is started by [`Process::start`](super::Process::start) or as the component
/// [`unix_process`](super::unix_process), as often as wanted.
///
/// A text is the name of a program: `unix_process("sort")`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use kamea_components::process::{Command, Resource};
///
/// let sorted = Command::new("sort").arg("--numeric-sort").env("LC_ALL", "C");
/// let longest = Command::shell("wc -L | tr -d ' '").limit(Resource::Cpu, 10).deadline(Duration::from_secs(60));
/// # let _ = (sorted, longest);
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Command {
    pub(super) program: OsString,
    arguments: Vec<OsString>,
    /// Whether it gets only the environment that is named here.
    is_env_clear: bool,
    /// Shared by its clones, of which each start makes some.
    env: Arc<Vec<(OsString, OsString)>>,
    folder: Option<PathBuf>,
    pub(super) limits: Vec<(Resource, u64)>,
    pub(super) deadline: Option<Duration>,
    pub(super) linger: Duration,
    pub(super) stdin: Stdio,
    pub(super) stdout: Stdio,
    pub(super) stderr: Stdio,
}

/// What one of the three standard streams of a process is.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum Stdio {
    /// A pipe, whose other end is ours.
    #[default]
    Piped,
    /// The stream of our own process.
    Inherited,
    /// Nothing: the end at once, or the void.
    Null,
    /// This.
    Fd(Arc<OwnedFd>),
}

/// How long the descendants of a process may hold its pipes after its end, unless told otherwise.
const LINGER: Duration = Duration::from_secs(1);

impl Command {
    /// A program, without arguments. It is looked for along `PATH`, unless it has a slash.
    pub fn new(program: impl Into<OsString>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            is_env_clear: false,
            env: Arc::default(),
            folder: None,
            limits: Vec::new(),
            deadline: None,
            linger: LINGER,
            stdin: Stdio::default(),
            stdout: Stdio::default(),
            stderr: Stdio::default(),
        }
    }

    /// A line for the shell. What peers say has no place in it: the shell would heed it.
    pub fn shell(line: impl Into<OsString>) -> Self {
        Self::new("/bin/sh").arg("-c").arg(line)
    }

    /// Adds an argument.
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds arguments.
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets a variable of its environment, which otherwise is ours.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        Arc::make_mut(&mut self.env).push((name.into(), value.into()));
        self
    }

    /// Keeps our environment from it: it gets only what [`env`](Self::env) sets.
    pub fn clear_env(self) -> Self {
        Self {
            is_env_clear: true,
            ..self
        }
    }

    /// Starts it in this folder, instead of ours.
    pub fn folder(self, folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: Some(folder.into()),
            ..self
        }
    }

    /// Limits a resource for it and each of its descendants, in the unit of setrlimit(2). The limit holds from the moment that the program has
    /// been loaded on, an instant after its start.
    pub fn limit(mut self, resource: Resource, limit: u64) -> Self {
        self.limits.push((resource, limit));
        self
    }

    /// Has [`unix_process`](super::unix_process) kill it if it runs for longer than this.
    pub fn deadline(self, deadline: Duration) -> Self {
        Self {
            deadline: Some(deadline),
            ..self
        }
    }

    /// How long [`unix_process`](super::unix_process) waits, once it has ended, for descendants that still hold its standard output or error open; a second otherwise.
    /// Then they are killed.
    pub fn linger(self, linger: Duration) -> Self {
        Self { linger, ..self }
    }

    /// What its standard input is.
    pub fn stdin(self, stdin: Stdio) -> Self {
        Self { stdin, ..self }
    }

    /// What its standard output is.
    pub fn stdout(self, stdout: Stdio) -> Self {
        Self { stdout, ..self }
    }

    /// What its standard error is.
    pub fn stderr(self, stderr: Stdio) -> Self {
        Self { stderr, ..self }
    }

    /// The same for the standard library, which starts it by `posix_spawn`: nothing here may make it fork instead.
    pub(super) fn to_std(&self) -> io::Result<process::Command> {
        let program = self.along_path();
        let mut command = process::Command::new(program.as_ref().unwrap_or(&self.program));
        command.arg0(&self.program);
        command.args(&self.arguments).process_group(0);
        if self.is_env_clear {
            command.env_clear();
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command
            .stdin(self.stdin.to_std()?)
            .stdout(self.stdout.to_std()?)
            .stderr(self.stderr.to_std()?);
        Ok(command)
    }

    /// Where the program is, if it is looked for along a `PATH` that is not ours: for that the standard library would fork.
    fn along_path(&self) -> Option<OsString> {
        let set = self.env.iter().rfind(|(name, _)| name == "PATH");
        let (_, path) = set?;
        if self.program.as_encoded_bytes().contains(&b'/') {
            return None;
        }
        let mut places = std::env::split_paths(path).map(|folder| folder.join(&self.program));
        let place = places.find(|place| place.is_file() && access(place, Access::EXEC_OK).is_ok());
        place.map(PathBuf::into_os_string)
    }
}

impl Stdio {
    fn to_std(&self) -> io::Result<process::Stdio> {
        Ok(match self {
            Self::Piped => process::Stdio::piped(),
            Self::Inherited => process::Stdio::inherit(),
            Self::Null => process::Stdio::null(),
            Self::Fd(fd) => fd.try_clone()?.into(),
        })
    }
}

impl From<&str> for Command {
    fn from(program: &str) -> Self {
        Self::new(program)
    }
}
