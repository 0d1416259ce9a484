//! How programs are run.

use std::str::FromStr;
use std::time::Duration;

use crate::documents::FilePattern;
use crate::process::{Resource, UserIds};

/// How programs are run. [`Programs`](crate::documents::Programs) says which files are programs.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use kamea_components::cgi::CgiOptions;
/// use kamea_components::server::{Site, WebServer};
///
/// let mut site = Site::new("www");
/// site.files.programs.interpreters.push("*.py=python3".parse()?);
/// let mut cgi = CgiOptions::default();
/// cgi.silence = Duration::from_secs(10);
/// cgi.settings.push("*.py: PYTHONUTF8=1".parse()?);
/// let server = WebServer::new(site).cgi(cgi);
/// # let _ = server;
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CgiOptions {
    /// How many programs may run at the same time.
    pub at_once: usize,
    /// How many requests may wait; further ones get 503.
    pub waiting: usize,
    /// The time limit of a program without output. If it has not answered by then, the client gets
    /// 504; a response that has begun is cut.
    pub silence: Duration,
    /// The largest header of a program's output, in bytes.
    pub largest_header: usize,
    /// Whether bodies are buffered in both directions: a program starts once the whole body of its
    /// request has arrived, and does not wait for a client that reads slowly. Programs whose name
    /// begins with `nph-` are never buffered.
    pub buffering: bool,
    /// What to do with bodies without `Content-Length`.
    pub chunked: Chunked,
    /// Whether programs receive the credentials of a request, in `HTTP_AUTHORIZATION`.
    pub passes_authorization: bool,
    /// Environment variables in addition to those of the request and `PATH`.
    pub settings: Vec<Setting>,
    /// The user that runs the programs; `None`: the user of the server.
    pub user: Option<UserIds>,
    /// Resource limits of each program and each of its descendants, in the units of setrlimit(2).
    pub limits: Vec<(Resource, u64)>,
}

impl Default for CgiOptions {
    fn default() -> Self {
        Self {
            at_once: 32,
            waiting: 256,
            silence: Duration::from_secs(60),
            largest_header: 64 * 1024,
            buffering: true,
            chunked: Chunked::default(),
            passes_authorization: false,
            settings: Vec::new(),
            user: None,
            limits: Vec::new(),
        }
    }
}

/// What to do with bodies without `Content-Length` (RFC 3875 section 4.1.2 wants `CONTENT_LENGTH`
/// to be right).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Chunked {
    /// Buffer them, even if other bodies are streamed.
    #[default]
    Gathered,
    /// Refuse them with 411.
    Refused,
}

/// An environment variable for programs that match a pattern. Written `PATTERN: NAME=VALUE`, such
/// as `*.py: PYTHONUTF8=1`.
#[derive(Debug, Clone)]
pub struct Setting {
    pub(super) files: FilePattern,
    pub(super) name: String,
    pub(super) value: String,
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = "a variable is PATTERN: NAME=VALUE, such as *.py: PYTHONUTF8=1";
        let (files, variable) = text.split_once(':').ok_or(wanted)?;
        let (name, value) = variable.split_once('=').ok_or(wanted)?;
        let name = name.trim();
        if name.is_empty() || text.contains('\0') {
            return Err(wanted.to_owned());
        }
        Ok(Self {
            files: files.trim().parse()?,
            name: name.to_owned(),
            value: value.trim().to_owned(),
        })
    }
}
