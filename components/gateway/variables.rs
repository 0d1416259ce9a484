//! The meta-variables of a request (RFC 3875 section 4.1), as CGI, WSGI and the gateway interface
//! pass them to programs.
//!
//! They are built for each request. For speed, they are one run of bytes; the part that all
//! requests share is copied into it.

use std::fmt;
use std::io::Write;
use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use http::Version;

use super::Mount;
use crate::http::{PathError, REDACTED, RequestHead};
use crate::tls::Facts;
use crate::web::{Exchange, Request, Scheme};

/// The meta-variables of a request (RFC 3875 section 4.1): names, and values that are bytes.
///
/// An empty value means the same as a missing variable (section 4.1). `QUERY_STRING`, `SCRIPT_NAME`
/// and `PATH_INFO` are always set.
///
/// # Examples
///
/// ```
/// use kamea_components::gateway::{Mount, Variables};
/// use kamea_components::http::{Event, Limits, RequestDecoder};
/// use kamea_components::web::Exchange;
///
/// let mut decoder = RequestDecoder::new(Limits::default());
/// decoder.feed("GET /app/a%20b?c=d HTTP/1.1\r\nHost: example.org\r\nAccept-Language: mi\r\n\r\n".into());
/// let Some(Event::Head(head, _)) = decoder.next()? else { unreachable!() };
/// let exchange = Exchange::new(0, "192.0.2.7:1234".parse()?);
/// let mount = Mount::new("192.0.2.1:80".parse()?).script_name("/app");
///
/// let mut variables = Variables::of(&head, &exchange, &mount)?;
/// assert_eq!(variables.get("SCRIPT_NAME"), Some(&b"/app"[..]));
/// assert_eq!(variables.get("PATH_INFO"), Some(&b"/a b"[..]));
/// assert_eq!(variables.get("HTTP_ACCEPT_LANGUAGE"), Some(&b"mi"[..]));
/// variables.set("REMOTE_USER", "kiri");
/// for (name, value) in variables.iter() {
///     println!("{name}={}", String::from_utf8_lossy(value));
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Variables {
    /// Name, value, name, value, and so on.
    bytes: Vec<u8>,
    /// Where each name and its value end.
    ends: Vec<(usize, usize)>,
}

/// The initial capacity, in bytes and variables: enough for most requests, so that there is one
/// allocation each.
const ROOM: (usize, usize) = (1024, 40);

impl Variables {
    /// The variables of a request to the mounted program. If the path is not below the script name
    /// of the mount, all of it is `PATH_INFO`.
    ///
    /// # Errors
    ///
    /// [`PathError`], if the path contains NUL or an invalid percent sequence. The program checks
    /// everything else; `REQUEST_URI` has the target as it was sent.
    pub fn of(head: &RequestHead, exchange: &Exchange, mount: &Mount) -> Result<Self, PathError> {
        let path = head.target.application_path()?;
        // `*` and the authority-form have no path.
        let path = if path.starts_with(b"/") { &*path } else { b"" };
        Ok(match mount.path_info(path) {
            Some(info) => Self::of_script(head, exchange, mount, mount.script(), info),
            None => Self::of_script(head, exchange, mount, b"", path),
        })
    }

    /// The variables of a request to a program that was found along the path. The script name of
    /// the mount is ignored: `script_name` is the decoded path of the program, and `path_info` the
    /// rest of the path.
    #[must_use]
    pub fn of_script(
        head: &RequestHead,
        exchange: &Exchange,
        mount: &Mount,
        script_name: &[u8],
        path_info: &[u8],
    ) -> Self {
        let mut variables = Self {
            bytes: Vec::with_capacity(ROOM.0 + head.fields.as_bytes().len()),
            ends: Vec::with_capacity(ROOM.1),
        };
        variables.bytes.extend_from_slice(&mount.constant.bytes);
        variables.ends.extend_from_slice(&mount.constant.ends);
        variables.push_request(head, exchange);
        variables.push_path(mount, script_name, path_info);
        variables.push_server_name(head, mount);
        variables.push_fields(head, mount);
        variables
    }

    /// The value of a variable.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.position(name.as_bytes(), 0)
            .map(|at| &self.bytes[self.ends[at].0..self.ends[at].1])
    }

    /// Sets a variable, and replaces one of the same name. The name should be valid in an
    /// environment: without `=`; and neither name nor value may contain NUL.
    pub fn set(&mut self, name: &str, value: impl AsRef<[u8]>) {
        let value = value.as_ref();
        match self.position(name.as_bytes(), 0) {
            Some(at) => self.replace(at, 0, value),
            None => self.push(name, value),
        }
    }

    /// Adds what is known of TLS, as Apache's mod_ssl names it: `HTTPS=on` and `REQUEST_SCHEME` if
    /// the client uses TLS, perhaps to a trusted proxy; `SSL_PROTOCOL`, `SSL_CIPHER` and those of a
    /// client's certificate, if the connection itself has TLS. Returns whether the client uses TLS;
    /// otherwise nothing is added.
    pub fn add_tls(&mut self, request: &Request) -> bool {
        if request.exchange.scheme != Scheme::Https {
            return false;
        }
        self.set("HTTPS", "on");
        self.set("REQUEST_SCHEME", "https");
        if self.get("gateway.url_scheme").is_some() {
            self.set("gateway.url_scheme", "https");
        }
        let Some(facts) = request.extensions.get::<Arc<Facts>>() else {
            return true;
        };
        self.set("SSL_PROTOCOL", facts.version);
        self.set("SSL_CIPHER", &facts.cipher);
        self.set(
            "SSL_SESSION_RESUMED",
            if facts.resumed { "Resumed" } else { "Initial" },
        );
        if let Some(name) = &facts.server_name {
            self.set("SSL_TLS_SNI", name);
        }
        let Some(client) = facts.peer_certificate() else {
            self.set("SSL_CLIENT_VERIFY", "NONE");
            return true;
        };
        self.set("SSL_CLIENT_VERIFY", "SUCCESS");
        self.set("SSL_CLIENT_S_DN", client.subject());
        self.set("SSL_CLIENT_I_DN", client.issuer());
        self.set("SSL_CLIENT_M_SERIAL", client.serial());
        self.set("SSL_CLIENT_FINGERPRINT", client.fingerprint());
        self.set("SSL_CLIENT_CERT", client.to_pem());
        true
    }

    /// Sets `CONTENT_LENGTH`: for a chunked body, for example, once it is complete. For a request
    /// with `Content-Length` it is already set.
    pub fn set_content_length(&mut self, bytes: u64) {
        self.set("CONTENT_LENGTH", bytes.to_string());
    }

    /// All variables, as name and value, in no particular order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &[u8])> {
        (0..self.ends.len()).map(|at| {
            let (name, value) = self.ends[at];
            let text = str::from_utf8(&self.bytes[self.start(at)..name]).unwrap_or_default();
            (text, &self.bytes[name..value])
        })
    }

    /// Adds a new variable.
    pub(super) fn push(&mut self, name: &str, value: &[u8]) {
        self.bytes.extend_from_slice(name.as_bytes());
        self.end(|bytes| bytes.extend_from_slice(value));
    }

    /// Adds a new variable with a formatted value.
    pub(super) fn push_text(&mut self, name: &str, value: fmt::Arguments<'_>) {
        self.bytes.extend_from_slice(name.as_bytes());
        // A write to memory does not fail.
        self.end(|bytes| drop(bytes.write_fmt(value)));
    }

    /// Ends a variable whose name has been written.
    fn end(&mut self, write_value: impl FnOnce(&mut Vec<u8>)) {
        let name = self.bytes.len();
        write_value(&mut self.bytes);
        self.ends.push((name, self.bytes.len()));
    }

    fn start(&self, at: usize) -> usize {
        at.checked_sub(1).map_or(0, |before| self.ends[before].1)
    }

    /// The index of the variable with that name, among those from `first` on.
    fn position(&self, name: &[u8], first: usize) -> Option<usize> {
        (first..self.ends.len()).find(|&at| self.bytes[self.start(at)..self.ends[at].0] == *name)
    }

    /// Replaces the value of a variable after its first `kept` bytes.
    fn replace(&mut self, at: usize, kept: usize, bytes: &[u8]) {
        let (name, end) = self.ends[at];
        let from = name + kept;
        drop(self.bytes.splice(from..end, bytes.iter().copied()));
        let new_end = from + bytes.len();
        self.ends[at].1 = new_end;
        for (name, value) in &mut self.ends[at + 1..] {
            *name = *name - end + new_end;
            *value = *value - end + new_end;
        }
    }

    fn push_request(&mut self, head: &RequestHead, exchange: &Exchange) {
        self.push("REQUEST_METHOD", head.method.as_str().as_bytes());
        self.push("REQUEST_URI", head.target.as_bytes());
        let query = head.target.query().unwrap_or_default();
        self.push("QUERY_STRING", query.as_bytes());
        let protocol: &[u8] = match head.version {
            Version::HTTP_10 => b"HTTP/1.0",
            _ => b"HTTP/1.1",
        };
        self.push("SERVER_PROTOCOL", protocol);
        let (address, port) = (exchange.peer.ip().to_canonical(), exchange.peer.port());
        self.push_text("REMOTE_ADDR", format_args!("{address}"));
        self.push_text("REMOTE_HOST", format_args!("{address}"));
        self.push_text("REMOTE_PORT", format_args!("{port}"));
    }

    fn push_path(&mut self, mount: &Mount, script_name: &[u8], path_info: &[u8]) {
        self.push("SCRIPT_NAME", script_name);
        self.push("PATH_INFO", path_info);
        if let Some(root) = mount.docroot()
            && !path_info.is_empty()
        {
            let root = root.as_os_str().as_bytes();
            self.bytes.extend_from_slice(b"PATH_TRANSLATED");
            self.end(|bytes| {
                bytes.extend_from_slice(root.strip_suffix(b"/").unwrap_or(root));
                bytes.extend_from_slice(path_info);
            });
        }
    }

    fn push_server_name(&mut self, head: &RequestHead, mount: &Mount) {
        match host(head.authority().unwrap_or_default()) {
            b"" => match mount.address() {
                IpAddr::V4(address) => self.push_text("SERVER_NAME", format_args!("{address}")),
                IpAddr::V6(address) => self.push_text("SERVER_NAME", format_args!("[{address}]")),
            },
            host => self.push("SERVER_NAME", host),
        }
    }

    /// Adds the variables of the request's fields (RFC 3875 section 4.1.18, and sections 4.1.2 and
    /// 4.1.3 for those of the body).
    fn push_fields(&mut self, head: &RequestHead, mount: &Mount) {
        let first = self.ends.len();
        let target_host = head.target.authority();
        if let Some(authority) = target_host {
            self.push("HTTP_HOST", authority);
        }
        for (name, value) in head.fields.iter() {
            match Passing::of(name.as_bytes()) {
                Passing::Never => {}
                Passing::Host if target_host.is_some() => {}
                Passing::Authorization if !mount.passes_authorization() => {}
                Passing::Plain(variable) => self.set(variable, value),
                _ => self.push_field(name.as_bytes(), value, first),
            }
        }
    }

    /// Adds a field, or appends its value to that of an earlier field of the same name.
    fn push_field(&mut self, name: &[u8], value: &[u8], first: usize) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(b"HTTP_");
        let mapped = name.iter().map(|byte| match byte {
            b'-' => b'_',
            letter => letter.to_ascii_uppercase(),
        });
        self.bytes.extend(mapped);
        let Some(at) = self.position(&self.bytes[start..], first) else {
            return self.end(|bytes| bytes.extend_from_slice(value));
        };
        self.bytes.truncate(start);
        // RFC 6265 section 5.4 defines the separator of cookies, RFC 9110 section 5.3 that of all
        // other lists.
        let separator: &[u8] = if name.eq_ignore_ascii_case(b"cookie") {
            b"; "
        } else {
            b", "
        };
        let (name, end) = self.ends[at];
        self.replace(at, end - name, &[separator, value].concat());
    }
}

/// How a field is passed on.
enum Passing {
    /// Not at all: it belongs to the connection and not to the request, or it would mislead the
    /// program.
    Never,
    Host,
    Authorization,
    /// As this variable, without `HTTP_`.
    Plain(&'static str),
    /// As `HTTP_` with its name.
    Field,
}

impl Passing {
    fn of(name: &[u8]) -> Self {
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        // `X_A` would become the same variable as `X-A`, which a proxy before us may have set or
        // removed. No other characters than these are useful, and some shells fail on them.
        if !name.iter().all(|&b| b == b'-' || b.is_ascii_alphanumeric()) {
            return Self::Never;
        }
        // The length rules out most names, which are not special.
        match name.len() {
            4 if is("host") => Self::Host,
            12 if is("content-type") => Self::Plain("CONTENT_TYPE"),
            13 if is("authorization") => Self::Authorization,
            14 if is("content-length") => Self::Plain("CONTENT_LENGTH"),
            // `Proxy` would become HTTP_PROXY, from which many programs take their proxy.
            2 | 5 | 7 | 10 | 16 | 17 | 19 if NEVER.iter().any(|never| is(never)) => Self::Never,
            _ => Self::Field,
        }
    }
}

/// Fields of the connection (RFC 9110 section 7.6.1), which ends at the server, and `Proxy`, which
/// is not a standard field (httpoxy).
const NEVER: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The variables of the fields that are not shown.
const SECRETS: [&str; 3] = [
    "HTTP_AUTHORIZATION",
    "HTTP_PROXY_AUTHORIZATION",
    "HTTP_COOKIE",
];

/// The host of `host:port`; an IPv6 address keeps its brackets.
fn host(authority: &[u8]) -> &[u8] {
    let is_digits = |port: &[u8]| port.iter().all(u8::is_ascii_digit);
    match authority.iter().rposition(|&b| b == b':') {
        Some(colon) if is_digits(&authority[colon + 1..]) => &authority[..colon],
        _ => authority,
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |(name, value)| {
            let value = if SECRETS.contains(&name) {
                REDACTED.into()
            } else {
                String::from_utf8_lossy(value)
            };
            (name, value)
        };
        f.debug_map().entries(self.iter().map(shown)).finish()
    }
}

#[cfg(test)]
mod tests;
