//! How many archives are sent at the same time, to all clients and to each of them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::net::client_of;

/// How many archives are sent at the same time, to all clients.
const MOST: usize = 16;

/// How many of them to one client: it may read them slowly.
const MOST_OF_ONE: usize = 4;

/// The number of archives that are sent to each client.
static SENT: Mutex<BTreeMap<IpAddr, usize>> = Mutex::new(BTreeMap::new());

/// No operation under the lock can leave the counts half changed.
fn sent() -> MutexGuard<'static, BTreeMap<IpAddr, usize>> {
    SENT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The place of an archive that is being sent. Drop it to free the place.
#[derive(Debug)]
pub(super) struct Place {
    client: IpAddr,
}

impl Place {
    /// A place for another archive to this address; `None` if there are too many, or too many to
    /// this client.
    pub(super) fn take(address: IpAddr) -> Option<Self> {
        let client = client_of(address);
        let mut sent = sent();
        let of_one = sent.get(&client).copied().unwrap_or_default();
        if of_one >= MOST_OF_ONE || sent.values().sum::<usize>() >= MOST {
            return None;
        }
        sent.insert(client, of_one + 1);
        Some(Self { client })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut sent = sent();
        if let Some(count) = sent.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                sent.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_for_all_clients_and_come_back() {
        let client = |number| IpAddr::from([192, 0, 2, number]);
        let mut places = Vec::new();
        for number in 0..4 {
            places.extend((0..MOST_OF_ONE).filter_map(|_| Place::take(client(number))));
            assert!(Place::take(client(number)).is_none(), "its share");
        }
        assert_eq!(places.len(), MOST);
        assert!(Place::take(client(9)).is_none(), "all are taken");
        places.pop();
        assert!(Place::take(client(9)).is_some());
        drop(places);
        assert!(sent().is_empty());
    }
}
