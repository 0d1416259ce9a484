//! How a request was forwarded to other servers, for the access log.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

/// How a request was forwarded. A handler that forwards requests sends it to the recorder before
/// the response, and again with each attempt: the last one for an exchange counts.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use kamea_components::web::{Attempted, Forwarded};
///
/// let mut forwarded = Forwarded::new(0, "192.0.2.7".parse()?, "app1.local /api".into());
/// forwarded.attempts.push(Attempted::new("http://127.0.0.1:9001".into()));
/// forwarded.attempts[0].failed = Some("connection_refused");
/// let mut second = Attempted::new("http://127.0.0.1:9002".into());
/// second.first_byte = Some(Duration::from_millis(4));
/// forwarded.attempts.push(second);
/// assert_eq!(forwarded.attempts.len(), 2);
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Forwarded {
    /// The number of the exchange.
    pub number: u64,
    /// The client, which may be behind other proxies.
    pub client: IpAddr,
    /// The name of the route.
    pub route: Arc<str>,
    /// The attempts, in order.
    pub attempts: Vec<Attempted>,
}

/// One attempt to get a response from another server.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Attempted {
    /// The address of the other server.
    pub upstream: Arc<str>,
    /// How long it took to open a new connection; `None` if it went over an idle one.
    pub connect: Option<Duration>,
    /// The time from the start of the attempt until its response began.
    pub first_byte: Option<Duration>,
    /// The same, or the time until it failed.
    pub took: Duration,
    /// The status of its response.
    pub status: Option<StatusCode>,
    /// Why it failed: a type of error of `Proxy-Status` (RFC 9209 section 2.3).
    pub failed: Option<&'static str>,
}

impl Forwarded {
    /// A request without attempts.
    #[must_use]
    pub const fn new(number: u64, client: IpAddr, route: Arc<str>) -> Self {
        Self {
            number,
            client,
            route,
            attempts: Vec::new(),
        }
    }
}

impl Attempted {
    /// An attempt that has begun.
    #[must_use]
    pub const fn new(upstream: Arc<str>) -> Self {
        Self {
            upstream,
            connect: None,
            first_byte: None,
            took: Duration::ZERO,
            status: None,
            failed: None,
        }
    }
}
