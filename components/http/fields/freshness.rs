//! How long a response stays fresh (RFC 9111 section 4.2).

use std::time::Duration;

use crate::http::grammar::trim;

/// Returns the freshness lifetime that a `Cache-Control` value gives to any cache (RFC 9111 section
/// 5.2.2): zero if the response must not be reused without validation; `None` if the value does not
/// say. At most a year, which RFC 2616 called never.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use kamea_components::http::freshness_lifetime;
///
/// assert_eq!(freshness_lifetime(b"public, max-age=60"), Some(Duration::from_secs(60)));
/// assert_eq!(freshness_lifetime(b"max-age=60, no-cache"), Some(Duration::ZERO));
/// assert_eq!(freshness_lifetime(b"public"), None);
/// ```
#[must_use]
pub fn freshness_lifetime(cache_control: &[u8]) -> Option<Duration> {
    const YEAR: u64 = 365 * 24 * 60 * 60;
    let mut lifetime = None;
    for directive in cache_control.split(|&b| b == b',').map(trim) {
        let mut parts = directive.splitn(2, |&b| b == b'=');
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        match (name.as_slice(), parts.next()) {
            // A cache of HTTP/1.0 knows neither of these two, nor `private`: for it, the response
            // is never fresh.
            (b"no-cache" | b"no-store" | b"private", _) => return Some(Duration::ZERO),
            (b"max-age", Some(seconds)) => {
                let seconds = str::from_utf8(seconds).ok()?.trim_matches('"').parse();
                let seconds = seconds.map_or(0, |seconds: u64| seconds.min(YEAR));
                lifetime.get_or_insert(Duration::from_secs(seconds));
            }
            _ => {}
        }
    }
    lifetime
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes() {
        let rows: [(&str, Option<u64>); 12] = [
            ("max-age=3600", Some(3600)),
            ("public, Max-Age=5, immutable", Some(5)),
            ("max-age=\"7\"", Some(7)),
            ("max-age=1, max-age=2", Some(1)),
            ("max-age=99999999999", Some(31_536_000)),
            ("max-age=soon", Some(0)),
            ("max-age", None),
            ("no-store", Some(0)),
            ("private, max-age=60", Some(0)),
            ("no-cache=\"Set-Cookie\", max-age=60", Some(0)),
            ("", None),
            (",,=,", None),
        ];
        for (value, expected) in rows {
            let expected = expected.map(Duration::from_secs);
            assert_eq!(freshness_lifetime(value.as_bytes()), expected, "{value}");
        }
    }
}
