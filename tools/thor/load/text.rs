//! Figures as text for people.

/// Nanoseconds, with three digits: `412 µs`, `1.24 ms`, `10.0 s`.
pub(super) fn time(nanoseconds: f64) -> String {
    let (value, unit) = match nanoseconds {
        ..1e3 => (nanoseconds, "ns"),
        // A value that would be rounded up to a thousand of a unit is one of the next unit.
        ..999.5e3 => (nanoseconds / 1e3, "µs"),
        ..999.5e6 => (nanoseconds / 1e6, "ms"),
        _ => (nanoseconds / 1e9, "s"),
    };
    format!("{} {unit}", digits(value))
}

/// Bytes, with three digits: `1.21 GB`.
pub(super) fn bytes(bytes: f64) -> String {
    let (value, unit) = match bytes {
        ..1e3 => return format!("{bytes:.0} B"),
        ..999.5e3 => (bytes / 1e3, "kB"),
        ..999.5e6 => (bytes / 1e6, "MB"),
        _ => (bytes / 1e9, "GB"),
    };
    format!("{} {unit}", digits(value))
}

fn digits(value: f64) -> String {
    match value {
        ..9.995 => format!("{value:.2}"),
        ..99.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// A number with separated thousands: `1,234,567`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let first = (digits.len() - 1) % 3 + 1;
    let (head, rest) = digits.split_at(first);
    let groups = rest.as_bytes().chunks(3);
    groups.fold(head.to_owned(), |text, group| {
        text + "," + &String::from_utf8_lossy(group)
    })
}

/// Requests in a second.
pub(super) fn rate(rate: f64) -> String {
    match rate {
        ..99.95 => format!("{rate:.1}"),
        _ => count(rate.round() as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits() {
        for (nanoseconds, expected) in [
            (0.0, "0.00 ns"),
            (999.0, "999 ns"),
            (1_234.0, "1.23 µs"),
            (9_996.0, "10.0 µs"),
            (412_400.0, "412 µs"),
            (999_600.0, "1.00 ms"),
            (10_040_000.0, "10.0 ms"),
            (2.5e9, "2.50 s"),
            (3600e9, "3600 s"),
        ] {
            assert_eq!(time(nanoseconds), expected);
        }
        for (number, expected) in [(0.0, "0 B"), (1e3, "1.00 kB"), (123_456_789.0, "123 MB")] {
            assert_eq!(bytes(number), expected);
        }
        for (number, expected) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (123_456, "123,456"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(count(number), expected);
        }
        assert_eq!(
            (rate(3.25), rate(12_345.6)),
            ("3.2".to_owned(), "12,346".to_owned())
        );
    }
}
