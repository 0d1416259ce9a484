//! The check of origins: pages of other sites cannot send requests that change something (CSRF).

use http::Method;
use kamea_components::http::RequestHead;

/// Which origins may send unsafe requests: the server's own, and those named here.
///
/// Browsers tell where a request comes from: `Sec-Fetch-Site` (Fetch Metadata), and before that
/// `Origin` (RFC 6454). A request that has neither is not from a page; no browser has added its
/// cookies without the user's will.
///
/// # Examples
///
/// ```
/// use kamea_components::http::{Event, Fields, Limits, RequestDecoder};
/// use kamea_session::Origins;
///
/// # let head = |text: &str| {
/// #     let mut decoder = RequestDecoder::new(Limits::default());
/// #     decoder.feed(text.to_owned().into());
/// #     let Ok(Some(Event::Head(head, _))) = decoder.next() else { panic!() };
/// #     head
/// # };
/// let origins = Origins::default().trust("https://shop.example.org");
/// let post = "POST / HTTP/1.1\r\nHost: a.org";
/// let from = |origin| head(&format!("{post}\r\nOrigin: {origin}\r\n\r\n"));
/// assert!(origins.check(&from("https://a.org")).is_ok());
/// assert!(origins.check(&from("https://shop.example.org")).is_ok());
/// assert!(origins.check(&from("https://evil.example")).is_err());
/// ```
#[derive(Debug, Clone, Default)]
pub struct Origins {
    trusted: Vec<String>,
    is_off: bool,
}

/// A page of another site has sent an unsafe request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a page of another site has sent this request")]
pub struct ForeignOrigin;

impl Origins {
    /// Also allows pages of this origin: scheme, host, and the port if it is not the usual one.
    #[must_use]
    pub fn trust(mut self, origin: &str) -> Self {
        self.trusted.push(origin.trim_end_matches('/').to_owned());
        self
    }

    /// Makes no check: for a service that checks tokens itself.
    #[must_use]
    pub fn unchecked() -> Self {
        Self {
            trusted: Vec::new(),
            is_off: true,
        }
    }

    /// Checks a request.
    ///
    /// # Errors
    ///
    /// [`ForeignOrigin`], if its method is unsafe and it is from a page of another origin.
    pub fn check(&self, head: &RequestHead) -> Result<(), ForeignOrigin> {
        // RFC 9110 section 9.2.1.
        let is_safe = head.method.is_safe() && head.method != Method::TRACE;
        if self.is_off || is_safe || self.is_allowed(head) {
            return Ok(());
        }
        Err(ForeignOrigin)
    }

    fn is_allowed(&self, head: &RequestHead) -> bool {
        let origin = head.fields.get("origin").map(<[u8]>::trim_ascii);
        let is_trusted = origin.is_some_and(|origin| {
            let mut trusted = self.trusted.iter();
            trusted.any(|trusted| trusted.as_bytes().eq_ignore_ascii_case(origin))
        });
        if is_trusted {
            return true;
        }
        match (
            head.fields.get("sec-fetch-site").map(<[u8]>::trim_ascii),
            origin,
        ) {
            // `none`: the user has caused it, by a bookmark for example.
            (Some(b"same-origin" | b"none"), _) => true,
            (Some(_), _) => false,
            (None, None) => true,
            (None, Some(origin)) => head.is_own_origin(origin),
        }
    }
}

#[cfg(test)]
mod tests {
    use kamea_components::http::{Event, Limits, RequestDecoder};

    use super::*;

    fn is_allowed(request: &str) -> bool {
        let mut decoder = RequestDecoder::new(Limits::default());
        let request = request.replace('|', "\r\n");
        decoder.feed(format!("{request}\r\nContent-Length: 0\r\n\r\n").into());
        let Ok(Some(Event::Head(head, _))) = decoder.next() else {
            panic!("{request}");
        };
        Origins::default()
            .trust("https://pay.org")
            .check(&head)
            .is_ok()
    }

    #[test]
    fn pages_of_other_origins_send_no_unsafe_requests() {
        for (fields, expected) in [
            ("Host: a.org", true),
            ("Host: a.org|Origin: http://a.org", true),
            ("Host: a.org|Origin: https://a.org", true),
            ("Host: A.org|Origin: https://a.ORG", true),
            ("Host: a.org:443|Origin: https://a.org", true),
            ("Host: a.org|Origin: http://a.org:80", true),
            ("Host: a.org:8080|Origin: http://a.org:8080", true),
            ("Host: [::1]:80|Origin: http://[::1]:80", true),
            ("Host: a.org|Origin: https://pay.org", true),
            (
                "Host: a.org|Origin: https://pay.org|Sec-Fetch-Site: cross-site",
                true,
            ),
            ("Host: a.org|Sec-Fetch-Site: same-origin", true),
            ("Host: a.org|Sec-Fetch-Site: none", true),
            ("Host: a.org|Sec-Fetch-Site: same-site", false),
            ("Host: a.org|Sec-Fetch-Site: cross-site", false),
            ("Host: a.org|Sec-Fetch-Site: something new", false),
            (
                "Host: a.org|Origin: http://a.org|Sec-Fetch-Site: cross-site",
                false,
            ),
            ("Host: a.org|Origin: null", false),
            ("Host: a.org|Origin:", false),
            ("Host: a.org|Origin: https://", false),
            ("Host: a.org|Origin: http://a.org:8080", false),
            ("Host: a.org:8080|Origin: http://a.org", false),
            ("Host: a.org|Origin: https://a.org:80", false),
            ("Host: a.org|Origin: https://a.org.evil", false),
            ("Host: a.org|Origin: https://evil-a.org", false),
            ("Host: a.org|Origin: https://sub.a.org", false),
            ("Host: a.org|Origin: http://pay.org", false),
            ("Host: a.org|Origin: file://a.org", false),
            ("Host: a.org|Origin: http://a.org, http://b.org", false),
        ] {
            let request = |method| format!("{method} / HTTP/1.1|{fields}");
            for method in ["POST", "PUT", "DELETE", "PATCH", "TRACE", "BREW"] {
                let allowed = is_allowed(&request(method));
                assert_eq!(allowed, expected, "{method} {fields}");
            }
            // RFC 9110, 9.2.1: "the GET, HEAD, OPTIONS, and TRACE methods are defined to be safe";
            // TRACE would show the cookies.
            for method in ["GET", "HEAD", "OPTIONS"] {
                assert!(is_allowed(&request(method)), "{method} {fields}");
            }
        }
    }
}
