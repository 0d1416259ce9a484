//! The name of a host that gets a certificate.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// The longest name of the DNS (RFC 1035 section 2.3.4).
const LONGEST: usize = 253;

/// The name of a host in the DNS, in lower case. It is also safe as the name of a file.
///
/// # Examples
///
/// ```
/// use kamea_acme::Name;
///
/// let name: Name = "WWW.Example.org.".parse()?;
/// assert_eq!(name.as_str(), "www.example.org");
/// let error = "*.example.org".parse::<Name>().unwrap_err();
/// assert!(error.to_string().contains("each name"));
/// # Ok::<(), kamea_acme::NameError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(String);

/// Why a text is not the name of a host that gets a certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// A wildcard.
    #[error("wildcards need the challenge dns-01, which is not supported: give each name")]
    Wildcard,
    /// An address.
    #[error("an address gets no certificate: give the name of the host, such as example.org")]
    Address,
    /// Not a name of the DNS.
    #[error(
        "a name consists of labels of letters, digits and hyphens, such as www.example.org; \
         others are written as xn--"
    )]
    Syntax,
}

impl Name {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        if name.contains('*') {
            return Err(NameError::Wildcard);
        }
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        if bare.parse::<IpAddr>().is_ok() {
            return Err(NameError::Address);
        }
        if name.len() > LONGEST || !name.split('.').all(is_label) {
            return Err(NameError::Syntax);
        }
        Ok(Self(name))
    }
}

fn is_label(label: &str) -> bool {
    let is_right = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=63).contains(&label.len())
        && label.bytes().all(is_right)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_hosts() {
        for right in ["example.org", "a", "xn--bcher-kva.example", "1.example"] {
            assert_eq!(right.parse::<Name>().unwrap().as_str(), right);
        }
        for (wrong, why) in [
            ("*.example.org", NameError::Wildcard),
            ("127.0.0.1", NameError::Address),
            ("[::1]", NameError::Address),
            ("", NameError::Syntax),
            (".", NameError::Syntax),
            ("..", NameError::Syntax),
            ("../etc", NameError::Syntax),
            ("a/b", NameError::Syntax),
            ("a..b", NameError::Syntax),
            ("-a.example", NameError::Syntax),
            ("bücher.example", NameError::Syntax),
            ("example.org:443", NameError::Syntax),
            ("https://example.org", NameError::Syntax),
        ] {
            assert_eq!(wrong.parse::<Name>(), Err(why), "{wrong}");
        }
        assert!(["a"; 127].join(".").parse::<Name>().is_ok());
        assert!(["a"; 128].join(".").parse::<Name>().is_err());
        assert!("a".repeat(64).parse::<Name>().is_err());
    }
}
