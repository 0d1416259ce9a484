//! The base path and the address at which a program is served.

use std::net::{IpAddr, SocketAddr};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::Variables;

/// The base path and the address at which a program is served: the part of the [`Variables`] that
/// all its requests share.
///
/// # Examples
///
/// ```
/// use kamea_components::gateway::Mount;
///
/// let mount = Mount::new("192.0.2.1:8080".parse()?).script_name("/app").document_root("/srv/www");
/// assert_eq!(mount.path_info(b"/app/a"), Some(&b"/a"[..]));
/// assert_eq!(mount.path_info(b"/app"), Some(&b""[..]));
/// assert_eq!(mount.path_info(b"//app//a"), Some(&b"//a"[..]));
/// assert_eq!(mount.path_info(b"/apple"), None);
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Mount {
    local: SocketAddr,
    script_name: String,
    document_root: Option<PathBuf>,
    passes_authorization: bool,
    /// The shared variables, ready to be copied.
    pub(super) constant: Variables,
}

impl Mount {
    /// Mounts at the root path of a server whose end of the connection is `local`.
    #[must_use]
    pub fn new(local: SocketAddr) -> Self {
        // An IPv4 client of an IPv6 socket is shown as an IPv4 client.
        let local = SocketAddr::new(local.ip().to_canonical(), local.port());
        let mut constant = Variables::default();
        constant.push("GATEWAY_INTERFACE", b"CGI/1.1");
        constant.push("SERVER_SOFTWARE", SOFTWARE);
        constant.push("REQUEST_SCHEME", b"http");
        constant.push_text("SERVER_ADDR", format_args!("{}", local.ip()));
        constant.push_text("SERVER_PORT", format_args!("{}", local.port()));
        Self {
            local,
            script_name: String::new(),
            document_root: None,
            passes_authorization: false,
            constant,
        }
    }

    /// Mounts below this path, which becomes `SCRIPT_NAME` (RFC 3875 section 4.1.13). It is not
    /// percent-encoded; a slash at its end is ignored.
    #[must_use]
    pub fn script_name(self, path: &str) -> Self {
        Self {
            script_name: path.trim_end_matches('/').to_owned(),
            ..self
        }
    }

    /// Sets the folder of the site's files: `DOCUMENT_ROOT`, and the beginning of `PATH_TRANSLATED`
    /// (RFC 3875 section 4.1.6).
    #[must_use]
    pub fn document_root(mut self, folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        self.constant
            .set("DOCUMENT_ROOT", folder.as_os_str().as_bytes());
        Self {
            document_root: Some(folder),
            ..self
        }
    }

    /// Also passes `Authorization` on, for a program that checks passwords itself. RFC 3875 section
    /// 4.1.18 lets a server withhold it, so that a program does not see passwords that it does not
    /// need.
    #[must_use]
    pub fn pass_authorization(self) -> Self {
        Self {
            passes_authorization: true,
            ..self
        }
    }

    /// The rest of a decoded path after the script name; `None` if the path is not below that. A
    /// doubled slash in the part that is the script name counts as one; the rest is unchanged.
    #[must_use]
    pub fn path_info<'a>(&self, path: &'a [u8]) -> Option<&'a [u8]> {
        let mut rest = path;
        for &byte in self.script_name.as_bytes() {
            rest = rest.strip_prefix(&[byte])?;
            while byte == b'/' && rest.starts_with(b"/") {
                rest = &rest[1..];
            }
        }
        matches!(rest, [] | [b'/', ..]).then_some(rest)
    }

    /// Adds the gateway interface's own variables to those of CGI.
    pub(super) fn for_gateway(mut self) -> Self {
        for (name, value) in [
            ("gateway.version", "1.0"),
            ("gateway.url_scheme", "http"),
            ("gateway.multithread", "true"),
            ("gateway.multiprocess", "false"),
            ("gateway.run_once", "false"),
        ] {
            self.constant.set(name, value);
        }
        self
    }

    /// The name of a program mounted here, for the log.
    pub(super) fn name(&self) -> &str {
        match &*self.script_name {
            "" => "/",
            name => name,
        }
    }

    pub(super) fn script(&self) -> &[u8] {
        self.script_name.as_bytes()
    }

    pub(super) fn address(&self) -> IpAddr {
        self.local.ip()
    }

    pub(super) fn docroot(&self) -> Option<&Path> {
        self.document_root.as_deref()
    }

    pub(super) fn passes_authorization(&self) -> bool {
        self.passes_authorization
    }
}

/// The name of the server for the programs (RFC 3875 section 4.1.17).
const SOFTWARE: &[u8] = concat!("Kamea/", env!("CARGO_PKG_VERSION")).as_bytes();
