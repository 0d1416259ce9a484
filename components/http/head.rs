//! The heads of messages: everything before the body.

use http::{Method, StatusCode, Version};

use super::{Fields, Target};

/// The head of a request (RFC 9112 section 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHead {
    /// The method; the decoder accepts any token.
    pub method: Method,
    /// The resource that the method applies to.
    pub target: Target,
    /// HTTP/1.0 or HTTP/1.1.
    pub version: Version,
    /// The field lines.
    pub fields: Fields,
}

impl RequestHead {
    /// Whether the client wants the connection kept open for another request (RFC 9112 section
    /// 9.3).
    ///
    /// # Examples
    /// ```
    /// use kamea_components::http::{Event, Limits, RequestDecoder};
    ///
    /// let mut decoder = RequestDecoder::new(Limits::default());
    /// decoder.feed("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n".into());
    /// let Some(Event::Head(head, _)) = decoder.next()? else { unreachable!() };
    /// assert!(head.is_persistent());
    /// # Ok::<(), kamea_components::http::Malformed>(())
    /// ```
    #[must_use]
    pub fn is_persistent(&self) -> bool {
        is_persistent(self.version, &self.fields)
    }

    /// Whether the client sends the body only after `100 Continue` (RFC 9110 section 10.1.1).
    ///
    /// Always false in HTTP/1.0, where the expectation is ignored.
    #[must_use]
    pub fn expects_continue(&self) -> bool {
        self.version != Version::HTTP_10 && self.fields.list_contains("expect", "100-continue")
    }

    /// Whether the client asks to continue with another protocol (RFC 9110 section 7.8). HTTP/1.0
    /// cannot.
    #[must_use]
    pub fn asks_to_upgrade(&self) -> bool {
        self.version != Version::HTTP_10
            && self.fields.contains("upgrade")
            && self.fields.list_contains("connection", "upgrade")
    }

    /// Returns the host and port of the request: those of the target or else those of `Host`.
    ///
    /// RFC 9112 section 3.2.2: an absolute-form target overrides `Host`.
    #[must_use]
    pub fn authority(&self) -> Option<&[u8]> {
        self.target.authority().or_else(|| self.fields.get("host"))
    }

    /// Whether an origin (RFC 6454), as in the field `Origin`, is that of the host of this request.
    /// The scheme does not count: behind a proxy, the server does not know it.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_components::http::{Event, Limits, RequestDecoder};
    ///
    /// let mut decoder = RequestDecoder::new(Limits::default());
    /// decoder.feed("POST / HTTP/1.1\r\nHost: a.org:443\r\n\r\n".into());
    /// let Some(Event::Head(head, _)) = decoder.next()? else { unreachable!() };
    /// assert!(head.is_own_origin(b"https://A.org"));
    /// for other in ["http://a.org", "https://b.org", "https://a.org:444", "a.org", "https://", "null", ""] {
    ///     assert!(!head.is_own_origin(other.as_bytes()), "{other}");
    /// }
    /// # Ok::<(), kamea_components::http::Malformed>(())
    /// ```
    #[must_use]
    pub fn is_own_origin(&self, origin: &[u8]) -> bool {
        let schemes = [(&b"http://"[..], &b":80"[..]), (b"https://", b":443")];
        let mut found = schemes.into_iter();
        let found = found.find_map(|(scheme, port)| Some((origin.strip_prefix(scheme)?, port)));
        // Also "null", the origin of a page in a sandbox.
        let Some((origin, port)) = found else {
            return false;
        };
        let without_port = |authority| <[u8]>::strip_suffix(authority, port).unwrap_or(authority);
        let own = self.authority().unwrap_or_default();
        !origin.is_empty() && without_port(origin).eq_ignore_ascii_case(without_port(own))
    }

    /// Returns the host of the request in lower case, without its port; empty if there is none (RFC
    /// 9110 section 7.2).
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_components::http::{Event, Limits, RequestDecoder};
    ///
    /// for (host, expected) in [("WWW.example:80", "www.example"), ("[::1]:80", "[::1]"), ("[::1]", "[::1]")] {
    ///     let mut decoder = RequestDecoder::new(Limits::default());
    ///     decoder.feed(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").into());
    ///     let Some(Event::Head(head, _)) = decoder.next()? else { unreachable!() };
    ///     assert_eq!(head.host(), expected);
    /// }
    /// # Ok::<(), kamea_components::http::Malformed>(())
    /// ```
    #[must_use]
    pub fn host(&self) -> String {
        let authority = String::from_utf8_lossy(self.authority().unwrap_or_default());
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => &authority,
        };
        host.to_ascii_lowercase()
    }
}

/// The head of a response (RFC 9112 section 4), without the fields that the encoder adds: framing,
/// `Connection`, `Date`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseHead {
    /// The status code.
    pub status: StatusCode,
    /// The field lines.
    pub fields: Fields,
    /// Whether another server has made it: a proxy passes it on, and adds as little as it can.
    pub is_forwarded: bool,
}

impl ResponseHead {
    /// Creates a head without fields.
    #[must_use]
    pub const fn new(status: StatusCode) -> Self {
        Self {
            status,
            fields: Fields::new(),
            is_forwarded: false,
        }
    }

    /// Adds fields that were set before this head was created, by a program that redirected its
    /// request within the server. They replace the head's own fields of the same name, except
    /// fields that a response may have several times, each with its own meaning.
    ///
    /// # Examples
    /// ```
    /// use http::StatusCode;
    /// use kamea_components::http::{Fields, ResponseHead};
    ///
    /// let mut head = ResponseHead::new(StatusCode::OK);
    /// head.fields = Fields::new().with("Vary", "Accept").with("Cache-Control", "max-age=60");
    /// head.carry(&Fields::new().with("Vary", "Cookie").with("Cache-Control", "no-store"));
    /// let all = |name| head.fields.get_all(name).collect::<Vec<_>>();
    /// assert_eq!(all("vary"), [&b"Accept"[..], b"Cookie"]);
    /// assert_eq!(all("cache-control"), [&b"no-store"[..]]);
    /// ```
    pub fn carry(&mut self, fields: &Fields) {
        const SEVERAL: [&str; 4] = ["link", "set-cookie", "vary", "www-authenticate"];
        for (name, _) in fields.iter() {
            if !SEVERAL
                .iter()
                .any(|several| name.eq_ignore_ascii_case(several))
            {
                self.fields.remove(name);
            }
        }
        self.fields.extend(fields);
    }
}

/// Whether the connection persists after a message of this version with these fields (RFC 9112
/// section 9.3).
pub(super) fn is_persistent(version: Version, fields: &Fields) -> bool {
    !fields.list_contains("connection", "close")
        && (version != Version::HTTP_10 || fields.list_contains("connection", "keep-alive"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(version: Version, fields: Fields) -> RequestHead {
        RequestHead {
            method: Method::GET,
            target: Target::parse(&Method::GET, "/".into()).unwrap(),
            version,
            fields,
        }
    }

    #[test]
    fn persistence() {
        // RFC 9112, 9.3: "If the close connection option is present [...] the connection will not
        // persist after the current response; else, If the received protocol is HTTP/1.1 (or
        // later), the connection will persist [...]; else, If the received protocol is HTTP/1.0,
        // the keep-alive connection option is present [...], the connection will persist".
        let cases = [
            (Version::HTTP_11, "", true),
            (Version::HTTP_11, "close", false),
            (Version::HTTP_11, "Upgrade, Close", false),
            (Version::HTTP_10, "", false),
            (Version::HTTP_10, "keep-alive", true),
            (Version::HTTP_10, "keep-alive, close", false),
        ];
        for (version, connection, expected) in cases {
            let head = request(version, Fields::new().with("Connection", connection));
            assert_eq!(head.is_persistent(), expected, "{version:?} {connection}");
        }
    }

    #[test]
    fn an_expectation_in_http_1_0_is_ignored() {
        // RFC 9110, 10.1.1: "A server that receives a 100-continue expectation in an HTTP/1.0
        // request MUST ignore that expectation."
        let fields = Fields::new().with("Expect", "100-Continue");
        assert!(request(Version::HTTP_11, fields.clone()).expects_continue());
        assert!(!request(Version::HTTP_10, fields).expects_continue());
    }

    #[test]
    fn an_absolute_target_overrides_host() {
        let mut head = request(Version::HTTP_11, Fields::new().with("Host", "a"));
        assert_eq!(head.authority(), Some(&b"a"[..]));
        head.target = Target::parse(&Method::GET, "http://b/".into()).unwrap();
        assert_eq!(head.authority(), Some(&b"b"[..]));
    }
}
