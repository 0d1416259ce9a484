//! Values of options: the syntax of each type.

use std::net::SocketAddr;
use std::num::{NonZeroU16, NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use crate::net::parse_address;

/// The type of a simple option: parsed from a word or a text in quotes.
pub(super) trait Value: Sized + 'static {
    /// Its name in the description of a component.
    const KIND: &'static str;
    /// The expected syntax, with an article.
    const WANTED: &'static str;

    /// Parses a text; `None` if it is invalid.
    fn read(text: &str) -> Option<Self>;
}

/// A number of bytes: `512`, `64KiB`, `10MB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size(
    /// In bytes.
    pub(super) usize,
);

/// A value that must not be 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AboveZero<T>(
    /// The value.
    pub(super) T,
);

/// A probability, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Chance(
    /// 1 means certain.
    pub(super) f64,
);

/// An address to listen at: `127.0.0.1:9000`, `[::1]:9000`, or `9000` and `:9000`, which mean
/// 127.0.0.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Listen(
    /// The address.
    pub(super) SocketAddr,
);

impl Value for String {
    const KIND: &'static str = "text";
    const WANTED: &'static str = "a text";

    fn read(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

impl Value for PathBuf {
    const KIND: &'static str = "path";
    const WANTED: &'static str = "the path of a file or folder";

    fn read(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| text.into())
    }
}

impl Value for bool {
    const KIND: &'static str = "yes or no";
    const WANTED: &'static str = "yes or no";

    fn read(text: &str) -> Option<Self> {
        match text {
            "yes" | "true" => Some(true),
            "no" | "false" => Some(false),
            _ => None,
        }
    }
}

impl Value for Duration {
    const KIND: &'static str = "duration";
    const WANTED: &'static str = "a duration, such as 200ms, 5s or 1.5h";

    fn read(text: &str) -> Option<Self> {
        let (number, unit) = split_unit(text)?;
        let seconds = match unit {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "min" => 60.0,
            "h" => 3600.0,
            "d" => 86400.0,
            _ => return None,
        };
        Self::try_from_secs_f64(number * seconds).ok()
    }
}

impl Value for Size {
    const KIND: &'static str = "size";
    const WANTED: &'static str = "a number of bytes, such as 512, 64KiB or 10MB";

    fn read(text: &str) -> Option<Self> {
        let (number, unit) = split_unit(text)?;
        let factor: u64 = match unit {
            "" | "B" => 1,
            "kB" | "KB" => 1000,
            "MB" => 1_000_000,
            "GB" => 1_000_000_000,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => return None,
        };
        let bytes = number * factor as f64;
        // Above 2^53 a float cannot represent every integer.
        (bytes.fract() == 0.0 && bytes < (1_u64 << 53) as f64).then_some(Self(bytes as usize))
    }
}

impl Value for AboveZero<Duration> {
    const KIND: &'static str = Duration::KIND;
    const WANTED: &'static str = "a duration above 0, such as 200ms, 5s or 1.5h";

    fn read(text: &str) -> Option<Self> {
        let duration = Duration::read(text)?;
        (!duration.is_zero()).then_some(Self(duration))
    }
}

impl Value for AboveZero<Size> {
    const KIND: &'static str = Size::KIND;
    const WANTED: &'static str = "a number of bytes above 0, such as 512, 64KiB or 10MB";

    fn read(text: &str) -> Option<Self> {
        let size = Size::read(text)?;
        (size.0 > 0).then_some(Self(size))
    }
}

impl Value for Listen {
    const KIND: &'static str = "address";
    const WANTED: &'static str =
        "an address to listen at, such as :9000 or 127.0.0.1:9000, up to port 65535";

    fn read(text: &str) -> Option<Self> {
        parse_address(text).ok().map(Self)
    }
}

macro_rules! numbers {
    ($($type:ty: $wanted:literal),*) => {$(
        impl Value for $type {
            const KIND: &'static str = "number";
            const WANTED: &'static str = $wanted;

            fn read(text: &str) -> Option<Self> {
                text.parse().ok()
            }
        }
    )*};
}

numbers! {
    usize: "a whole number",
    u64: "a whole number",
    u32: "a whole number up to 4294967295",
    u16: "a whole number up to 65535",
    i64: "a whole number, which may be negative",
    NonZeroUsize: "a whole number above 0",
    NonZeroU32: "a whole number from 1 to 4294967295",
    NonZeroU16: "a whole number from 1 to 65535"
}

impl Value for Chance {
    const KIND: &'static str = "number";
    const WANTED: &'static str = "a number from 0 to 1, such as 0.5";

    fn read(text: &str) -> Option<Self> {
        let number = text.parse().ok()?;
        (0.0..=1.0).contains(&number).then_some(Self(number))
    }
}

/// Splits `1.5h` into `1.5` and `h`.
fn split_unit(text: &str) -> Option<(f64, &str)> {
    let unit = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (number, unit) = text.split_at(unit.unwrap_or(text.len()));
    Some((number.parse().ok()?, unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads<T: Value + PartialEq + std::fmt::Debug>(rows: &[(&str, Option<T>)]) {
        for (text, expected) in rows {
            assert_eq!(T::read(text), *expected, "{text:?} as {}", T::KIND);
        }
    }

    #[test]
    fn texts_stand_for_values() {
        let ms = |ms| Some(Duration::from_millis(ms));
        reads(&[
            ("200ms", ms(200)),
            ("5s", ms(5000)),
            ("1.5h", ms(5_400_000)),
            ("2min", ms(120_000)),
            ("0s", ms(0)),
            ("5", None),
            ("5 s", None),
            ("-1s", None),
            ("s", None),
            ("1..5s", None),
            ("99999999999999999999d", None),
        ]);
        reads(&[
            ("0", Some(Size(0))),
            ("64KiB", Some(Size(65536))),
            ("1.5MiB", Some(Size(1_572_864))),
            ("10MB", Some(Size(10_000_000))),
            ("1.5", None),
            ("64kib", None),
            ("99999999GiB", None),
        ]);
        let listen = |text: &str| Some(Listen(text.parse().unwrap()));
        reads(&[
            (":9000", listen("127.0.0.1:9000")),
            ("9000", listen("127.0.0.1:9000")),
            ("0.0.0.0:9000", listen("0.0.0.0:9000")),
            ("90000", None),
            (":", None),
            ("[::1]:80", listen("[::1]:80")),
            ("127.0.0.1:0", listen("127.0.0.1:0")),
            (":http", None),
            (":70000", None),
        ]);
        reads(&[("yes", Some(true)), ("false", Some(false)), ("1", None)]);
        let chance = |number| Some(Chance(number));
        reads(&[
            ("0.25", chance(0.25)),
            ("0", chance(0.0)),
            ("1", chance(1.0)),
            ("1.1", None),
            ("-0.5", None),
            ("NaN", None),
            ("x", None),
        ]);
        reads(&[
            ("1ms", ms(1).map(AboveZero)),
            ("0s", None),
            ("0.1ns", None),
            ("5", None),
        ]);
        reads(&[("1", Some(AboveZero(Size(1)))), ("0", None)]);
        reads(&[("65535", Some(65535_u16)), ("65536", None), ("-1", None)]);
    }
}
