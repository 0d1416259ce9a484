//! Words to values: numbers, durations, sizes, switches, names.

use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use http::Method;
use kamea_components::http::Fields;

use super::mistake::Found;
use super::setting::Word;

/// Reads a word, or says what is wanted.
pub(super) fn read<T>(
    word: &Word,
    wanted: &str,
    found: &mut Found,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Option<T> {
    let value = parse(&word.text);
    if value.is_none() {
        let message = match &*word.text {
            "" => "this is empty".to_owned(),
            text => format!("`{text}` is wrong here"),
        };
        found.push(&word.span, message, format!("write {wanted}"));
    }
    value
}

/// Reads a word whose error says what would be right.
pub(super) fn parse<T: FromStr>(word: &Word, found: &mut Found) -> Option<T>
where
    T::Err: std::fmt::Display,
{
    let parsed = word.text.parse();
    parsed
        .map_err(|error| found.push(&word.span, format!("{error}"), ""))
        .ok()
}

/// A whole number in a range.
pub(super) fn number<T>(word: &Word, range: RangeInclusive<T>, found: &mut Found) -> Option<T>
where
    T: FromStr + PartialOrd + std::fmt::Display,
{
    let wanted = format!("a whole number from {} to {}", range.start(), range.end());
    read(word, &wanted, found, |text| {
        let is_number = text.bytes().all(|b| b.is_ascii_digit());
        text.parse()
            .ok()
            .filter(|number| is_number && range.contains(number))
    })
}

/// `on` or `off`, `true` or `false`, `yes` or `no`
pub(super) fn switch(word: &Word, found: &mut Found) -> Option<bool> {
    read(word, "`on` or `off`", found, |text| match text {
        "on" | "true" | "yes" => Some(true),
        "off" | "false" | "no" => Some(false),
        _ => None,
    })
}

const DAY: Duration = Duration::from_secs(86_400);

/// `500ms`, `5s`, `1.5s`, `2m`, `1h`; without a unit, seconds. Above 0, at most a day.
pub(super) fn duration(word: &Word, found: &mut Found) -> Option<Duration> {
    let wanted = "a time above 0 and up to a day, such as `5s`, `500ms`, `2m` or `1h`";
    read(word, wanted, found, |text| {
        let is_unit = |c: char| c.is_ascii_alphabetic();
        let (number, unit) = text.split_at(text.find(is_unit).unwrap_or(text.len()));
        let unit = match unit {
            "ms" => 0.001,
            "" | "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            _ => return None,
        };
        let seconds = decimal(number)? * unit;
        let duration = Duration::try_from_secs_f64(seconds).ok()?;
        (!duration.is_zero() && duration <= DAY).then_some(duration)
    })
}

/// `64k`, `10m`, `1GiB`; without a unit, bytes.
pub(super) fn size(word: &Word, found: &mut Found) -> Option<u64> {
    let wanted = "a size, such as `64k`, `10m` or `1g`";
    read(word, wanted, found, |text| {
        let is_unit = |c: char| c.is_ascii_alphabetic();
        let (number, unit) = text.split_at(text.find(is_unit).unwrap_or(text.len()));
        let shift = match &*unit.to_ascii_lowercase() {
            "" | "b" => 0,
            "k" | "kb" | "kib" => 10,
            "m" | "mb" | "mib" => 20,
            "g" | "gb" | "gib" => 30,
            _ => return None,
        };
        let number: u64 = number.trim_start_matches('+').parse().ok()?;
        number.checked_mul(1 << shift)
    })
}

/// A number of requests in a second, above 0.
pub(super) fn rate(word: &Word, found: &mut Found) -> Option<f64> {
    read(
        word,
        "a number above 0, such as `10` or `0.5`",
        found,
        |text| decimal(text).filter(|rate| *rate > 0.0 && *rate <= 1e9),
    )
}

/// Digits, and perhaps a point and digits.
fn decimal(text: &str) -> Option<f64> {
    let is_decimal = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    text.parse().ok().filter(|_| is_decimal)
}

/// `200`, or `200-399`
pub(super) fn statuses(word: &Word, found: &mut Found) -> Option<RangeInclusive<u16>> {
    let status = |text: &str| {
        text.parse()
            .ok()
            .filter(|status| (100..600).contains(status))
    };
    read(
        word,
        "status codes, such as `200` or `200-399`",
        found,
        |text| {
            let (first, last) = text.split_once('-').unwrap_or((text, text));
            let (first, last) = (status(first)?, status(last)?);
            (first <= last).then_some(first..=last)
        },
    )
}

/// The name of a field.
pub(super) fn field_name(word: &Word, found: &mut Found) -> Option<String> {
    let wanted = "the name of a field, such as `X-Real-IP`";
    read(word, wanted, found, |text| {
        Fields::new()
            .push(text, "")
            .is_ok()
            .then(|| text.to_owned())
    })
}

/// The name of a cookie (RFC 6265 section 4.1.1).
pub(super) fn cookie_name(word: &Word, found: &mut Found) -> Option<String> {
    let wanted = "the name of a cookie: letters, digits, `-` and `_`";
    read(word, wanted, found, |text| {
        Fields::new()
            .push(text, "")
            .is_ok()
            .then(|| text.to_owned())
    })
}

/// A path, percent-encoded.
pub(super) fn path(word: &Word, found: &mut Found) -> Option<String> {
    let wanted = "a path that begins with `/`, other characters percent-encoded";
    read(word, wanted, found, |text| {
        let is_path =
            text.starts_with('/') && text.bytes().all(|b| b.is_ascii_graphic() && b != b'#');
        is_path.then(|| text.to_owned())
    })
}

/// A method, in upper case.
pub(super) fn method(word: &Word, found: &mut Found) -> Option<Method> {
    read(
        word,
        "a method, such as `GET` (upper and lower case differ)",
        found,
        |text| {
            let is_upper = !text.bytes().any(|b| b.is_ascii_lowercase());
            Method::from_bytes(text.as_bytes())
                .ok()
                .filter(|_| is_upper)
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn each<T: PartialEq + std::fmt::Debug>(
        read: impl Fn(&Word, &mut Found) -> Option<T>,
        right: &[(&str, T)],
        wrong: &[&str],
    ) {
        for (text, expected) in right {
            let value = read(&Word::new(*text, 0..1), &mut Found::default());
            assert_eq!(value.as_ref(), Some(expected), "{text}");
        }
        for text in wrong {
            let mut found = Found::default();
            let value = read(&Word::new(*text, 0..1), &mut found);
            assert_eq!(value, None, "{text}");
            let mistakes = found.into_mistakes(std::path::Path::new("f"), "x");
            assert_eq!(mistakes.map(|m| m.count()), Some(1), "{text}");
        }
    }

    #[test]
    fn values_with_units() {
        let ms = Duration::from_millis;
        let times = [
            ("5s", ms(5000)),
            ("5", ms(5000)),
            ("1.5s", ms(1500)),
            ("250ms", ms(250)),
            ("2m", ms(120_000)),
            ("1d", DAY),
        ];
        let wrong = [
            "", "s", "0", "0s", "-1s", "25h", "5 s", "5x", "1e3", "nan", "inf", "1.2.3s",
        ];
        each(duration, &times, &wrong);
        let sizes = [
            ("0", 0),
            ("7", 7),
            ("64k", 65536),
            ("1MiB", 1 << 20),
            ("2G", 2 << 30),
        ];
        each(
            size,
            &sizes,
            &[
                "",
                "k",
                "-1",
                "1.5m",
                "1x",
                "99999999999999999999",
                "99999999999g",
            ],
        );
    }

    #[test]
    fn other_values() {
        each(
            |w, f| number(w, 1..=10_u32, f),
            &[("1", 1), ("10", 10)],
            &["0", "11", "+1", "", "x"],
        );
        each(switch, &[("on", true), ("false", false)], &["", "1", "ON"]);
        each(
            rate,
            &[("0.5", 0.5), ("10", 10.0)],
            &["0", "-1", "", "inf", "1e99"],
        );
        let wrong = ["", "99", "600", "300-200", "2xx", "200-"];
        each(
            statuses,
            &[("200", 200..=200), ("200-399", 200..=399)],
            &wrong,
        );
        each(
            field_name,
            &[("X-A", "X-A".to_owned())],
            &["", "a b", "a:", "a\r\nb", "\u{e9}"],
        );
        each(
            path,
            &[("/a?b", "/a?b".to_owned())],
            &["", "a", "/a b", "/#", "/\u{e9}"],
        );
        each(method, &[("GET", Method::GET)], &["", "get", "G T"]);
    }
}
