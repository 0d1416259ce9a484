//! Requests that a page of another site makes a browser send.

use crate::http::RequestHead;

/// Whether a browser sends a request for a page of another site. What changes something must refuse
/// such a request: the browser adds the credentials of its user, who may know nothing of it.
///
/// Browsers say so in `Sec-Fetch-Site` (over TLS, and to this machine), and in `Origin` (with every
/// method that changes something). Other programs send neither, and act for their own user.
pub(crate) fn is_cross_site(head: &RequestHead) -> bool {
    if let Some(site) = head.fields.get("sec-fetch-site") {
        return !matches!(site, b"same-origin" | b"none");
    }
    let Some(origin) = head.fields.get("origin") else {
        return head.fields.contains("origin");
    };
    !head.is_own_origin(origin)
}

/// Whether a page of another site sends a request that is more than a link to here. A server for
/// one user of this machine refuses it: other sites may embed nothing of it, and use none of it.
///
/// # Examples
///
/// ```
/// use kamea_components::http::{Event, Limits, RequestDecoder};
/// use kamea_components::web::is_foreign_page;
///
/// let is_foreign = |fields: &str| {
///     let mut decoder = RequestDecoder::new(Limits::default());
///     decoder.feed(format!("GET / HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n").into());
///     match decoder.next() {
///         Ok(Some(Event::Head(head, _))) => is_foreign_page(&head),
///         other => unreachable!("{other:?}"),
///     }
/// };
/// assert!(!is_foreign("Origin: http://localhost\r\n"));
/// assert!(is_foreign("Origin: https://evil.example\r\n"));
/// assert!(is_foreign("Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n"));
/// assert!(!is_foreign("Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n"));
/// ```
#[must_use]
pub fn is_foreign_page(head: &RequestHead) -> bool {
    // A form navigates too, and could change something.
    let is_link = head.method.is_safe() && head.fields.get("sec-fetch-mode") == Some(b"navigate");
    is_cross_site(head) && !is_link
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Event, Limits, RequestDecoder};

    fn is_refused(fields: &str) -> bool {
        let mut decoder = RequestDecoder::new(Limits::default());
        let text = format!("PUT /a HTTP/1.1\r\nHost: files.example:9234\r\n{fields}\r\n");
        decoder.feed(text.into());
        match decoder.next() {
            Ok(Some(Event::Head(head, _))) => is_cross_site(&head),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_own_pages_and_programs_are_not_cross_site() {
        for (fields, expected) in [
            ("", false),
            ("Sec-Fetch-Site: same-origin\r\n", false),
            ("Sec-Fetch-Site: none\r\n", false),
            ("Sec-Fetch-Site: same-site\r\n", true),
            ("Sec-Fetch-Site: cross-site\r\n", true),
            ("Sec-Fetch-Site: \r\n", true),
            ("Origin: http://files.example:9234\r\n", false),
            ("Origin: https://FILES.example:9234\r\n", false),
            ("Origin: http://files.example\r\n", true),
            ("Origin: http://files.example:9234.evil.example\r\n", true),
            ("Origin: http://evil.example\r\n", true),
            ("Origin: null\r\n", true),
            ("Origin: file://\r\n", true),
            // The browser says it of itself, and no page can change that.
            (
                "Sec-Fetch-Site: cross-site\r\nOrigin: http://files.example:9234\r\n",
                true,
            ),
        ] {
            assert_eq!(is_refused(fields), expected, "{fields:?}");
        }
    }
}
