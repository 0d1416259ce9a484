//! Why there is no certificate.

use std::io;

use kamea_components::process::printable;
use kamea_components::tls::{CertificateError, TlsError};

/// The longest text of an authority that is repeated, in bytes.
const LONGEST: usize = 500;

/// Why there is no certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AcmeError {
    /// The authority cannot be reached.
    #[error("cannot reach the authority at {server}: {why}")]
    Unreachable {
        /// The host and the port.
        server: String,
        /// The reason.
        why: String,
    },
    /// The authority refuses a request (RFC 8555 section 6.7).
    #[error("the authority refuses it: {0}")]
    Refused(String),
    /// The authority could not validate that the name leads to this server.
    #[error("the authority could not validate {name} by {challenge}: {why}")]
    Invalid {
        /// The name.
        name: String,
        /// The kind of challenge.
        challenge: &'static str,
        /// What the authority says.
        why: String,
    },
    /// The authority answers with something that is not ACME.
    #[error("the answer of the authority is not understood: {0}")]
    Answer(String),
    /// The authority does not finish in time.
    #[error("the authority does not finish in time")]
    Late,
    /// A file of the state cannot be read or written.
    #[error("{0}")]
    State(String),
}

impl AcmeError {
    /// Whether the same request may be sent again at once, with another nonce (RFC 8555 section
    /// 6.5).
    pub(crate) fn is_bad_nonce(error: &instant_acme::Error) -> bool {
        let instant_acme::Error::Api(problem) = error else {
            return false;
        };
        problem.r#type.as_deref() == Some("urn:ietf:params:acme:error:badNonce")
    }

    pub(crate) fn state(what: impl std::fmt::Display, error: &io::Error) -> Self {
        Self::State(format!("{what}: {error}"))
    }
}

impl From<instant_acme::Error> for AcmeError {
    fn from(error: instant_acme::Error) -> Self {
        match error {
            instant_acme::Error::Api(problem) => Self::Refused(said(&problem)),
            instant_acme::Error::Other(error) => match error.downcast::<Self>() {
                Ok(own) => *own,
                Err(other) => Self::Answer(short(&other.to_string())),
            },
            instant_acme::Error::Timeout(_) => Self::Late,
            other => Self::Answer(short(&other.to_string())),
        }
    }
}

impl From<CertificateError> for AcmeError {
    fn from(error: CertificateError) -> Self {
        Self::Answer(short(&error.to_string()))
    }
}

impl From<TlsError> for AcmeError {
    fn from(error: TlsError) -> Self {
        Self::Answer(short(&error.to_string()))
    }
}

/// What a problem document says, in one line.
pub(crate) fn said(problem: &instant_acme::Problem) -> String {
    let kind = problem.r#type.as_deref().unwrap_or("no type");
    let kind = kind.rsplit(':').next().unwrap_or(kind);
    let mut text = format!(
        "{} ({kind})",
        problem.detail.as_deref().unwrap_or("no detail")
    );
    for part in &problem.subproblems {
        text.push_str(&format!("; {part}"));
    }
    short(&text)
}

/// A text of the authority, safe for a log: one line, of a limited length.
pub(crate) fn short(text: &str) -> String {
    let end = text.floor_char_boundary(LONGEST);
    let dots = if end < text.len() { "..." } else { "" };
    printable(&text.as_bytes()[..end]) + dots
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_authority_says_is_one_line_of_limited_length() {
        assert_eq!(short("a\r\nb\u{1b}[31m"), "a\\r\\nb\\u{1b}[31m");
        let long = short(&"é".repeat(1000));
        assert!(long.len() <= LONGEST + 3 && long.ends_with("..."));
    }
}
