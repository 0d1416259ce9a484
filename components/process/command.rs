//! A program to start, and its settings.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustix::fs::{Access, access};
use rustix::process::Resource;

use super::unconfined::{UserIds, default_user};

/// A program to start, and its settings. [`Process::start`](super::Process::start) or the component
/// [`unix_process`](super::unix_process) starts it, any number of times.
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
    /// Whether it receives only the environment variables that are set here.
    is_env_clear: bool,
    /// Shared by its clones, each of which can start several processes.
    env: Arc<Vec<(OsString, OsString)>>,
    folder: Option<Folder>,
    file: Option<(Arc<OwnedFd>, FileUse)>,
    user: Option<UserIds>,
    pub(super) limits: Vec<(Resource, u64)>,
    pub(super) deadline: Option<Duration>,
    pub(super) linger: Duration,
    pub(super) stdin: Stdio,
    pub(super) stdout: Stdio,
    pub(super) stderr: Stdio,
}

/// The folder in which a program starts.
#[derive(Debug, Clone)]
enum Folder {
    Named(PathBuf),
    Open(Arc<OwnedFd>),
}

/// How the process uses a file that is given by its descriptor.
#[derive(Debug, Clone, Copy)]
enum FileUse {
    Program,
    /// It is the argument with this number.
    Argument(usize),
}

/// Locked for writing while a process starts that inherits one of our descriptors, so that no other
/// process inherits it.
static INHERITING: RwLock<()> = RwLock::new(());

/// One of the three standard streams of a process.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum Stdio {
    /// A pipe; we hold its other end.
    #[default]
    Piped,
    /// The stream of our own process.
    Inherited,
    /// Nothing: reading returns the end at once, and output is discarded.
    Null,
    /// This file.
    Fd(Arc<OwnedFd>),
}

/// How long the descendants of a process may hold its pipes after its end, by default.
const LINGER: Duration = Duration::from_secs(1);

impl Command {
    /// Creates a command for a program without arguments. If its name has no slash, it is searched
    /// for along `PATH`.
    pub fn new(program: impl Into<OsString>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            is_env_clear: false,
            env: Arc::default(),
            folder: None,
            file: None,
            user: None,
            limits: Vec::new(),
            deadline: None,
            linger: LINGER,
            stdin: Stdio::default(),
            stdout: Stdio::default(),
            stderr: Stdio::default(),
        }
    }

    /// Creates a command for a line of the shell. Never put the input of peers into it: the shell
    /// would execute it.
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

    /// Sets an environment variable. By default the process inherits our environment.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        Arc::make_mut(&mut self.env).push((name.into(), value.into()));
        self
    }

    /// Does not pass on our environment: the process receives only the variables that
    /// [`env`](Self::env) sets.
    pub fn clear_env(self) -> Self {
        Self {
            is_env_clear: true,
            ..self
        }
    }

    /// Starts it in this folder, instead of ours.
    pub fn folder(self, folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: Some(Folder::Named(folder.into())),
            ..self
        }
    }

    /// Starts it in the folder that this descriptor refers to, even if the path has changed.
    pub fn open_folder(self, folder: Arc<OwnedFd>) -> Self {
        Self {
            folder: Some(Folder::Open(folder)),
            ..self
        }
    }

    /// Runs the program that this descriptor refers to, even if the path has changed. The name is
    /// only its `argv[0]`.
    ///
    /// A program with an interpreter (`#!`) inherits the descriptor, because the interpreter opens
    /// it as `/proc/self/fd/N`.
    pub fn open_program(self, program: Arc<OwnedFd>) -> Self {
        Self {
            file: Some((program, FileUse::Program)),
            ..self
        }
    }

    /// Adds an argument: a path, `/proc/self/fd/N`, to the file that this descriptor refers to.
    pub fn open_arg(self, file: Arc<OwnedFd>) -> Self {
        let number = FileUse::Argument(self.arguments.len());
        let command = self.arg("");
        Self {
            file: Some((file, number)),
            ..command
        }
    }

    /// Runs it as this user, without supplementary groups. The thread that starts it needs the
    /// privilege to do so.
    pub fn user(self, user: UserIds) -> Self {
        Self {
            user: Some(user),
            ..self
        }
    }

    /// Limits a resource for it and for each of its descendants, in the unit of setrlimit(2). The
    /// limit applies once the program has been loaded, an instant after its start.
    pub fn limit(mut self, resource: Resource, limit: u64) -> Self {
        self.limits.push((resource, limit));
        self
    }

    /// Sets a deadline: [`unix_process`](super::unix_process) kills a process that runs longer than
    /// this.
    pub fn deadline(self, deadline: Duration) -> Self {
        Self {
            deadline: Some(deadline),
            ..self
        }
    }

    /// Sets how long [`unix_process`](super::unix_process) waits after its end for descendants that
    /// still hold its standard output or error open; one second by default. After that they are
    /// killed.
    pub fn linger(self, linger: Duration) -> Self {
        Self { linger, ..self }
    }

    /// Sets its standard input.
    pub fn stdin(self, stdin: Stdio) -> Self {
        Self { stdin, ..self }
    }

    /// Sets its standard output.
    pub fn stdout(self, stdout: Stdio) -> Self {
        Self { stdout, ..self }
    }

    /// Sets its standard error.
    pub fn stderr(self, stderr: Stdio) -> Self {
        Self { stderr, ..self }
    }

    /// Returns the folder that it starts in, if that has a path.
    pub(super) fn named_folder(&self) -> Option<&Path> {
        match &self.folder {
            Some(Folder::Named(folder)) => Some(folder),
            _ => None,
        }
    }

    /// Starts it. Blocks until the program has been loaded.
    pub(super) fn spawn(&self) -> io::Result<process::Child> {
        match &self.file {
            Some((file, usage)) if is_inherited(file, *usage) => {
                let _alone = INHERITING.write().unwrap_or_else(PoisonError::into_inner);
                // Without close-on-exec, which the other descriptors have.
                let kept = rustix::io::dup(&**file)?;
                self.to_std(Some((&kept, *usage)))?.spawn()
            }
            file => {
                let _others = INHERITING.read().unwrap_or_else(PoisonError::into_inner);
                let file = file.as_ref().map(|(file, usage)| (&**file, *usage));
                self.to_std(file)?.spawn()
            }
        }
    }

    /// Converts it for the standard library, which starts it with `posix_spawn`. Only another user
    /// may make it fork instead.
    fn to_std(&self, file: Option<(&OwnedFd, FileUse)>) -> io::Result<process::Command> {
        let mut arguments = self.arguments.clone();
        let program = match file {
            Some((file, FileUse::Program)) => Some(descriptor_path(file).into_os_string()),
            Some((file, FileUse::Argument(number))) => {
                arguments[number] = descriptor_path(file).into_os_string();
                self.along_path()
            }
            None => self.along_path(),
        };
        let mut command = process::Command::new(program.as_ref().unwrap_or(&self.program));
        command.arg0(&self.program);
        command.args(&arguments).process_group(0);
        if let Some(user) = self.user.or(default_user()) {
            command.gid(user.group).uid(user.user);
        }
        if self.is_env_clear {
            command.env_clear();
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        match &self.folder {
            None => {}
            Some(Folder::Named(folder)) => {
                command.current_dir(folder);
            }
            Some(Folder::Open(folder)) => {
                command.current_dir(descriptor_path(folder));
            }
        }
        command
            .stdin(self.stdin.to_std()?)
            .stdout(self.stdout.to_std()?)
            .stderr(self.stderr.to_std()?);
        Ok(command)
    }

    /// Returns the path of the program if it is searched for along a `PATH` that differs from ours:
    /// for that the standard library would fork.
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

/// Returns the path to an open file, in this process and in one that inherits it (proc(5)).
fn descriptor_path(file: &OwnedFd) -> PathBuf {
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

/// Whether a process must inherit the descriptor of a file: an interpreter opens it again. Programs
/// in the native format are loaded before the system closes descriptors (execve(2)).
fn is_inherited(file: &OwnedFd, usage: FileUse) -> bool {
    if let FileUse::Argument(_) = usage {
        return true;
    }
    let begin = File::open(descriptor_path(file)).and_then(|mut file| {
        let mut begin = [0; 4];
        file.read_exact(&mut begin).map(|()| begin)
    });
    // A file that cannot be read cannot be interpreted either.
    begin.is_ok_and(|begin| begin != *b"\x7fELF")
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
