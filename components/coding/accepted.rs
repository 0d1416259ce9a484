//! `Accept-Encoding` (RFC 9110 section 12.5.3).

use super::Coding;
use crate::http::{Fields, list_with_weights};

/// The codings that a request accepts, best first. Among equal weights our own order decides.
///
/// # Examples
///
/// ```
/// use kamea_components::coding::{AcceptedCodings, Coding};
/// use kamea_components::http::Fields;
///
/// let accepted = |value| AcceptedCodings::of(&Fields::new().with("Accept-Encoding", value));
/// assert_eq!(accepted("gzip, br;q=0.5").iter().collect::<Vec<_>>(), [Coding::Gzip, Coding::Brotli]);
/// assert_eq!(accepted("gzip, deflate, br, zstd").first(), Some(Coding::Zstd));
/// assert_eq!(accepted("identity").first(), None);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AcceptedCodings([Option<Coding>; 3]);

impl AcceptedCodings {
    /// Returns the codings that the fields of a request accept. Empty without `Accept-Encoding`.
    #[must_use]
    pub fn of(fields: &Fields) -> Self {
        if !fields.contains("accept-encoding") {
            return Self::default();
        }
        let (qualities, identity) = qualities(fields);
        let mut qualities = qualities.map(|(coding, quality)| (quality, Some(coding)));
        // Stable: among equals our own order stays.
        qualities.sort_by_key(|(quality, _)| std::cmp::Reverse(*quality));
        let is_wanted = |quality| quality > 0 && quality >= identity;
        Self(qualities.map(|(quality, coding)| coding.filter(|_| is_wanted(quality))))
    }

    /// Returns the preferred one.
    #[must_use]
    pub fn first(self) -> Option<Coding> {
        self.0[0]
    }

    /// Returns all of them.
    pub fn iter(self) -> impl Iterator<Item = Coding> {
        self.0.into_iter().flatten()
    }

    /// A number that identifies this order of codings.
    pub(crate) fn key(self) -> u8 {
        self.iter()
            .fold(0, |key, coding| key * 4 + coding as u8 + 1)
    }
}

/// The weight of each coding, and of `identity`, in thousandths. A coding that is not listed has
/// the weight of `*`; without `*` it is refused. `x-gzip` is `gzip` (section 8.4.1.3).
///
/// `identity` has a weight only if the client sets it: otherwise "the representation is acceptable
/// by default" (section 12.5.3), and any accepted coding is better.
fn qualities(fields: &Fields) -> ([(Coding, u16); 3], u16) {
    let (mut listed, mut by_star, mut identity) = ([None; 3], 0, None);
    for (name, quality) in list_with_weights(fields, "accept-encoding") {
        // A malformed entry counts as refused.
        let quality = quality.unwrap_or(0);
        if name == b"*" {
            by_star = quality;
        } else if name.eq_ignore_ascii_case(b"identity") {
            identity.get_or_insert(quality);
        } else if let Some(coding) = Coding::named(name) {
            listed[coding as usize].get_or_insert(quality);
        }
    }
    let weights = Coding::ALL.map(|coding| (coding, listed[coding as usize].unwrap_or(by_star)));
    (weights, identity.unwrap_or(by_star))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_accepted() {
        use Coding::{Brotli, Gzip, Zstd};
        let rows: [(&str, &[Coding]); 19] = [
            ("gzip", &[Gzip]),
            ("GZip", &[Gzip]),
            ("x-gzip", &[Gzip]),
            ("gzip, deflate, br", &[Brotli, Gzip]),
            ("gzip, deflate, br, zstd", &[Zstd, Brotli, Gzip]),
            ("gzip;q=1.0, br;q=0.9, zstd;q=0.1", &[Gzip, Brotli, Zstd]),
            ("br ; q=0.5 , gzip;Q=0.501", &[Gzip, Brotli]),
            ("*", &[Zstd, Brotli, Gzip]),
            ("*;q=0", &[]),
            ("gzip, *;q=0", &[Gzip]),
            ("zstd;q=0, *", &[Brotli, Gzip]),
            ("gzip;q=0", &[]),
            ("gzip;q=0.000, br;q=0.001", &[Brotli]),
            ("", &[]),
            ("identity", &[]),
            ("identity;q=0", &[]),
            ("compress, deflate", &[]),
            // A malformed entry counts as refused.
            ("gzip;q=2, br;q=x, zstd;q=", &[]),
            (",,, ;q=1, gzip;level=9, br", &[Brotli]),
        ];
        for (value, expected) in rows {
            let fields = Fields::new().with("Accept-Encoding", value);
            let accepted: Vec<_> = AcceptedCodings::of(&fields).iter().collect();
            assert_eq!(accepted, expected, "{value}");
        }
        assert_eq!(AcceptedCodings::of(&Fields::new()).first(), None);
        let lines = Fields::new()
            .with("Accept-Encoding", "gzip;q=0.2")
            .with("Accept-Encoding", "br");
        assert_eq!(AcceptedCodings::of(&lines).first(), Some(Brotli));
    }

    #[test]
    fn a_coding_is_used_unless_the_client_would_rather_have_none() {
        use Coding::{Brotli, Gzip, Zstd};
        // RFC 9110, 12.5.3: "When sent by a user agent in a request, Accept-Encoding indicates the
        // content codings acceptable in a response." 12.4.2: "to indicate preference for one option
        // over another [...] weight"
        let rows: [(&str, &[Coding]); 11] = [
            ("identity;q=1, gzip;q=0.5", &[]),
            ("gzip;q=0.5, identity", &[]),
            ("Identity;q=0.6, gzip;q=0.5, br;q=0.7", &[Brotli]),
            ("identity;q=0.5, *;q=0.1", &[]),
            ("identity;q=0.5, *;q=0.1, br", &[Brotli]),
            ("gzip, identity", &[Gzip]),
            ("gzip;q=0.5, identity;q=0.5", &[Gzip]),
            ("gzip;q=0.001", &[Gzip]),
            ("identity;q=0, gzip;q=0.1", &[Gzip]),
            ("identity;q=0", &[]),
            ("*, gzip;q=0.5", &[Zstd, Brotli]),
        ];
        for (value, expected) in rows {
            let fields = Fields::new().with("Accept-Encoding", value);
            let accepted: Vec<_> = AcceptedCodings::of(&fields).iter().collect();
            assert_eq!(accepted, expected, "{value}");
        }
    }

    #[test]
    fn each_order_has_a_key_of_its_own() {
        let mut keys = std::collections::HashSet::new();
        for value in [
            "",
            "gzip",
            "br",
            "zstd",
            "gzip, br",
            "gzip, br;q=0.5",
            "gzip, zstd",
            "gzip, zstd;q=0.5",
            "br, zstd",
            "br, zstd;q=0.5",
            "*",
            "gzip, *;q=0.5",
            "br, *;q=0.5",
        ] {
            let fields = Fields::new().with("Accept-Encoding", value);
            assert!(keys.insert(AcceptedCodings::of(&fields).key()), "{value}");
        }
    }
}
