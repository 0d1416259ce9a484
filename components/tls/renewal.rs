//! The renewal of a certificate, as the live view and the metrics of a server show it.

use std::fmt;

/// The renewal of the certificate of a name by an authority (ACME, RFC 8555).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Renewal {
    /// The name.
    pub name: String,
    /// What happens.
    pub state: RenewalState,
    /// Why the last try has failed; `None` if it has not.
    pub last_error: Option<String>,
    /// Failures since the last success.
    pub failures: u32,
    /// When the authority is asked again, in seconds since 1970.
    pub next_try: i64,
    /// How many days the present certificate is still valid; `None` if there is none.
    pub days_left: Option<i64>,
}

/// What happens with the certificate of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RenewalState {
    /// There is none, and none has been ordered yet.
    Missing,
    /// One is being ordered.
    Ordering,
    /// There is one.
    Valid,
    /// The authority could not be asked, or has given none.
    Failing,
}

impl Renewal {
    /// A renewal without an error.
    #[must_use]
    pub fn new(name: &str, state: RenewalState) -> Self {
        Self {
            name: name.to_owned(),
            state,
            last_error: None,
            failures: 0,
            next_try: 0,
            days_left: None,
        }
    }
}

impl fmt::Display for RenewalState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "missing",
            Self::Ordering => "ordering",
            Self::Valid => "valid",
            Self::Failing => "failing",
        })
    }
}
