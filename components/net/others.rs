//! Whether a client shares a server with other clients.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use kamea::time::now;

/// For this long after its last request, a client counts as present.
const LATELY: Duration = Duration::from_secs(60);

/// Which clients have sent requests lately, as far as it matters whether there is more than one.
///
/// A scarce resource is divided only among clients that are present. One address, such as a proxy,
/// may have all of it as long as it is alone, and only its share as soon as it is not.
///
/// # Examples
///
/// ```
/// use kamea_components::net::Others;
///
/// let (one, two) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
/// let mut others = Others::default();
/// others.note(one);
/// assert!(!others.are_there_beside(one));
/// others.note(two);
/// assert!(others.are_there_beside(one) && others.are_there_beside(two));
/// ```
#[derive(Debug, Default)]
pub struct Others {
    /// The last request, and the last one from another address.
    last: [Option<(IpAddr, Instant)>; 2],
}

impl Others {
    /// Records a request of a client.
    pub fn note(&mut self, address: IpAddr) {
        if self.last[0].is_some_and(|(last, _)| last != address) {
            self.last.swap(0, 1);
        }
        self.last[0] = Some((address, now()));
    }

    /// Whether another client than this one has sent a request lately.
    pub fn are_there_beside(&self, address: IpAddr) -> bool {
        let is_there = |(other, when): &(IpAddr, Instant)| {
            *other != address && now().saturating_duration_since(*when) < LATELY
        };
        self.last.iter().flatten().any(is_there)
    }
}
