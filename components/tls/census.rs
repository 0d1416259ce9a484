//! The handshakes of a server, counted, and its certificates.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Certificate, Renewal, TlsError};

/// What is counted of the handshakes of a server, on all workers. A clone is the same.
///
/// # Examples
///
/// ```
/// use kamea_components::tls::{ServerTls, TlsError, TlsOptions, self_signed};
///
/// let tls = ServerTls::new(TlsOptions::new(vec![self_signed(&["localhost"])?]))?;
/// let census = tls.census();
/// census.begin().end(Ok(false));
/// census.begin().end(Err(&TlsError::Left));
/// let handshakes = census.handshakes();
/// assert_eq!((handshakes.full, handshakes.failed()), (1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct TlsCensus(Arc<Mutex<Counted>>);

#[derive(Debug, Default)]
struct Counted {
    handshakes: Handshakes,
    certificates: Vec<Certificate>,
    renewals: Vec<Renewal>,
}

/// How many handshakes there were, by how they ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Handshakes {
    /// Those that have begun and not ended.
    pub waiting: u64,
    /// Full ones.
    pub full: u64,
    /// Those that have resumed a session.
    pub resumed: u64,
    /// Those that have failed, by who ended them and why.
    pub failures: BTreeMap<FailedHandshake, u64>,
}

/// Why a handshake failed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct FailedHandshake {
    /// `client` or `server`.
    pub ended_by: &'static str,
    /// The name of the alert (RFC 8446 section 6), or `left`, `late`, `other`.
    pub reason: String,
}

impl Handshakes {
    /// How many have failed.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failures.values().sum()
    }
}

/// A handshake that has begun. Dropping it forgets it: the server has stopped.
#[derive(Debug)]
#[must_use = "the end of a handshake is counted too"]
pub struct BegunHandshake(TlsCensus);

impl BegunHandshake {
    /// Counts the end: whether a session was resumed, or why the handshake failed.
    pub fn end(self, made: Result<bool, &TlsError>) {
        let mut counted = self.0.counted();
        let handshakes = &mut counted.handshakes;
        match made {
            Ok(true) => handshakes.resumed += 1,
            Ok(false) => handshakes.full += 1,
            Err(error) => *handshakes.failures.entry(error.failure()).or_default() += 1,
        }
    }
}

impl Drop for BegunHandshake {
    fn drop(&mut self) {
        self.0.counted().handshakes.waiting -= 1;
    }
}

impl TlsCensus {
    /// No operation under the lock can leave the figures half changed.
    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts the begin of a handshake.
    pub fn begin(&self) -> BegunHandshake {
        self.counted().handshakes.waiting += 1;
        BegunHandshake(self.clone())
    }

    /// Notes the certificates that are in force.
    pub fn note_certificates(&self, certificates: &[Certificate]) {
        self.counted().certificates = certificates.to_vec();
    }

    /// Notes the renewals by an authority.
    pub fn note_renewals(&self, renewals: Vec<Renewal>) {
        self.counted().renewals = renewals;
    }

    /// The renewals by an authority; empty if no certificate is renewed by this program.
    #[must_use]
    pub fn renewals(&self) -> Vec<Renewal> {
        self.counted().renewals.clone()
    }

    /// The handshakes.
    #[must_use]
    pub fn handshakes(&self) -> Handshakes {
        self.counted().handshakes.clone()
    }

    /// The certificates that are in force.
    #[must_use]
    pub fn certificates(&self) -> Vec<Certificate> {
        self.counted().certificates.clone()
    }

    /// The figures in the text format of Prometheus, version 0.0.4; empty before there are
    /// certificates.
    #[must_use]
    pub fn to_prometheus(&self) -> String {
        let Handshakes {
            waiting,
            full,
            resumed,
            failures,
        } = self.handshakes();
        let (mut text, certificates) = (String::new(), self.certificates());
        if certificates.is_empty() {
            return text;
        }
        family(
            &mut text,
            "kamea_tls_handshakes_total",
            "counter",
            "TLS handshakes that were made.",
            [
                ("kind=\"full\"".into(), full),
                ("kind=\"resumed\"".into(), resumed),
            ],
        );
        let failed = failures.iter().map(|(failed, count)| {
            let FailedHandshake { ended_by, reason } = failed;
            (
                format!("ended_by=\"{ended_by}\",reason=\"{reason}\""),
                *count,
            )
        });
        family(
            &mut text,
            "kamea_tls_handshakes_failed_total",
            "counter",
            "TLS handshakes that failed, by who ended them, and by alert.",
            failed,
        );
        family(
            &mut text,
            "kamea_tls_handshakes_waiting",
            "gauge",
            "TLS handshakes that have begun and not ended.",
            [(String::new(), waiting)],
        );
        let certificates = certificates.iter().map(|certificate| {
            let names = certificate.names().join(" ");
            let serial = certificate.serial();
            let labels = format!("names=\"{}\",serial=\"{serial}\"", escaped(&names));
            (labels, certificate.days_left())
        });
        family(
            &mut text,
            "kamea_tls_certificate_days_left",
            "gauge",
            "Days that a certificate is still valid.",
            certificates,
        );
        renewals(&mut text, &self.renewals());
        text
    }
}

/// Writes the metrics of the renewals, if there are any.
fn renewals(text: &mut String, renewals: &[Renewal]) {
    if renewals.is_empty() {
        return;
    }
    let named = |renewal: &Renewal| format!("name=\"{}\"", escaped(&renewal.name));
    family(
        text,
        "kamea_acme_failures",
        "gauge",
        "Failures to order or renew a certificate since the last success.",
        renewals
            .iter()
            .map(|renewal| (named(renewal), i64::from(renewal.failures))),
    );
    family(
        text,
        "kamea_acme_next_try_timestamp_seconds",
        "gauge",
        "When the authority is asked again.",
        renewals
            .iter()
            .map(|renewal| (named(renewal), renewal.next_try)),
    );
}

/// Writes a metric and its series, by their labels.
fn family<N: std::fmt::Display>(
    text: &mut String,
    name: &str,
    kind: &str,
    help: &str,
    series: impl IntoIterator<Item = (String, N)>,
) {
    // A string takes everything.
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    for (labels, number) in series {
        let _ = match labels.is_empty() {
            true => writeln!(text, "{name} {number}"),
            false => writeln!(text, "{name}{{{labels}}} {number}"),
        };
    }
}

/// The value of a label.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    text.replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::self_signed;

    #[test]
    fn handshakes_are_counted_by_their_end() {
        let census = TlsCensus::default();
        let first = census.begin();
        let (second, third) = (census.begin(), census.clone().begin());
        assert_eq!(census.handshakes().waiting, 3);
        first.end(Ok(true));
        second.end(Err(&TlsError::Alert("unknown_ca".to_owned())));
        drop(third);
        census
            .begin()
            .end(Err(&TlsError::Alert("unknown_ca".to_owned())));
        census.begin().end(Err(&TlsError::Left));
        census.note_certificates(&[self_signed(&["a.example", "b.example"]).unwrap()]);
        let handshakes = census.handshakes();
        assert_eq!((handshakes.waiting, handshakes.failed()), (0, 3));
        let text = census.to_prometheus();
        for line in [
            "# TYPE kamea_tls_handshakes_total counter",
            "kamea_tls_handshakes_total{kind=\"full\"} 0",
            "kamea_tls_handshakes_total{kind=\"resumed\"} 1",
            "kamea_tls_handshakes_failed_total{ended_by=\"client\",reason=\"unknown_ca\"} 2",
            "kamea_tls_handshakes_failed_total{ended_by=\"client\",reason=\"left\"} 1",
            "kamea_tls_handshakes_waiting 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
        let certificate = "kamea_tls_certificate_days_left{names=\"a.example b.example\",serial=\"";
        assert!(text.contains(certificate), "{text}");
    }
}
