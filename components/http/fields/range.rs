//! Range requests (RFC 9110 section 14): `Range` and `If-Range`.

use std::ops::Range;
use std::time::{SystemTime, UNIX_EPOCH};

use http::Method;

use crate::http::Fields;
use crate::http::grammar::trim;

/// The result of evaluating the `Range` of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ranges {
    /// The whole representation, with 200: there are no ranges, or they are ignored.
    Whole,
    /// These bytes, at least one range and none empty, with 206: in the order of the request.
    Parts(Vec<Range<u64>>),
    /// None of the ranges is in the representation: 416.
    Unsatisfiable,
}

/// The limit for ranges; a request for more receives the whole representation (RFC 9110 section
/// 14.2 allows it).
const MOST: usize = 64;

/// Ranges with a smaller gap than this between them are merged: the head of a part is larger (RFC
/// 9110 section 15.3.7.2).
const GAP: u64 = 80;

/// Evaluates `Range` and `If-Range` of a request for a representation of `length` bytes with these
/// validators, after the other [preconditions](crate::http::evaluate_preconditions).
///
/// `etag` is the entity tag as it is sent; `last_modified` counts in whole seconds, like the field.
/// An unknown or invalid field is ignored.
///
/// # Examples
/// ```
/// use http::Method;
/// use kamea_components::http::{Fields, Ranges, evaluate_range};
///
/// let ask = |range| evaluate_range(&Method::GET, &Fields::new().with("Range", range), 1000, None, None);
/// assert_eq!(ask("bytes=0-499"), Ranges::Parts(vec![0..500]));
/// assert_eq!(ask("bytes=-1"), Ranges::Parts(vec![999..1000]));
/// assert_eq!(ask("bytes=1000-"), Ranges::Unsatisfiable);
/// assert_eq!(ask("lines=1-2"), Ranges::Whole);
/// ```
#[must_use]
pub fn evaluate_range(
    method: &Method,
    fields: &Fields,
    length: u64,
    etag: Option<&[u8]>,
    last_modified: Option<SystemTime>,
) -> Ranges {
    // "For this specification, GET is the only method for which range handling is defined" (section
    // 14.2).
    let mut values = fields.get_all("range");
    let (Some(value), None, &Method::GET) = (values.next(), values.next(), method) else {
        return Ranges::Whole;
    };
    if !if_range(fields, etag, last_modified) {
        return Ranges::Whole;
    }
    match parse(value) {
        Some(specs) => resolve(&specs, length),
        None => Ranges::Whole,
    }
}

/// A range as the client requested it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spec {
    /// From the first to the last, or to the end.
    Positions(u64, Option<u64>),
    /// This many bytes at the end.
    Suffix(u64),
}

/// Parses `bytes=...` (section 14.1.2); `None` if it is invalid, has another unit, or exceeds the
/// limit.
fn parse(value: &[u8]) -> Option<Vec<Spec>> {
    let equals = value.iter().position(|&b| b == b'=')?;
    let (unit, set) = value.split_at(equals);
    if !trim(unit).eq_ignore_ascii_case(b"bytes") {
        return None;
    }
    let mut specs = Vec::new();
    for member in set[1..].split(|&b| b == b',').map(trim) {
        // "A recipient MUST parse and ignore a reasonable number of empty list elements" (section
        // 5.6.1.2).
        if member.is_empty() {
            continue;
        }
        if specs.len() == MOST {
            return None;
        }
        specs.push(parse_spec(member)?);
    }
    (!specs.is_empty()).then_some(specs)
}

fn parse_spec(member: &[u8]) -> Option<Spec> {
    let dash = member.iter().position(|&b| b == b'-')?;
    let (first, last) = (&member[..dash], &member[dash + 1..]);
    if first.is_empty() {
        return Some(Spec::Suffix(number(last)?));
    }
    let first = number(first)?;
    if last.is_empty() {
        return Some(Spec::Positions(first, None));
    }
    let last = number(last)?;
    // "An int-range is invalid if the last-pos value is present and its value is less than
    // first-pos" (section 14.1.1).
    (first <= last).then_some(Spec::Positions(first, Some(last)))
}

/// Parses digits only. A number that is too large for any file counts as the largest number.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0_u64, |number, digit| {
        number
            .saturating_mul(10)
            .saturating_add(u64::from(digit - b'0'))
    }))
}

fn resolve(specs: &[Spec], length: u64) -> Ranges {
    let mut parts: Vec<Range<u64>> = Vec::new();
    for spec in specs {
        let part = match *spec {
            // "If the selected representation is shorter than the specified suffix-length, the
            // entire representation is used" (section 14.1.2); of an empty one there is no part to
            // send.
            Spec::Suffix(count) if count > 0 && length == 0 => return Ranges::Whole,
            // Section 15.5.17: "many implementations will respond with the entire selected
            // representation in a 200 (OK) response". A client that asks for the first bytes of
            // whatever there is gets all of an empty representation, not an error.
            Spec::Positions(0, _) if length == 0 => return Ranges::Whole,
            Spec::Suffix(count) => length.saturating_sub(count)..length,
            Spec::Positions(first, last) => {
                first..last.map_or(length, |last| last.saturating_add(1).min(length))
            }
        };
        if part.start < part.end {
            add(&mut parts, part);
        }
    }
    if parts.is_empty() {
        Ranges::Unsatisfiable
    } else {
        Ranges::Parts(parts)
    }
}

/// Adds a range after the others, or merges it with the first one that it touches, and then with
/// all others that the result touches.
fn add(parts: &mut Vec<Range<u64>>, mut part: Range<u64>) {
    let touches = |a: &Range<u64>, b: &Range<u64>| {
        a.start <= b.end.saturating_add(GAP) && b.start <= a.end.saturating_add(GAP)
    };
    let mut place = parts.len();
    while let Some(i) = parts.iter().position(|other| touches(other, &part)) {
        let other = parts.remove(i);
        part = part.start.min(other.start)..part.end.max(other.end);
        place = place.min(i);
    }
    parts.insert(place.min(parts.len()), part);
}

/// Whether `If-Range` lets the ranges apply (section 13.1.5): it is absent, or the client's
/// validator is the current one.
fn if_range(fields: &Fields, etag: Option<&[u8]>, last_modified: Option<SystemTime>) -> bool {
    let Some(validator) = fields.get("if-range") else {
        return true;
    };
    if validator.starts_with(b"\"") || validator.starts_with(b"W/") {
        // Strong comparison: a weak tag is never the same.
        return etag == Some(validator) && !validator.starts_with(b"W/");
    }
    let seconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let given = str::from_utf8(validator).ok();
    let given = given.and_then(|text| httpdate::parse_http_date(text).ok());
    given.map(seconds) == last_modified.map(seconds) && given.is_some()
}

#[cfg(test)]
#[expect(
    clippy::single_range_in_vec_init,
    reason = "one range of bytes is meant"
)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ask(range: &str, length: u64) -> Ranges {
        let fields = Fields::from_lines(format!("Range: {range}\r\n"));
        evaluate_range(&Method::GET, &fields, length, None, None)
    }

    #[test]
    fn ranges() {
        use Ranges::{Parts, Unsatisfiable, Whole};
        // RFC 9110, 14.1.2, assuming a representation of length 10000.
        let rows: [(&str, Ranges); 30] = [
            ("bytes=0-499", Parts(vec![0..500])),
            ("bytes=500-999", Parts(vec![500..1000])),
            ("bytes=-500", Parts(vec![9500..10000])),
            ("bytes=9500-", Parts(vec![9500..10000])),
            ("bytes=0-0,-1", Parts(vec![0..1, 9999..10000])),
            (
                "bytes= 0-999, 4500-5499, -1000",
                Parts(vec![0..1000, 4500..5500, 9000..10000]),
            ),
            ("bytes=500-600,601-999", Parts(vec![500..1000])),
            ("bytes=500-700,601-999", Parts(vec![500..1000])),
            // In the order of the request (15.3.7.2), also when some are merged.
            ("bytes=5000-5099,0-99", Parts(vec![5000..5100, 0..100])),
            (
                "bytes=5000-5099,0-99,5100-5199",
                Parts(vec![5000..5200, 0..100]),
            ),
            ("bytes=0-9,200-209,10-199", Parts(vec![0..210])),
            ("bytes=0-9,90-99", Parts(vec![0..100])),
            ("bytes=0-9,91-99", Parts(vec![0..10, 91..100])),
            ("Bytes=0-1", Parts(vec![0..2])),
            ("bytes=,0-1,,", Parts(vec![0..2])),
            ("bytes=0-99999999999999999999999", Parts(vec![0..10000])),
            ("bytes=-99999999999999999999999", Parts(vec![0..10000])),
            ("bytes=9999-10000,20000-", Parts(vec![9999..10000])),
            ("bytes=10000-", Unsatisfiable),
            ("bytes=99999999999999999999999-", Unsatisfiable),
            ("bytes=-0", Unsatisfiable),
            ("bytes=1-0", Whole),
            ("bytes=0-1,1-0", Whole),
            ("bytes=", Whole),
            ("bytes=-", Whole),
            ("bytes=a-b", Whole),
            ("bytes=0 -1", Whole),
            ("bytes=+0-1", Whole),
            ("bytes 0-1", Whole),
            ("chars=0-1", Whole),
        ];
        for (range, expected) in rows {
            assert_eq!(ask(range, 10000), expected, "{range}");
        }
    }

    #[test]
    fn an_empty_representation_has_no_part() {
        // RFC 9110, 15.5.17: "Because servers are free to ignore Range, many implementations will
        // respond with the entire selected representation in a 200 (OK) response."
        for from_the_start in ["0-", "0-0", "0-1023", "-1", "-500", "5-9,0-", "0-,5-"] {
            let ranges = ask(&format!("bytes={from_the_start}"), 0);
            assert_eq!(ranges, Ranges::Whole, "{from_the_start}");
        }
        for from_later in ["1-", "5-9", "-0", "1-2,3-"] {
            let ranges = ask(&format!("bytes={from_later}"), 0);
            assert_eq!(ranges, Ranges::Unsatisfiable, "{from_later}");
        }
    }

    #[test]
    fn too_many_ranges_are_not_heeded() {
        let many = |count: u64| {
            let specs: Vec<_> = (0..count).map(|i| format!("{0}-{0}", i * 200)).collect();
            ask(&format!("bytes={}", specs.join(",")), 1 << 20)
        };
        assert!(matches!(many(64), Ranges::Parts(parts) if parts.len() == 64));
        assert_eq!(many(65), Ranges::Whole);
    }

    #[test]
    fn other_methods_and_repeated_fields_have_no_ranges() {
        let fields = Fields::new().with("Range", "bytes=0-1");
        let head = evaluate_range(&Method::HEAD, &fields, 10, None, None);
        assert_eq!(head, Ranges::Whole);
        let twice = fields.with("Range", "bytes=2-3");
        let twice = evaluate_range(&Method::GET, &twice, 10, None, None);
        assert_eq!(twice, Ranges::Whole);
    }

    #[test]
    fn if_range_compares_strongly() {
        // RFC 9110, 13.1.5: "A recipient of an If-Range header field MUST ignore the Range header
        // field if the If-Range condition evaluates as false."
        let modified = UNIX_EPOCH + std::time::Duration::from_millis(784_111_777_500);
        let rows = [
            ("\"a\"", true),
            ("\"b\"", false),
            ("W/\"a\"", false),
            ("a", false),
            ("Sun, 06 Nov 1994 08:49:37 GMT", true),
            ("Sun, 06 Nov 1994 08:49:38 GMT", false),
            ("Sun, 06 Nov 1994 08:49:36 GMT", false),
            ("yesterday", false),
            ("", false),
        ];
        for (validator, is_heeded) in rows {
            let fields =
                Fields::from_lines(format!("Range: bytes=0-1\r\nIf-Range: {validator}\r\n"));
            let ranges = evaluate_range(&Method::GET, &fields, 10, Some(b"\"a\""), Some(modified));
            let expected = if is_heeded {
                Ranges::Parts(vec![0..2])
            } else {
                Ranges::Whole
            };
            assert_eq!(ranges, expected, "{validator}");
        }
        let fields = Fields::new()
            .with("Range", "bytes=0-1")
            .with("If-Range", "W/\"a\"");
        let weak = evaluate_range(&Method::GET, &fields, 10, Some(b"W/\"a\""), None);
        assert_eq!(
            weak,
            Ranges::Whole,
            "a weak tag is not even the same as itself"
        );
        let undated = Fields::new()
            .with("Range", "bytes=0-1")
            .with("If-Range", "yesterday");
        assert_eq!(
            evaluate_range(&Method::GET, &undated, 10, None, None),
            Ranges::Whole
        );
    }

    proptest! {
        /// For every request: the parts are within the file, they do not overlap, and none is
        /// empty.
        #[test]
        fn parts_are_disjoint_and_within(
            range in "bytes=([0-9]{0,6}-[0-9]{0,6},? ?){1,20}|[ -~]{0,40}",
            length in 0_u64..300_000,
        ) {
            let Ranges::Parts(mut parts) = ask(&range, length) else { return Ok(()) };
            parts.sort_by_key(|part| part.start);
            prop_assert!(parts.iter().all(|part| part.start < part.end && part.end <= length));
            prop_assert!(parts.windows(2).all(|pair| pair[0].end + GAP < pair[1].start));
        }
    }
}
