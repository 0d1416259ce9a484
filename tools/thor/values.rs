//! The values of `thor`'s options.

use std::str::FromStr;
use std::time::Duration;

use kamea_components::http::{Url, UrlError};
use kamea_components::net::complete_address;

/// A URL, and how it was written.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) text: String,
    /// Of a WebSocket: the URL that its handshake requests.
    pub(crate) url: Url,
    /// Whether the URL is that of a WebSocket: `ws` or `wss`.
    pub(crate) is_websocket: bool,
}

impl FromStr for Target {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let text = &*complete_url(text);
        let scheme = text.split_once("://").map(|(scheme, _)| scheme);
        let is = |name: &str| scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(name));
        let is_websocket = is("ws") || is("wss");
        Ok(Self {
            text: text.to_owned(),
            url: match is_websocket {
                true => Url::websocket(text)?,
                false => text.parse()?,
            },
            is_websocket,
        })
    }
}

/// Puts this machine (127.0.0.1) before a port without a host: `9234`, `:9234/path`, `ws://:9234/`.
fn complete_url(text: &str) -> String {
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) if !scheme.contains(['/', '?', '#']) => (scheme, rest),
        _ => ("", text),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (server, target) = rest.split_at(end);
    match (scheme, server.starts_with(':')) {
        ("", _) => format!("{}{target}", complete_address(server)),
        (_, true) => format!("{scheme}://{}{target}", complete_address(server)),
        // Names of digits are allowed in URLs.
        (_, false) => text.to_owned(),
    }
}

/// A URL, and its weight compared with others: `URL`, or `3*URL`.
#[derive(Debug, Clone)]
pub(crate) struct Weighted {
    pub(crate) weight: u32,
    pub(crate) target: Target,
}

impl FromStr for Weighted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (weight, target) = match text.split_once('*') {
            // A `*` in a path or a query is not a weight.
            Some((weight, target)) if !weight.contains(['/', '?']) => (weight, target),
            _ => ("1", text),
        };
        let target: Target = target
            .parse()
            .map_err(|error: UrlError| error.to_string())?;
        match weight.parse() {
            Ok(weight @ 1..=1_000_000) => Ok(Self { weight, target }),
            _ => Err("a weight is a number from 1 to 1000000, as in 3*URL".to_owned()),
        }
    }
}

/// A period of time that is not 0: `500ms`, `10s`, `2m`, `1h`, or a number of seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Period(pub(crate) Duration);

impl FromStr for Period {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wanted = "a time is a number and its unit, such as 500ms, 10s, 2m or 1h, at most 1000h";
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let seconds = match &text[digits.len()..] {
            "ms" => 0.001,
            "" | "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return Err(wanted),
        };
        let number: f64 = digits.parse().map_err(|_| wanted)?;
        let period = Duration::try_from_secs_f64(number * seconds).map_err(|_| wanted)?;
        let is_right = !period.is_zero() && period <= Duration::from_secs(3_600_000);
        is_right.then_some(Self(period)).ok_or(wanted)
    }
}

/// A number of bytes: `20`, `16KiB`, `1MiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) usize);

/// The largest message, in bytes.
const LARGEST: usize = 64 << 20;

impl FromStr for Size {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wanted = "a size is a number of bytes, such as 20, 16KiB or 1MiB, at most 64MiB";
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = match &text[digits.len()..] {
            "" | "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            _ => return Err(wanted),
        };
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        let number: Option<usize> = digits.parse().ok().filter(|_| is_number);
        let size = number.and_then(|number| number.checked_mul(unit));
        size.filter(|size| *size <= LARGEST).map(Self).ok_or(wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, size) in [
            ("0", 0),
            ("20", 20),
            ("20B", 20),
            ("16KiB", 16384),
            ("64MiB", LARGEST),
        ] {
            assert_eq!(text.parse(), Ok(Size(size)), "{text}");
        }
        for text in [
            "",
            "KiB",
            "+1",
            "-1",
            "1KB",
            "1.5KiB",
            "65MiB",
            "99999999999999999999",
        ] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }

    #[test]
    fn urls_of_websockets() {
        for (text, is_websocket, server) in [
            ("ws://a/b", true, "a:80"),
            ("WSS://a/b", true, "a:443"),
            ("http://a/b", false, "a:80"),
            ("a?to=ws://b", false, "a:80"),
        ] {
            let target: Target = text.parse().unwrap();
            let found = (target.is_websocket, &*target.url.server());
            assert_eq!(found, (is_websocket, server), "{text}");
        }
        for text in ["ws://", "ws:a", "wss://a:0"] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_port_alone_is_one_of_this_machine() {
        for (text, server, target) in [
            ("9234", "127.0.0.1:9234", "/"),
            (":9234", "127.0.0.1:9234", "/"),
            (":9234/a:b?c", "127.0.0.1:9234", "/a:b?c"),
            ("9234?c#d", "127.0.0.1:9234", "/?c"),
            ("http://:9234/", "127.0.0.1:9234", "/"),
            ("https://:9234", "127.0.0.1:9234", "/"),
            ("wss://:9234/chat", "127.0.0.1:9234", "/chat"),
            ("http://9234/", "9234:80", "/"),
            ("a/?to=http://:1", "a:80", "/?to=http://:1"),
        ] {
            let Target { url, .. } = text.parse().unwrap();
            assert_eq!((&*url.server(), url.target()), (server, target), "{text}");
        }
        let weighted: Weighted = "3*:9234/".parse().unwrap();
        assert_eq!(weighted.target.url.server(), "127.0.0.1:9234");
        for text in [":70000", "70000", ":0", ":", ":x", "http://:/"] {
            let error = text.parse::<Target>().unwrap_err();
            assert!(
                matches!(error, UrlError::Port | UrlError::Host),
                "{text}: {error}"
            );
        }
    }

    #[test]
    fn urls_with_weights() {
        for (text, weight, written) in [
            ("localhost", 1, "localhost"),
            ("3*localhost", 3, "localhost"),
            ("1000000*http://a/", 1_000_000, "http://a/"),
            ("http://a/*", 1, "http://a/*"),
            ("a/2*3", 1, "a/2*3"),
            ("a?2*3", 1, "a?2*3"),
        ] {
            let Weighted {
                weight: found,
                target,
            } = text.parse().unwrap();
            assert_eq!((found, &*target.text), (weight, written), "{text}");
        }
        for text in [
            "",
            "3*",
            "*localhost",
            "0*a",
            "1000001*a",
            "99999999999*a",
            "-1*a",
            "x*a",
        ] {
            assert!(text.parse::<Weighted>().is_err(), "{text}");
        }
    }

    #[test]
    fn periods() {
        for (text, milliseconds) in [
            ("500ms", 500),
            ("10s", 10_000),
            ("10", 10_000),
            ("0.25", 250),
            ("2m", 120_000),
            ("1.5h", 5_400_000),
        ] {
            let period = Duration::from_millis(milliseconds);
            assert_eq!(text.parse(), Ok(Period(period)), "{text}");
        }
        for text in [
            "", "s", "0", "0s", "-1s", "1d", "1 s", "ten", "1e99h", "nan", "inf", "1001h",
        ] {
            assert!(text.parse::<Period>().is_err(), "{text}");
        }
    }
}
