//! Which clients may use all processes, and which only their share.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use kamea::time::now;

/// A request that takes a process longer than this is slow.
const SLOW: Duration = Duration::from_millis(100);

/// After this number of consecutive quick requests, a client may use all processes.
const QUICK: u32 = 32;

/// The most clients in the table.
const KNOWN: usize = 4096;

/// Which clients have sent requests that the application answers quickly.
///
/// If there are other clients, a client address gets half of the processes, until many of its
/// requests in a row were quick: a client that occupies a process only for an instant does not
/// block the others. So a load balancer, or a benchmark, may use all processes, and a client with
/// slow requests leaves the other half to the other clients.
#[derive(Debug, Default)]
pub(super) struct Clients(HashMap<IpAddr, u32>);

impl Clients {
    pub(super) fn is_quick(&self, address: IpAddr) -> bool {
        self.0.get(&address).is_some_and(|count| *count >= QUICK)
    }

    /// Records a finished request of this client, which a process could work on since then.
    pub(super) fn note(&mut self, address: IpAddr, since: Instant) {
        if now().saturating_duration_since(since) > SLOW {
            self.0.remove(&address);
            return;
        }
        if self.0.len() >= KNOWN && !self.0.contains_key(&address) {
            self.0.clear();
        }
        let count = self.0.entry(address).or_default();
        *count = count.saturating_add(1);
    }

    /// Records an unfinished request of this client.
    pub(super) fn note_slow(&mut self, address: IpAddr, since: Instant) {
        if now().saturating_duration_since(since) > SLOW {
            self.0.remove(&address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_quick_after_many_quick_requests_and_no_more_after_a_slow_one() {
        let (one, two): (IpAddr, IpAddr) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        let mut clients = Clients::default();
        for number in 0..QUICK {
            assert!(!clients.is_quick(one), "{number}");
            clients.note(one, now());
        }
        assert!(clients.is_quick(one) && !clients.is_quick(two));
        clients.note_slow(one, now());
        assert!(clients.is_quick(one), "it has only begun");
        let Some(long_ago) = now().checked_sub(2 * SLOW) else {
            return;
        };
        clients.note_slow(one, long_ago);
        assert!(!clients.is_quick(one));
    }
}
