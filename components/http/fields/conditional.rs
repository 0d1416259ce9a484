//! Conditional requests (RFC 9110 section 13). `If-Range` is with the
//! [ranges](crate::http::evaluate_range).

use std::time::{SystemTime, UNIX_EPOCH};

use http::Method;

use super::Names;
use crate::http::Fields;

/// The result of the preconditions of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Precondition {
    /// Perform the method.
    Proceed,
    /// Answer 304: the client has the current representation.
    NotModified,
    /// Answer 412: the method must not be performed.
    Failed,
}

const CONDITIONS: Names = Names::of(&[
    b"if-match",
    b"if-none-match",
    b"if-modified-since",
    b"if-unmodified-since",
]);

/// Evaluates the preconditions of a request, in the order of RFC 9110 section 13.2.2.
///
/// `etag` is the current entity tag as it is sent, with quotes and `W/`; `last_modified` counts in
/// whole seconds, like the field. Pass `None` for a validator that the resource does not have; a
/// resource without a representation has neither.
///
/// # Examples
/// ```
/// use http::Method;
/// use kamea_components::http::{Fields, Precondition, evaluate_preconditions};
///
/// let fields = Fields::new().with("If-None-Match", "\"a\", W/\"b\"");
/// let verdict = evaluate_preconditions(&Method::GET, &fields, Some(b"\"b\""), None);
/// assert_eq!(verdict, Precondition::NotModified);
/// ```
#[must_use]
#[inline]
pub fn evaluate_preconditions(
    method: &Method,
    fields: &Fields,
    etag: Option<&[u8]>,
    last_modified: Option<SystemTime>,
) -> Precondition {
    if !fields.may_contain_any(CONDITIONS) {
        return Precondition::Proceed;
    }
    let is_safe = matches!(*method, Method::GET | Method::HEAD);
    let exists = etag.is_some() || last_modified.is_some();
    if fields.contains("if-match") {
        if !any_match(fields, etag, exists) {
            return Precondition::Failed;
        }
    } else if let (Some(since), Some(modified)) = (fields.get("if-unmodified-since"), last_modified)
        && is_modified_since(since, modified) == Some(true)
    {
        return Precondition::Failed;
    }
    if fields.contains("if-none-match") {
        return match none_match(fields, etag, exists) {
            true => Precondition::Proceed,
            false if is_safe => Precondition::NotModified,
            false => Precondition::Failed,
        };
    }
    match (fields.get("if-modified-since"), last_modified) {
        (Some(since), Some(modified))
            if is_safe && is_modified_since(since, modified) == Some(false) =>
        {
            Precondition::NotModified
        }
        _ => Precondition::Proceed,
    }
}

/// Whether `If-Match` is true (section 13.1.1): a listed tag matches, by strong comparison.
fn any_match(fields: &Fields, etag: Option<&[u8]>, exists: bool) -> bool {
    // If our tag is weak, it matches nothing; a weak tag of the client is skipped.
    let etag = etag.filter(|tag| !tag.starts_with(b"W/"));
    fields.get_all("if-match").any(|value| match etag {
        _ if value == b"*" => exists,
        Some(etag) => entity_tags(value).any(|(tag, is_weak)| tag == etag && !is_weak),
        None => false,
    })
}

/// Whether `If-None-Match` is true (section 13.1.2): no listed tag matches, by weak comparison.
fn none_match(fields: &Fields, etag: Option<&[u8]>, exists: bool) -> bool {
    !fields.get_all("if-none-match").any(|value| match etag {
        _ if value == b"*" => exists,
        Some(etag) => entity_tags(value).any(|(tag, _)| tag == opaque(etag)),
        None => false,
    })
}

/// Whether the resource was modified after a date of `If-Modified-Since` (section 13.1.3) or
/// `If-Unmodified-Since` (section 13.1.4); `None` if the value is not a date: such a field is
/// ignored.
fn is_modified_since(since: &[u8], modified: SystemTime) -> Option<bool> {
    let since = str::from_utf8(since).ok()?;
    let since = httpdate::parse_http_date(since).ok()?;
    let seconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    Some(seconds(modified) > seconds(since))
}

/// Returns the opaque tags of a list of entity tags (section 8.8.3), with their quotes, and whether
/// each is weak. It stops at the first malformed tag.
fn entity_tags(mut list: &[u8]) -> impl Iterator<Item = (&[u8], bool)> {
    std::iter::from_fn(move || {
        while let [b' ' | b'\t' | b',', rest @ ..] = list {
            list = rest;
        }
        let tag = opaque(list);
        let is_weak = tag.len() < list.len();
        let length = tag.strip_prefix(b"\"")?.iter().position(|&b| b == b'"')? + 2;
        list = &tag[length..];
        Some((&tag[..length], is_weak))
    })
}

/// Returns an entity tag without its weakness mark, which a weak comparison ignores (section
/// 8.8.3.2).
fn opaque(tag: &[u8]) -> &[u8] {
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const MODIFIED: u64 = 784_111_777;

    fn evaluate(method: Method, fields: &Fields) -> Precondition {
        // Half a second: the field cannot express it, so it must not count.
        let modified = UNIX_EPOCH + Duration::from_millis(MODIFIED * 1000 + 500);
        evaluate_preconditions(&method, fields, Some(b"\"a,b\""), Some(modified))
    }

    #[test]
    fn if_none_match() {
        // RFC 9110, 13.1.2: "A recipient MUST use the weak comparison function when comparing
        // entity tags for If-None-Match".
        let rows = [
            ("*", true),
            ("\"a,b\"", true),
            ("W/\"a,b\"", true),
            ("\"x\", W/\"y\" ,\t\"a,b\"", true),
            (",, \"a,b\"", true),
            ("\"x\"\"a,b\"", true),
            ("\"a\"", false),
            ("a,b", false),
            ("w/\"a,b\"", false),
            ("\"A,B\"", false),
            ("\"a,b", false),
            ("", false),
            ("\"*\"", false),
        ];
        for (value, matches) in rows {
            let fields = Fields::new().with("If-None-Match", value);
            let (get, put) = if matches {
                (Precondition::NotModified, Precondition::Failed)
            } else {
                (Precondition::Proceed, Precondition::Proceed)
            };
            assert_eq!(evaluate(Method::GET, &fields), get, "{value}");
            assert_eq!(evaluate(Method::HEAD, &fields), get, "{value}");
            assert_eq!(evaluate(Method::PUT, &fields), put, "{value}");
        }
    }

    #[test]
    fn tags_on_several_lines_are_one_list() {
        let fields = Fields::new().with("If-None-Match", "\"x\"");
        let fields = fields.with("If-None-Match", "\"a,b\"");
        assert_eq!(evaluate(Method::GET, &fields), Precondition::NotModified);
    }

    #[test]
    fn a_star_matches_only_what_exists() {
        // RFC 9110, 13.1.2: "If the field value is "*", the condition is false if the origin server
        // has a current representation for the target resource."
        let fields = Fields::new().with("If-None-Match", "*");
        let verdict = evaluate_preconditions(&Method::PUT, &fields, None, None);
        assert_eq!(verdict, Precondition::Proceed);
    }

    #[test]
    fn if_modified_since() {
        let rows = [
            ("Sun, 06 Nov 1994 08:49:36 GMT", Precondition::Proceed),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Precondition::NotModified),
            ("Sun, 06 Nov 1994 08:49:38 GMT", Precondition::NotModified),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Precondition::NotModified),
            ("Sun Nov  6 08:49:37 1994", Precondition::NotModified),
            ("yesterday", Precondition::Proceed),
            ("", Precondition::Proceed),
        ];
        for (value, expected) in rows {
            let fields = Fields::new().with("If-Modified-Since", value);
            assert_eq!(evaluate(Method::GET, &fields), expected, "{value}");
            // "A recipient MUST ignore the If-Modified-Since header field if [...] the request
            // method is neither GET nor HEAD." (RFC 9110, 13.1.3)
            assert_eq!(evaluate(Method::POST, &fields), Precondition::Proceed);
        }
    }

    #[test]
    fn if_none_match_takes_precedence() {
        // RFC 9110, 13.1.3: "A recipient MUST ignore If-Modified-Since if the request contains an
        // If-None-Match header field".
        let fields = Fields::new()
            .with("If-None-Match", "\"x\"")
            .with("If-Modified-Since", "Sun, 06 Nov 1994 08:49:38 GMT");
        assert_eq!(evaluate(Method::GET, &fields), Precondition::Proceed);
    }

    #[test]
    fn if_match() {
        // RFC 9110, 13.1.1: "An origin server MUST use the strong comparison function when
        // comparing entity tags for If-Match".
        let rows = [
            ("*", true),
            ("\"a,b\"", true),
            ("\"x\", \"a,b\"", true),
            ("W/\"a,b\"", false),
            ("W/\"a,b\", \"a,b\"", true),
            ("\"x\"", false),
            ("a,b", false),
            ("", false),
        ];
        for (value, matches) in rows {
            let fields = Fields::new().with("If-Match", value);
            let expected = if matches {
                Precondition::Proceed
            } else {
                Precondition::Failed
            };
            for method in [Method::GET, Method::HEAD, Method::PUT] {
                assert_eq!(evaluate(method, &fields), expected, "{value}");
            }
        }
        let fields = Fields::new().with("If-Match", "*");
        let absent = evaluate_preconditions(&Method::PUT, &fields, None, None);
        assert_eq!(absent, Precondition::Failed, "there is nothing to match");
    }

    #[test]
    fn if_unmodified_since() {
        let rows = [
            ("Sun, 06 Nov 1994 08:49:36 GMT", Precondition::Failed),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Precondition::Proceed),
            ("Sun, 06 Nov 1994 08:49:38 GMT", Precondition::Proceed),
            // RFC 9110, 13.1.4: "A recipient MUST ignore the If-Unmodified-Since header field if
            // the received field value is not a valid HTTP-date".
            ("yesterday", Precondition::Proceed),
        ];
        for (value, expected) in rows {
            let fields = Fields::new().with("If-Unmodified-Since", value);
            assert_eq!(evaluate(Method::GET, &fields), expected, "{value}");
            assert_eq!(evaluate(Method::PUT, &fields), expected, "{value}");
            // "A recipient MUST ignore If-Unmodified-Since if the request contains an If-Match
            // header field".
            let fields = fields.with("If-Match", "\"a,b\"");
            assert_eq!(evaluate(Method::PUT, &fields), Precondition::Proceed);
        }
    }

    #[test]
    fn the_order_is_that_of_section_13_2_2() {
        let fields = Fields::new()
            .with("If-Match", "\"x\"")
            .with("If-None-Match", "\"a,b\"");
        assert_eq!(evaluate(Method::GET, &fields), Precondition::Failed);
        let fields = Fields::new()
            .with("If-Match", "\"a,b\"")
            .with("If-None-Match", "\"a,b\"");
        assert_eq!(evaluate(Method::GET, &fields), Precondition::NotModified);
    }
}
