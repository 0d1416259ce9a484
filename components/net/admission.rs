//! Limits for the number of connections, in total and for each client.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use foldhash::fast::RandomState;

/// Counts the connections of a server, over all its workers.
#[derive(Debug)]
pub(crate) struct Admission {
    /// The limit in total.
    most: AtomicUsize,
    /// The limit for one address.
    most_of_one: AtomicUsize,
    total: AtomicUsize,
    clients: Mutex<HashMap<IpAddr, usize, RandomState>>,
}

impl Admission {
    pub(crate) fn new(most: usize, most_of_one: usize) -> Arc<Self> {
        Arc::new(Self {
            most: most.into(),
            most_of_one: most_of_one.into(),
            total: AtomicUsize::new(0),
            clients: Mutex::default(),
        })
    }

    /// Changes the limits; connections that have been admitted stay.
    pub(crate) fn set_bounds(&self, most: usize, most_of_one: usize) {
        self.most.store(most, Ordering::Relaxed);
        self.most_of_one.store(most_of_one, Ordering::Relaxed);
    }

    /// Admits a connection, if the limits allow it. It counts until the result is dropped.
    pub(crate) fn admit(self: &Arc<Self>, client: IpAddr) -> Option<Admitted> {
        let admitted = Admitted {
            admission: self.clone(),
            client,
        };
        let total = self.total.fetch_add(1, Ordering::Relaxed);
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let of_one = clients.entry(client).or_default();
        *of_one += 1;
        let fits = total < self.most.load(Ordering::Relaxed)
            && *of_one <= self.most_of_one.load(Ordering::Relaxed);
        drop(clients);
        fits.then_some(admitted)
    }
}

/// A connection that counts.
#[derive(Debug)]
pub(crate) struct Admitted {
    admission: Arc<Admission>,
    client: IpAddr,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.admission.total.fetch_sub(1, Ordering::Relaxed);
        let mut clients = self
            .admission
            .clients
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = clients.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                clients.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_counts_until_it_is_dropped() {
        let admission = Admission::new(3, 2);
        let [a, b] = [IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2])];
        let first = admission.admit(a).unwrap();
        let _second = admission.admit(a).unwrap();
        assert!(admission.admit(a).is_none(), "two of one client");
        let _third = admission.admit(b).unwrap();
        assert!(admission.admit(b).is_none(), "three in all");
        drop(first);
        assert!(admission.admit(b).is_some());
        admission.set_bounds(2, 1);
        assert!(admission.admit(b).is_none(), "two in all now");
        assert_eq!(admission.clients.lock().unwrap().len(), 2);
    }
}
