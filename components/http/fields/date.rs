//! The date of a response (RFC 9110 section 5.6.7), formatted once a second.

use std::time::{Duration, UNIX_EPOCH};

use httpdate::HttpDate;

/// The last second of the year 9999: an IMF-fixdate has four digits for the year.
const LAST_SECOND: u64 = 253_402_300_799;

/// Writes dates as IMF-fixdate, and remembers the last one: a busy server needs it many times a
/// second.
///
/// It does not read the clock; the caller passes the time.
///
/// # Examples
/// ```
/// use kamea_components::http::DateCache;
///
/// let mut dates = DateCache::new();
/// assert_eq!(dates.at(784_111_777), b"Sun, 06 Nov 1994 08:49:37 GMT");
/// ```
#[derive(Clone, Debug)]
pub struct DateCache {
    /// The time of `text`, in seconds since the epoch.
    second: u64,
    text: [u8; 29],
}

impl DateCache {
    /// Creates a cache that remembers the epoch.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            second: 0,
            text: *b"Thu, 01 Jan 1970 00:00:00 GMT",
        }
    }

    /// Returns the date of a second, counted from the UNIX epoch; after the year 9999, its last
    /// second.
    #[inline]
    pub fn at(&mut self, second: u64) -> &[u8; 29] {
        if second != self.second {
            self.write(second);
        }
        &self.text
    }

    fn write(&mut self, second: u64) {
        let date = HttpDate::from(UNIX_EPOCH + Duration::from_secs(second.min(LAST_SECOND)));
        // Always true: an IMF-fixdate has 29 bytes.
        if let Ok(text) = date.to_string().as_bytes().try_into() {
            (self.second, self.text) = (second, text);
        }
    }
}

impl Default for DateCache {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        let mut dates = DateCache::new();
        let rows: [(u64, &[u8; 29]); 6] = [
            (0, b"Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, b"Sun, 06 Nov 1994 08:49:37 GMT"),
            (784_111_777, b"Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_400, b"Tue, 29 Feb 2000 00:00:00 GMT"),
            (0, b"Thu, 01 Jan 1970 00:00:00 GMT"),
            (u64::MAX, b"Fri, 31 Dec 9999 23:59:59 GMT"),
        ];
        for (second, text) in rows {
            assert_eq!(dates.at(second), text);
        }
    }
}
