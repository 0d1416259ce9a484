//! Values of options: how they are read from the command line, and from the configuration file.

use std::convert::Infallible;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;
use kamea_components::http::Fields;
use kamea_components::net::parse_address;

/// Which content codings files are served in.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Compress {
    Off,
    Stored,
    Made,
}

/// Whether something is done.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Switch {
    On,
    Off,
}

impl From<Switch> for bool {
    fn from(switch: Switch) -> Self {
        matches!(switch, Switch::On)
    }
}

/// How a line of the access log looks.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Format {
    Common,
    Combined,
    Forwarded,
}

/// What is not shown.
#[derive(Clone)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

/// Where to listen: an address with a port of its own, or for which `--port` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bind {
    pub(crate) ip: IpAddr,
    pub(crate) port: Option<u16>,
}

impl FromStr for Bind {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(ip) = text.parse() {
            return Ok(Self { ip, port: None });
        }
        let wanted = "an IP address is wanted, such as 127.0.0.1 or ::1, or one with a port, such as \
                      127.0.0.1:8080, or only a port, such as :8080; ports end at 65535";
        let address = parse_address(text).map_err(|_| wanted)?;
        Ok(Self {
            ip: address.ip(),
            port: Some(address.port()),
        })
    }
}

/// A number of seconds above 0, at most a day.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seconds(Duration);

impl Seconds {
    const WANTED: &'static str = "a number of seconds above 0 is wanted, at most 86400";

    fn new(seconds: f64) -> Option<Self> {
        let seconds = Duration::try_from_secs_f64(seconds).ok()?;
        let is_right = !seconds.is_zero() && seconds <= Duration::from_secs(86_400);
        is_right.then_some(Self(seconds))
    }
}

impl From<Seconds> for Duration {
    fn from(seconds: Seconds) -> Self {
        seconds.0
    }
}

impl FromStr for Seconds {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let seconds = text.parse().ok();
        seconds.and_then(Self::new).ok_or(Self::WANTED)
    }
}

/// A field that every response has.
#[derive(Debug, Clone)]
pub(crate) struct Header {
    pub(crate) name: String,
    pub(crate) value: String,
}

impl FromStr for Header {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = "a field is NAME: VALUE, such as X-Frame-Options: DENY";
        let (name, value) = text.split_once(':').ok_or(wanted)?;
        let (name, value) = (name.trim().to_owned(), value.trim().to_owned());
        let framing = ["date", "connection", "content-length", "transfer-encoding"];
        if framing.contains(&name.to_lowercase().as_str()) {
            return Err(format!("{name} is the server's own, and cannot be set"));
        }
        let checked = Fields::new().push(&name, &value);
        checked.map_err(|error| format!("{error}; {wanted}"))?;
        Ok(Self { name, value })
    }
}

/// The media type of an extension.
#[derive(Debug, Clone)]
pub(crate) struct MediaType {
    pub(crate) extension: String,
    pub(crate) media_type: String,
}

impl FromStr for MediaType {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wanted = "a media type is EXTENSION=TYPE, such as wasm=application/wasm";
        let (extension, media_type) = text.split_once('=').ok_or(wanted)?;
        let (extension, media_type) = (extension.trim(), media_type.trim());
        let is_valid = Fields::new().push("Content-Type", media_type).is_ok();
        if extension.is_empty() || !media_type.contains('/') || !is_valid {
            return Err(wanted);
        }
        Ok(Self {
            extension: extension.trim_start_matches('.').to_lowercase(),
            media_type: media_type.to_owned(),
        })
    }
}
