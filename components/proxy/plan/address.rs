//! A backend: where it is, what it speaks, and how much it gets.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use kamea_components::net::complete_address;
use thiserror::Error;

/// Where a backend listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// A name or address, and a port.
    Tcp {
        /// An IPv6 address has no brackets here.
        host: String,
        /// The port.
        port: u16,
    },
    /// A Unix socket.
    Unix(PathBuf),
}

/// What a backend speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scheme {
    /// HTTP/1.1.
    #[default]
    Http,
    /// HTTP/1.1 over TLS.
    Https,
    /// FastCGI, as php-fpm does.
    FastCgi,
    /// SCGI, as uWSGI does.
    Scgi,
}

/// The version of the PROXY protocol with which a connection to a backend begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProxyProtocol {
    /// A line of text.
    V1,
    /// A binary header.
    V2,
}

/// How the connections of [`Scheme::Https`] are verified.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackendTls {
    /// The name that its certificate must have; that of its address if `None`.
    pub name: Option<String>,
    /// The file with the certificates of the authorities that sign; those of the system if `None`.
    pub authorities: Option<PathBuf>,
    /// Whether the certificate is verified at all.
    pub verifies: bool,
}

impl Default for BackendTls {
    fn default() -> Self {
        Self::new()
    }
}

impl BackendTls {
    /// The name of the address, and the authorities of the system.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            name: None,
            authorities: None,
            verifies: true,
        }
    }
}

/// A backend of a route.
///
/// # Examples
/// ```
/// use kamea_proxy::plan::{Address, Backend, Scheme};
///
/// let backend = Backend::parse("http://127.0.0.1:9000")?;
/// assert_eq!(backend.address, Address::Tcp { host: "127.0.0.1".into(), port: 9000 });
/// let php = Backend::parse("fastcgi://unix:/run/php/php-fpm.sock")?;
/// assert_eq!(php.scheme, Scheme::FastCgi);
/// assert_eq!(php.to_string(), "fastcgi://unix:/run/php/php-fpm.sock");
/// # Ok::<(), kamea_proxy::plan::BackendError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backend {
    /// Where it listens.
    pub address: Address,
    /// What it speaks.
    pub scheme: Scheme,
    /// The path that replaces the prefix of the route: empty, or it begins with `/`.
    pub path: String,
    /// Its share, compared with the others. At least 1.
    pub weight: u32,
    /// Whether it gets requests only while no other backend can take one.
    pub is_backup: bool,
    /// The limit for requests in flight.
    pub most_connections: Option<u32>,
    /// How long its share grows after it came back, from nothing to its weight.
    pub slow_start: Duration,
    /// Whether its connections begin with a PROXY protocol header.
    pub send_proxy_protocol: Option<ProxyProtocol>,
    /// How its certificate is verified, if it speaks TLS.
    pub tls: BackendTls,
}

/// An address of a backend that is not valid.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum BackendError {
    /// No scheme, or an unknown one.
    #[error("an address begins with `http://`, `https://`, `fastcgi://` or `scgi://`")]
    Scheme,
    /// `name:password@`.
    #[error("an address has no user name: use the field `Authorization`")]
    User,
    /// An empty or invalid host.
    #[error("an address has a host, such as `127.0.0.1`, `app.internal` or `[::1]`")]
    Host,
    /// An invalid port.
    #[error("a port is a number from 1 to 65535")]
    Port,
    /// FastCGI and SCGI have no usual port.
    #[error("an address of FastCGI or SCGI needs a port")]
    NoPort,
    /// HTTPS over a Unix socket.
    #[error("a Unix socket needs no TLS: write `http://unix:...`")]
    UnixTls,
    /// A Unix socket without an absolute path.
    #[error("a Unix socket has an absolute path: `http://unix:/run/app.sock`")]
    Unix,
    /// A path with a query, a fragment, or characters that are not visible ASCII.
    #[error("a path of a backend has no `?`, no `#`, and other characters percent-encoded")]
    Path,
}

impl Scheme {
    const ALL: [(&str, Self); 4] = [
        ("http", Self::Http),
        ("https", Self::Https),
        ("fastcgi", Self::FastCgi),
        ("scgi", Self::Scgi),
    ];

    /// Returns the name before `://`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::FastCgi => "fastcgi",
            Self::Scgi => "scgi",
        }
    }

    /// Returns the port of an address that names none.
    #[must_use]
    pub const fn default_port(self) -> Option<u16> {
        match self {
            Self::Http => Some(80),
            Self::Https => Some(443),
            Self::FastCgi | Self::Scgi => None,
        }
    }
}

impl Backend {
    /// Creates a backend with weight 1 and no limits.
    #[must_use]
    pub const fn new(scheme: Scheme, address: Address) -> Self {
        Self {
            address,
            scheme,
            path: String::new(),
            weight: 1,
            is_backup: false,
            most_connections: None,
            slow_start: Duration::ZERO,
            send_proxy_protocol: None,
            tls: BackendTls::new(),
        }
    }

    /// Parses `http://host:port/path`, `https://...`, `fastcgi://...`, `scgi://...`, each also with
    /// `unix:/path/of/socket` for host and port, and then `:/path` for the path.
    /// A port alone, `:9000`, is that of an HTTP server of this machine.
    ///
    /// # Errors
    /// [`BackendError`] names what is wrong.
    pub fn parse(text: &str) -> Result<Self, BackendError> {
        let text = match complete_address(text) {
            Cow::Owned(address) => format!("http://{address}").into(),
            text => text,
        };
        let (scheme, rest) = text.split_once("://").ok_or(BackendError::Scheme)?;
        let known = Scheme::ALL.iter();
        let mut known = known.filter(|(name, _)| scheme.eq_ignore_ascii_case(name));
        let scheme = known.next().ok_or(BackendError::Scheme)?.1;
        let (address, path) = match rest.strip_prefix("unix:") {
            Some(_) if scheme == Scheme::Https => return Err(BackendError::UnixTls),
            Some(rest) => parse_unix(rest)?,
            None => parse_tcp(rest, scheme)?,
        };
        let is_visible = |b: u8| b.is_ascii_graphic() && !matches!(b, b'?' | b'#');
        if !path.bytes().all(is_visible) {
            return Err(BackendError::Path);
        }
        let path = path.to_owned();
        Ok(Self {
            path,
            ..Self::new(scheme, address)
        })
    }

    /// Returns the value of `Host` for this backend: host and port, without the port that is usual
    /// for the scheme; `localhost` for a Unix socket. It is nginx's `$proxy_host`.
    ///
    /// # Examples
    /// ```
    /// use kamea_proxy::plan::Backend;
    ///
    /// let authority = |text| Backend::parse(text).map(|backend| backend.authority());
    /// assert_eq!(authority("http://a:80")?, "a");
    /// assert_eq!(authority("http://[::1]:9000")?, "[::1]:9000");
    /// assert_eq!(authority("http://unix:/a.sock")?, "localhost");
    /// # Ok::<(), kamea_proxy::plan::BackendError>(())
    /// ```
    #[must_use]
    pub fn authority(&self) -> String {
        match &self.address {
            Address::Unix(_) => "localhost".to_owned(),
            Address::Tcp { host, port } if Some(*port) == self.scheme.default_port() => {
                bracketed(host)
            }
            address @ Address::Tcp { .. } => address.to_string(),
        }
    }
}

/// `/run/app.sock`, or `/run/app.sock:/path`
fn parse_unix(rest: &str) -> Result<(Address, &str), BackendError> {
    let (socket, path) = rest.split_once(':').unwrap_or((rest, ""));
    let is_path = path.is_empty() || path.starts_with('/');
    if !socket.starts_with('/') || socket.ends_with('/') || !is_path {
        return Err(BackendError::Unix);
    }
    Ok((Address::Unix(socket.into()), path))
}

/// `host`, `host:port`, `[::1]:port`, each with a path or without
fn parse_tcp(rest: &str, scheme: Scheme) -> Result<(Address, &str), BackendError> {
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err(BackendError::User);
    }
    let end = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    let colon = authority[end..].find(':').map(|colon| end + colon);
    let (host, port) = authority.split_at(colon.unwrap_or(authority.len()));
    let port = match port.strip_prefix(':') {
        None => scheme.default_port().ok_or(BackendError::NoPort)?,
        Some(digits) => parse_port(digits).ok_or(BackendError::Port)?,
    };
    let host = checked_host(host).ok_or(BackendError::Host)?.to_owned();
    Ok((Address::Tcp { host, port }, path))
}

fn parse_port(digits: &str) -> Option<u16> {
    let is_number = digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|port| is_number && *port > 0)
}

/// Returns a host without brackets.
fn checked_host(host: &str) -> Option<&str> {
    if let Some(rest) = host.strip_prefix('[') {
        let address = rest.strip_suffix(']')?;
        return address
            .parse::<std::net::Ipv6Addr>()
            .is_ok()
            .then_some(address);
    }
    let is_valid = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    (!host.is_empty() && host.bytes().all(is_valid)).then_some(host)
}

fn bracketed(host: &str) -> String {
    match host.contains(':') {
        true => format!("[{host}]"),
        false => host.to_owned(),
    }
}

impl FromStr for Backend {
    type Err = BackendError;

    fn from_str(text: &str) -> Result<Self, BackendError> {
        Self::parse(text)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } => write!(f, "{}:{port}", bracketed(host)),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// The address, as it can be parsed; not the options.
impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = match self.address {
            Address::Unix(_) if !self.path.is_empty() => ":",
            _ => "",
        };
        let (scheme, address, path) = (self.scheme.name(), &self.address, &self.path);
        write!(f, "{scheme}://{address}{separator}{path}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let rows = [
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000", ""),
            ("HTTP://a", "http://a:80", ""),
            (":9000", "http://127.0.0.1:9000", ""),
            ("9000", "http://127.0.0.1:9000", ""),
            ("https://a", "https://a:443", ""),
            ("http://a:9000/", "http://a:9000/", "/"),
            ("http://[::1]:1/b/c", "http://[::1]:1/b/c", "/b/c"),
            ("fastcgi://a:9", "fastcgi://a:9", ""),
            ("scgi://unix:/a/b", "scgi://unix:/a/b", ""),
            ("http://unix:/a/b:/c", "http://unix:/a/b:/c", "/c"),
        ];
        for (text, shown, path) in rows {
            let backend = Backend::parse(text).unwrap();
            assert_eq!(backend.to_string(), shown, "{text}");
            assert_eq!(backend.path, path, "{text}");
            assert_eq!(Backend::parse(shown).unwrap(), backend, "{text}");
        }
    }

    #[test]
    fn addresses_that_are_none() {
        let rows = [
            ("", BackendError::Scheme),
            ("127.0.0.1:9000", BackendError::Scheme),
            ("ftp://a", BackendError::Scheme),
            ("http://", BackendError::Host),
            ("http:///a", BackendError::Host),
            ("http://:80", BackendError::Host),
            ("http://a b", BackendError::Host),
            ("http://[::1", BackendError::Port),
            ("http://[a]:1", BackendError::Host),
            ("http://a:", BackendError::Port),
            ("http://a:0", BackendError::Port),
            (":0", BackendError::Port),
            ("65536", BackendError::Port),
            (":a", BackendError::Scheme),
            (":9000/a", BackendError::Scheme),
            ("http://a:65536", BackendError::Port),
            ("http://a:+1", BackendError::Port),
            ("http://a:b:c", BackendError::Port),
            ("http://user:pw@a", BackendError::User),
            ("fastcgi://a", BackendError::NoPort),
            ("https://unix:/a", BackendError::UnixTls),
            ("http://unix:a", BackendError::Unix),
            ("http://unix:", BackendError::Unix),
            ("http://unix:/", BackendError::Unix),
            ("http://unix:/a:b", BackendError::Unix),
            ("http://a/?b", BackendError::Path),
            ("http://a#b", BackendError::Path),
            ("http://a/\u{e9}", BackendError::Path),
            ("http://a/\r\nB: c", BackendError::Path),
        ];
        for (text, expected) in rows {
            assert_eq!(Backend::parse(text), Err(expected), "{text:?}");
        }
    }
}
