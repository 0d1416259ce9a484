//! The options of TLS, declared once: the programs make their command lines of this table.

use std::ffi::OsStr;

use super::TlsSettings;
use crate::tls::MinimalVersion;

/// An option of TLS, as a command line has it.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct TlsOption {
    /// Its name, without the hyphens before it.
    pub name: &'static str,
    /// What its value is.
    pub value: OptionValue,
    /// Whether it can be given several times.
    pub is_repeatable: bool,
    /// What it does, in words.
    pub help: &'static str,
}

/// What the value of an option is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OptionValue {
    /// It has none.
    None,
    /// A file.
    File,
    /// A port.
    Port,
    /// Seconds.
    Seconds,
    /// One of [`VERSIONS`](TlsSettings::VERSIONS).
    Version,
}

impl OptionValue {
    /// Its name in a help text; `None` if there is no value.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::File => Some("FILE"),
            Self::Port => Some("PORT"),
            Self::Seconds => Some("SECONDS"),
            Self::Version => Some("VERSION"),
        }
    }
}

const fn flag(name: &'static str, help: &'static str) -> TlsOption {
    one(name, OptionValue::None, help)
}

const fn one(name: &'static str, value: OptionValue, help: &'static str) -> TlsOption {
    TlsOption {
        name,
        value,
        is_repeatable: false,
        help,
    }
}

const fn files(name: &'static str, help: &'static str) -> TlsOption {
    TlsOption {
        name,
        value: OptionValue::File,
        is_repeatable: true,
        help,
    }
}

impl TlsSettings {
    /// The options, in the order of a help text.
    pub const OPTIONS: &'static [TlsOption] = &[
        files(
            "tls-cert",
            "Serve https with this certificate and its chain, a PEM file; further ones are for \
             further names",
        ),
        files(
            "tls-key",
            "The key of the certificate, a PEM file [default: the file of the certificate]",
        ),
        files(
            "tls-ocsp",
            "The OCSP response for the certificate, a DER file, sent to clients while it is \
             current; further ones are for further certificates, in the same order",
        ),
        flag(
            "tls-self-signed",
            "Serve https with a certificate that this machine signs itself, for its own names",
        ),
        one(
            "tls-port",
            OptionValue::Port,
            "The port of https; the port of the server then serves http beside it [default: the \
             port of the server, and no http]",
        ),
        flag("redirect-http", "Redirect http to https; needs --tls-port"),
        one(
            "hsts",
            OptionValue::Seconds,
            "Seconds for which browsers use only https for this site; 0 ends that \
             (Strict-Transport-Security)",
        ),
        one(
            "tls-client-ca",
            OptionValue::File,
            "Clients must show a certificate that one of these has signed, a PEM file",
        ),
        flag(
            "tls-client-optional",
            "Serve clients without a certificate too; needs --tls-client-ca",
        ),
        one(
            "tls-min",
            OptionValue::Version,
            "The lowest version of TLS [default: 1.2]",
        ),
    ];

    /// The values of `tls-min`.
    pub const VERSIONS: [&str; 2] = ["1.2", "1.3"];

    /// Takes an option of a command line, without the hyphens before it. The value of one that has
    /// none is ignored. An option that is not repeatable takes its last value.
    ///
    /// # Errors
    ///
    /// What would be a right value, or that there is no such option.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_components::server::TlsSettings;
    ///
    /// let mut settings = TlsSettings::default();
    /// settings.set("tls-self-signed", "".as_ref())?;
    /// settings.set("tls-port", "443".as_ref())?;
    /// assert!(settings.self_signed && settings.port == Some(443));
    /// let error = settings.set("tls-min", "1.1".as_ref()).unwrap_err();
    /// assert_eq!(error, "one of these is wanted: 1.2, 1.3");
    /// # Ok::<(), String>(())
    /// ```
    pub fn set(&mut self, name: &str, value: &OsStr) -> Result<(), String> {
        match name {
            "tls-cert" => self.certificates.push(value.into()),
            "tls-key" => self.keys.push(value.into()),
            "tls-ocsp" => self.ocsp.push(value.into()),
            "tls-self-signed" => self.self_signed = true,
            "tls-port" => self.port = Some(number(value, "a port is a number from 0 to 65535")?),
            "redirect-http" => self.redirect_http = true,
            "hsts" => {
                let wanted = "a whole number from 0 to 4294967295 is wanted";
                self.hsts = Some(number(value, wanted)?);
            }
            "tls-client-ca" => self.client_ca = Some(value.into()),
            "tls-client-optional" => self.client_optional = true,
            "tls-min" => {
                self.minimal_version = Some(match value.to_str() {
                    Some("1.2") => MinimalVersion::Tls12,
                    Some("1.3") => MinimalVersion::Tls13,
                    _ => {
                        let wanted = Self::VERSIONS.join(", ");
                        return Err(format!("one of these is wanted: {wanted}"));
                    }
                });
            }
            _ => return Err(format!("--{name} is no option of TLS")),
        }
        Ok(())
    }
}

fn number<N: std::str::FromStr>(value: &OsStr, wanted: &str) -> Result<N, String> {
    let number = value.to_str().and_then(|text| text.parse().ok());
    number.ok_or_else(|| wanted.to_owned())
}
