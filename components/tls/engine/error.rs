//! What can be wrong on a TLS connection, and the alerts that tell it (RFC 8446 section 6).

use std::time::Duration;

use rustls::AlertDescription;

use crate::tls::FailedHandshake;

/// What is wrong on a TLS connection.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The peer ended the connection with an alert (RFC 8446 section 6).
    #[error("the peer sent the alert {0}")]
    Alert(String),
    /// The connection ended without the `close_notify` that tells its end from an attack (RFC 8446
    /// section 6.1).
    #[error("the connection ended without close_notify: it may be truncated")]
    Truncated,
    /// The peer broke a rule of the protocol, or both ends have nothing in common: we ended the
    /// connection.
    #[error("{text}")]
    Refused {
        /// The name of the alert that the peer was sent, or `other`.
        alert: String,
        /// What was wrong.
        text: String,
    },
    /// The handshake was not complete in time.
    #[error("the handshake took longer than {} s", .0.as_secs_f64())]
    Late(Duration),
    /// The connection ended before the handshake was complete.
    #[error("the peer left during the handshake")]
    Left,
    /// The session does not allow this now.
    #[error("{0}")]
    Session(String),
    /// The name of the server is not a name or an address.
    #[error("{0:?} is not the name or the address of a server")]
    Name(String),
    /// The options do not fit together.
    #[error("{0}")]
    Options(String),
}

impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> Self {
        match error {
            rustls::Error::AlertReceived(alert) => Self::Alert(alert_name(alert)),
            error => Self::Refused {
                text: text(&error),
                alert: alert_for(error).map_or_else(|| "other".to_owned(), alert_name),
            },
        }
    }
}

impl TlsError {
    /// Who has ended a handshake, and why.
    pub(in crate::tls) fn failure(&self) -> FailedHandshake {
        let (ended_by, reason) = match self {
            Self::Alert(alert) => ("client", alert.as_str()),
            Self::Left | Self::Truncated => ("client", "left"),
            Self::Refused { alert, .. } => ("server", alert.as_str()),
            Self::Late(_) => ("server", "late"),
            Self::Name(_) | Self::Options(_) | Self::Session(_) => ("server", "other"),
        };
        FailedHandshake {
            ended_by,
            reason: reason.to_owned(),
        }
    }
}

/// The error in words.
fn text(error: &rustls::Error) -> String {
    use rustls::CertificateError as Certificate;
    match error {
        // An authority of the same name with another key has not signed it either.
        rustls::Error::InvalidCertificate(
            Certificate::UnknownIssuer
            | Certificate::BadSignature
            | Certificate::UnsupportedSignatureAlgorithmForPublicKeyContext { .. },
        ) => "invalid peer certificate: no authority that is trusted here has signed it".to_owned(),
        _ => error.to_string(),
    }
}

/// The alert that rustls sends for an error of the peer.
fn alert_for(error: rustls::Error) -> Option<AlertDescription> {
    use rustls::Error as E;
    use rustls::PeerIncompatible as Incompatible;
    Some(match error {
        E::InvalidCertificate(error) => error.into(),
        E::InvalidMessage(error) => error.into(),
        E::InappropriateMessage { .. } | E::InappropriateHandshakeMessage { .. } => {
            AlertDescription::UnexpectedMessage
        }
        E::NoCertificatesPresented => AlertDescription::CertificateRequired,
        E::NoApplicationProtocol => AlertDescription::NoApplicationProtocol,
        E::DecryptError => AlertDescription::BadRecordMac,
        E::PeerSentOversizedRecord => AlertDescription::RecordOverflow,
        E::PeerMisbehaved(_) => AlertDescription::IllegalParameter,
        E::PeerIncompatible(
            Incompatible::SupportedVersionsExtensionRequired
            | Incompatible::Tls12NotOffered
            | Incompatible::Tls12NotOfferedOrEnabled
            | Incompatible::Tls13RequiredForQuic
            | Incompatible::ServerDoesNotSupportTls12Or13
            | Incompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => AlertDescription::ProtocolVersion,
        E::PeerIncompatible(_) => AlertDescription::HandshakeFailure,
        _ => return None,
    })
}

/// The alert that these records end with, if it is not encrypted. What an error stands for is known
/// only roughly: `rustls` chooses the alert where it meets the error.
pub(super) fn last_alert(mut records: &[u8]) -> Option<AlertDescription> {
    while let [kind, _, _, high, low, rest @ ..] = records {
        let length = u16::from_be_bytes([*high, *low]).into();
        let (content, next) = rest.split_at_checked(length)?;
        if let (21, [_, number], []) = (*kind, content, next) {
            return Some(AlertDescription::from(*number));
        }
        records = next;
    }
    None
}

/// The name of an alert, as RFC 8446 writes it.
pub(super) fn alert_name(alert: AlertDescription) -> String {
    if let AlertDescription::Unknown(_) = alert {
        return "unknown".to_owned();
    }
    let debug = format!("{alert:?}");
    let mut name = String::with_capacity(debug.len() + 4);
    let mut was_lowercase = false;
    for letter in debug.chars() {
        if letter.is_ascii_uppercase() && was_lowercase {
            name.push('_');
        }
        was_lowercase = letter.is_ascii_lowercase();
        name.push(letter.to_ascii_lowercase());
    }
    name
}
