//! Values of options that several programs take. A message says what is wanted, with its range.

use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU16, NonZeroU32, NonZeroU64};
use std::ops::RangeInclusive;
use std::str::FromStr;

use kamea_components::net::parse_address;

/// Reads an address: `127.0.0.1:9235`, `[::1]:9235`, or only a port of this machine, `9235` or
/// `:9235`.
///
/// # Examples
///
/// ```
/// assert_eq!(kamea_recipes::address(":9235")?, "127.0.0.1:9235".parse().unwrap());
/// assert!(kamea_recipes::address("localhost").is_err());
/// # Ok::<(), String>(())
/// ```
///
/// # Errors
///
/// What is wanted.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    parse_address(text).map_err(|error| error.to_string())
}

/// Reads an IP address, without a port.
///
/// # Examples
///
/// ```
/// assert!(kamea_recipes::ip("::1")?.is_loopback());
/// assert!(kamea_recipes::ip("127.0.0.1:80").unwrap_err().contains("port"));
/// # Ok::<(), String>(())
/// ```
///
/// # Errors
///
/// What is wanted; if the text has a port, that this is another option.
pub fn ip(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| {
        let wanted = "an IP address is wanted, such as 127.0.0.1 or ::1";
        match parse_address(text) {
            Ok(_) => format!("{wanted}; the port has an option of its own"),
            Err(_) => wanted.to_owned(),
        }
    })
}

/// Reads a port; 0 is a free one.
///
/// # Examples
///
/// ```
/// assert_eq!(kamea_recipes::port("8080"), Ok(8080));
/// assert_eq!(kamea_recipes::port("65536").unwrap_err(), "a port is a number from 0 to 65535");
/// ```
///
/// # Errors
///
/// The range of ports.
pub fn port(text: &str) -> Result<u16, String> {
    let wanted = || format!("a port is a number from 0 to {}", u16::MAX);
    text.parse().map_err(|_| wanted())
}

/// Reads a whole number that its type can hold: any [`NonZero`](std::num::NonZero) from 1.
///
/// # Examples
///
/// ```
/// use std::num::NonZeroU16;
/// use kamea_recipes::whole;
///
/// assert_eq!(whole::<u32>("0"), Ok(0));
/// let error = whole::<NonZeroU16>("0").unwrap_err();
/// assert_eq!(error, "a whole number from 1 to 65535 is wanted");
/// ```
///
/// # Errors
///
/// The range of the type.
pub fn whole<T: Whole>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| wanted(T::RANGE))
}

/// Returns a reader of whole numbers in this range.
///
/// # Examples
///
/// ```
/// let workers = kamea_recipes::within(1..=1024);
/// assert_eq!(workers("8"), Ok(8_u16));
/// assert_eq!(workers("0").unwrap_err(), "a whole number from 1 to 1024 is wanted");
/// ```
pub fn within<T>(range: RangeInclusive<T>) -> impl Fn(&str) -> Result<T, String> + Clone
where
    T: Copy + FromStr + Into<u64> + PartialOrd,
{
    move |text| {
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| wanted((*range.start()).into()..=(*range.end()).into()))
    }
}

fn wanted(range: RangeInclusive<u64>) -> String {
    let (least, most) = range.into_inner();
    format!("a whole number from {least} to {most} is wanted")
}

/// A type of whole numbers without a sign, and its range.
pub trait Whole: FromStr {
    /// The smallest number and the largest.
    const RANGE: RangeInclusive<u64>;
}

macro_rules! whole_numbers {
    ($($number:ty: $least:literal to $most:expr;)*) => {$(
        impl Whole for $number {
            const RANGE: RangeInclusive<u64> = $least..=$most;
        }
    )*};
}

whole_numbers! {
    u32: 0 to u32::MAX as u64;
    u64: 0 to u64::MAX;
    usize: 0 to usize::MAX as u64;
    NonZeroU16: 1 to u16::MAX as u64;
    NonZeroU32: 1 to u32::MAX as u64;
    NonZeroU64: 1 to u64::MAX;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_is_told_the_range() {
        for text in ["", "x", "-1", "1.5", " 1", "99999999999999999999"] {
            for (error, range) in [
                (whole::<u32>(text).unwrap_err(), "from 0 to 4294967295"),
                (whole::<NonZeroU16>(text).unwrap_err(), "from 1 to 65535"),
                (within(2_u32..=9)(text).unwrap_err(), "from 2 to 9"),
                (port(text).unwrap_err(), "from 0 to 65535"),
            ] {
                assert!(error.contains(range), "{text}: {error}");
            }
        }
        for text in ["1", "10"] {
            assert!(within(2_u32..=9)(text).is_err(), "{text}");
        }
        assert_eq!(
            ["2", "9"].map(within(2_u32..=9)),
            [Ok(2), Ok(9)],
            "its ends are in a range"
        );
    }

    #[test]
    fn an_ip_address_with_a_port_is_told_of_the_port() {
        for text in ["127.0.0.1:80", "[::1]:80", ":80", "80"] {
            assert!(ip(text).unwrap_err().contains("port"), "{text}");
        }
        for text in ["", "localhost", "127.0.0", "[::1]", "70000", "1.2.3.4:x"] {
            let error = ip(text).unwrap_err();
            assert!(
                error.contains("such as 127.0.0.1") && !error.contains("port"),
                "{text}: {error}"
            );
        }
    }
}
