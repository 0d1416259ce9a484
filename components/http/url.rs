//! The URL of a request: an `http` or `https` URL as a person writes it (RFC 9110 section 4.2, RFC
//! 3986).

use std::str::FromStr;

use http::{Method, Version};
use thiserror::Error;

use crate::http::grammar::is_host;
use crate::http::{Fields, RequestHead, Target};

/// The default port of `http`.
const HTTP: u16 = 80;

/// The default port of `https`.
const HTTPS: u16 = 443;

/// An `http` or `https` URL. The scheme `http` and the path are optional: `localhost`,
/// `localhost:9234/`, `https://[::1]/path?query`.
///
/// A fragment is dropped: it is not sent.
///
/// # Examples
/// ```
/// use kamea_components::http::{UrlError, Url};
///
/// let url: Url = "example.org:8080?q".parse()?;
/// assert_eq!((url.host(), url.port(), url.target()), ("example.org", 8080, "/?q"));
/// assert_eq!(url.authority(), "example.org:8080");
/// let url: Url = "https://example.org".parse()?;
/// assert_eq!((url.is_https(), url.server()), (true, "example.org:443".to_owned()));
/// assert_eq!("ftp://example.org/".parse::<Url>(), Err(UrlError::Scheme));
/// # Ok::<(), UrlError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    is_https: bool,
    /// As it is written: an IPv6 address is in brackets.
    host: String,
    port: u16,
    target: Target,
}

/// What is wrong with a URL.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UrlError {
    /// A scheme other than `http` and `https`.
    #[error("a URL begins with http://, with https://, or with its host")]
    Scheme,
    /// A scheme other than `ws` and `wss`, where the URL of a WebSocket is wanted.
    #[error("the URL of a WebSocket begins with ws:// or with wss://")]
    WebSocket,
    /// A user name, or a user name and a password: a request cannot carry them (RFC 9110 section
    /// 4.2.4).
    #[error("a URL has no user name in it")]
    User,
    /// The host is missing or invalid.
    #[error(
        "the host is missing, or is neither a name nor an address (IPv6 in brackets, as in [::1])"
    )]
    Host,
    /// Not a number, or not a valid port number.
    #[error("the port is not a number from 1 to 65535")]
    Port,
    /// Another character that is not allowed there.
    #[error(
        "the path or the query has a character that must be percent-encoded, as in %20 for a space"
    )]
    Target,
}

impl Url {
    /// Parses the URL of a WebSocket (RFC 6455 section 3). Returns the URL that its handshake
    /// requests: that of the scheme `http` for `ws`, of `https` for `wss`.
    ///
    /// # Errors
    ///
    /// [`UrlError::WebSocket`] for another scheme or none, or what else is wrong with it.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_components::http::{Url, UrlError};
    ///
    /// let url = Url::websocket("wss://example.org/chat")?;
    /// assert_eq!((url.is_https(), url.server()), (true, "example.org:443".to_owned()));
    /// assert_eq!(Url::websocket("example.org/chat"), Err(UrlError::WebSocket));
    /// # Ok::<(), UrlError>(())
    /// ```
    pub fn websocket(text: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::WebSocket)?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "ws" => "http",
            "wss" => "https",
            _ => return Err(UrlError::WebSocket),
        };
        format!("{scheme}://{rest}").parse()
    }

    /// Whether its scheme is `https`.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.is_https
    }

    /// Returns the host: a name, or an address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.host.trim_matches(['[', ']'])
    }

    /// Returns the port; if the URL has none, that of its scheme: 80 or 443.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the path, at least `/`, and the query.
    #[must_use]
    pub fn target(&self) -> &str {
        // A target is ASCII.
        str::from_utf8(self.target.as_bytes()).unwrap_or("/")
    }

    /// Returns the host, and its port if that is not the default, as in `Host`.
    #[must_use]
    pub fn authority(&self) -> String {
        match self.port == default_port(self.is_https) {
            true => self.host.clone(),
            false => self.server(),
        }
    }

    /// Returns the host and its port in any case: the address to connect to.
    #[must_use]
    pub fn server(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Returns the head of a request for it, with any method except `CONNECT`. The URL sets `Host`,
    /// unless the fields contain it.
    #[must_use]
    pub fn request(&self, method: Method, version: Version, fields: Fields) -> RequestHead {
        let fields = match fields.contains("host") {
            true => fields,
            false => fields.with("Host", self.authority()),
        };
        RequestHead {
            method,
            target: self.target.clone(),
            version,
            fields,
        }
    }
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = match text.split_once("://") {
            // After the start of the path or the query, `://` is part of it.
            Some((scheme, rest)) if !scheme.contains(['/', '?', '#']) => (scheme, rest),
            _ => ("http", text),
        };
        let is_https = scheme.eq_ignore_ascii_case("https");
        if !is_https && !scheme.eq_ignore_ascii_case("http") {
            return Err(UrlError::Scheme);
        }
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(UrlError::User);
        }
        let end = authority.rfind(']').map_or(0, |bracket| bracket + 1);
        let (host, port) = match authority[end..].find(':') {
            Some(colon) => authority.split_at(end + colon),
            None => (authority, ""),
        };
        if host.is_empty() || !is_host(host.as_bytes()) {
            return Err(UrlError::Host);
        }
        let port = match port {
            "" | ":" => default_port(is_https),
            port => parse_port(&port[1..]).ok_or(UrlError::Port)?,
        };
        let slash = if target.starts_with('/') { "" } else { "/" };
        let target = format!("{slash}{target}");
        let target = Target::parse(&Method::GET, target.into());
        Ok(Self {
            is_https,
            host: host.to_owned(),
            port,
            target: target.map_err(|_| UrlError::Target)?,
        })
    }
}

fn default_port(is_https: bool) -> u16 {
    match is_https {
        true => HTTPS,
        false => HTTP,
    }
}

fn parse_port(digits: &str) -> Option<u16> {
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    let port = digits.parse().ok().filter(|_| is_number);
    port.filter(|port| *port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        // The text, and then host, port, target and the value of `Host`.
        let rows = [
            ("http://example.com", "example.com", 80, "/", "example.com"),
            ("example.com", "example.com", 80, "/", "example.com"),
            ("example.com/", "example.com", 80, "/", "example.com"),
            (
                "example.com:8080/",
                "example.com",
                8080,
                "/",
                "example.com:8080",
            ),
            (
                "example.com:8080/a/b.html",
                "example.com",
                8080,
                "/a/b.html",
                "example.com:8080",
            ),
            // RFC 9110, 4.2.1: "the http URI scheme [...] a port subcomponent [that] is empty or
            // not given" is port 80; RFC 3986, 6.2.3: a normalised URI has not the default port.
            (
                "HTTP://example.com:80/",
                "example.com",
                80,
                "/",
                "example.com",
            ),
            (
                "http://example.com:/",
                "example.com",
                80,
                "/",
                "example.com",
            ),
            ("localhost:9234", "localhost", 9234, "/", "localhost:9234"),
            ("[::1]:9234/x?y", "::1", 9234, "/x?y", "[::1]:9234"),
            (
                "http://[2001:db8::7]/",
                "2001:db8::7",
                80,
                "/",
                "[2001:db8::7]",
            ),
            (
                "127.0.0.1?a=b&c=%20",
                "127.0.0.1",
                80,
                "/?a=b&c=%20",
                "127.0.0.1",
            ),
            ("a/?to=https://b/c", "a", 80, "/?to=https://b/c", "a"),
            ("a?to=http://b@c:1/d", "a", 80, "/?to=http://b@c:1/d", "a"),
            ("a/b:c@d", "a", 80, "/b:c@d", "a"),
            ("http://a//b", "a", 80, "//b", "a"),
            // RFC 9110, 7.1: the target "excludes [...] the fragment component".
            ("a/b?c#d?e", "a", 80, "/b?c", "a"),
            ("a#d", "a", 80, "/", "a"),
        ];
        for (text, host, port, target, authority) in rows {
            let url: Url = text
                .parse()
                .unwrap_or_else(|error| panic!("{text}: {error}"));
            let found = (url.host(), url.port(), url.target(), &*url.authority());
            assert_eq!(found, (host, port, target, authority), "{text}");
        }
        let url: Url = "[::1]".parse().unwrap();
        assert_eq!((url.is_https(), &*url.server()), (false, "[::1]:80"));
    }

    #[test]
    fn https_has_a_port_of_its_own() {
        for (text, port, authority) in [
            ("https://a/", 443, "a"),
            ("HTTPS://a:443", 443, "a"),
            ("https://a:", 443, "a"),
            ("https://a:80/", 80, "a:80"),
            ("https://[::1]:8443?x", 8443, "[::1]:8443"),
        ] {
            let url: Url = text.parse().unwrap();
            let found = (url.is_https(), url.port(), &*url.authority());
            assert_eq!(found, (true, port, authority), "{text}");
        }
        let url: Url = "http://a:443".parse().unwrap();
        assert_eq!((url.is_https(), &*url.authority()), (false, "a:443"));
    }

    #[test]
    fn urls_of_websockets() {
        for (text, is_https, server, target) in [
            ("ws://a", false, "a:80", "/"),
            ("WS://a:81/b?c#d", false, "a:81", "/b?c"),
            ("wss://a/b", true, "a:443", "/b"),
            ("Wss://[::1]:444", true, "[::1]:444", "/"),
        ] {
            let url = Url::websocket(text).unwrap();
            let found = (url.is_https(), &*url.server(), url.target());
            assert_eq!(found, (is_https, server, target), "{text}");
        }
        for (text, expected) in [
            ("http://a/", UrlError::WebSocket),
            ("https://a/", UrlError::WebSocket),
            ("a/", UrlError::WebSocket),
            ("a/?to=ws://b", UrlError::WebSocket),
            ("wsss://a", UrlError::WebSocket),
            ("ws://", UrlError::Host),
            ("wss://user@a/", UrlError::User),
            ("ws://a:0/", UrlError::Port),
            ("ws://a/ b", UrlError::Target),
        ] {
            assert_eq!(Url::websocket(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_http_url() {
        use UrlError::{Host, Port, Scheme, Target, User};
        let rows = [
            ("wss://example.com/", Scheme),
            ("httpss://example.com/", Scheme),
            ("ftp://example.com/", Scheme),
            ("://example.com/", Scheme),
            ("http://user@example.com/", User),
            ("user:secret@example.com", User),
            ("", Host),
            ("http://", Host),
            ("http:///path", Host),
            ("/path", Host),
            (":80/", Host),
            ("::1", Host),
            ("[::1", Host),
            ("[::1]x", Host),
            ("[zz]/", Host),
            ("exa mple.com", Host),
            ("b\u{fc}cher.example", Host),
            ("a:0", Port),
            ("a:65536", Port),
            ("a:+80", Port),
            ("a:x", Port),
            ("a:80:80", Port),
            ("a:80:", Port),
            ("a::80", Port),
            ("a/b c", Target),
            ("a/\u{e9}", Target),
            ("a/\r\nX: y", Target),
        ];
        for (text, expected) in rows {
            assert_eq!(text.parse::<Url>(), Err(expected), "{text:?}");
        }
    }

    #[test]
    fn requests() {
        let url: Url = "a:1/b".parse().unwrap();
        let head = url.request(Method::GET, Version::HTTP_10, Fields::new());
        assert_eq!(head.fields.get("host"), Some(&b"a:1"[..]));
        let own = Fields::new().with("Host", "c");
        let head = url.request(Method::GET, Version::HTTP_10, own);
        assert_eq!(head.fields.get_all("host").collect::<Vec<_>>(), [b"c"]);
    }
}
