//! Content negotiation by media type: `Accept` (RFC 9110 section 12.5.1).

use crate::http::Fields;
use crate::http::grammar::trim;

/// Returns which of the offered media types, each as `type/subtype`, a request prefers; the earlier
/// one if it prefers several equally.
///
/// A request without `Accept` accepts anything. If it accepts no offer, the first one is returned:
/// section 12.5.1 lets the server disregard the field, and a page is more useful than 406.
///
/// # Panics
/// If there is no offer.
///
/// # Examples
/// ```
/// use kamea_components::http::{Fields, preferred_type};
///
/// let offers = ["text/html", "application/json"];
/// let wanted = |accept| preferred_type(&Fields::new().with("Accept", accept), &offers);
/// assert_eq!(wanted("application/json"), "application/json");
/// assert_eq!(wanted("text/*;q=0.5, application/*;q=0.6"), "application/json");
/// assert_eq!(wanted("*/*"), "text/html");
/// ```
#[must_use]
pub fn preferred_type<'o>(fields: &Fields, offers: &[&'o str]) -> &'o str {
    let mut best = (offers[0], 0);
    for offer in offers {
        let quality = quality_of(fields, offer);
        if quality > best.1 {
            best = (offer, quality);
        }
    }
    best.0
}

/// Returns the quality of an offer in thousandths: that of the most specific matching range.
fn quality_of(fields: &Fields, offer: &str) -> u16 {
    if !fields.contains("accept") {
        return 1000;
    }
    let kind = offer.split('/').next().unwrap_or_default();
    let mut best = (0, 0);
    for (media, quality) in list_with_weights(fields, "accept") {
        let specificity = if media.eq_ignore_ascii_case(offer.as_bytes()) {
            3
        } else if media == b"*/*" {
            1
        } else {
            match media.strip_suffix(b"/*") {
                Some(range) if range.eq_ignore_ascii_case(kind.as_bytes()) => 2,
                _ => continue,
            }
        };
        if let Some(quality) = quality
            && specificity > best.0
        {
            best = (specificity, quality);
        }
    }
    best.1
}

/// Returns the members of a weighted list (section 12.4.2), with the weight of each in thousandths.
/// The weight is `None` if it is malformed, or if the member has other parameters: then it matches
/// none of the offers.
pub(crate) fn list_with_weights<'f>(
    fields: &'f Fields,
    name: &'f str,
) -> impl Iterator<Item = (&'f [u8], Option<u16>)> {
    let members = fields
        .get_all(name)
        .flat_map(|value| value.split(|&b| b == b','));
    members.map(|member| {
        let mut parameters = member.split(|&b| b == b';').map(trim);
        (parameters.next().unwrap_or_default(), weight(parameters))
    })
}

/// Returns the weight among parameters, if there are no other parameters.
fn weight<'a>(mut parameters: impl Iterator<Item = &'a [u8]>) -> Option<u16> {
    let Some(parameter) = parameters.next() else {
        return Some(1000);
    };
    let [b'q' | b'Q', b'=', digits @ ..] = parameter else {
        return None;
    };
    let (whole, fraction) = match digits {
        [whole] => (whole, &[][..]),
        [whole, b'.', fraction @ ..] if fraction.len() <= 3 => (whole, fraction),
        _ => return None,
    };
    let mut thousandths = 0;
    for place in 0..3 {
        let digit = fraction.get(place).copied().unwrap_or(b'0');
        if !digit.is_ascii_digit() {
            return None;
        }
        thousandths = thousandths * 10 + u16::from(digit - b'0');
    }
    match (whole, thousandths) {
        (b'0', thousandths) => Some(thousandths),
        (b'1', 0) => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offers() {
        let offers = ["text/html", "application/json", "text/plain"];
        let rows = [
            ("*/*", 0),
            ("text/html", 0),
            ("TEXT/PLAIN", 2),
            ("application/json", 1),
            ("application/*", 1),
            ("text/*", 0),
            ("text/html;q=0.1, */*;q=0.2", 1),
            // "Media ranges can be overridden by more specific media ranges or specific media
            // types."
            ("text/*, text/html;q=0", 2),
            ("*/*;q=0.5, text/plain;q=0.501", 2),
            ("text/html;q=0.000, application/json;q=0", 0),
            // The field of a browser.
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8",
                0,
            ),
            // Parameters make it another range; a range with a malformed weight is ignored.
            ("text/html;level=1, text/plain;q=0.1", 2),
            ("text/html;q=2, text/plain;q=0.1", 2),
            ("text/html;q=1.001, text/plain;q=0.1", 2),
            ("text/html;q=0.1234, text/plain;q=0.1", 2),
            ("text/html;q=x, text/plain;q=0.1", 2),
            ("text/html;q=, text/plain;q=0.1", 2),
            (",, ,text/plain,", 2),
            ("image/png", 0),
            ("", 0),
            ("text", 0),
            ("/", 0),
        ];
        for (accept, expected) in rows {
            let fields = Fields::new().with("Accept", accept);
            assert_eq!(
                preferred_type(&fields, &offers),
                offers[expected],
                "{accept}"
            );
        }
        assert_eq!(preferred_type(&Fields::new(), &offers), "text/html");
        let lines = Fields::new()
            .with("Accept", "text/html;q=0.2")
            .with("Accept", "text/plain");
        assert_eq!(preferred_type(&lines, &offers), "text/plain");
    }
}
