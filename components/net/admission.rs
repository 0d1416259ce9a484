//! Limits for the number of connections, in total and for each client.

mod limiter;
mod seldom;

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use foldhash::fast::RandomState;

pub(crate) use limiter::Limiter;
pub(crate) use seldom::Seldom;

/// What counts as one client: an IPv4 address, or the first 64 bits of an IPv6 address, because a
/// single machine usually has all addresses below such a prefix.
///
/// # Examples
///
/// ```
/// use kamea_components::net::client_of;
///
/// let one = client_of("2001:db8::1".parse()?);
/// assert_eq!(one, client_of("2001:db8::ffff:1".parse()?));
/// assert_ne!(one, client_of("2001:db8:0:1::1".parse()?));
/// assert_eq!(client_of("::ffff:192.0.2.1".parse()?), client_of("192.0.2.1".parse()?));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[must_use]
pub fn client_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let prefix = address.to_bits() >> 64 << 64;
            Ipv6Addr::from_bits(prefix).into()
        }
    }
}

/// Counts the connections of a server, over all its workers. At a limit, the connection that has
/// been idle longest makes room for a new one.
///
/// # Examples
///
/// ```
/// use kamea_components::net::Admission;
///
/// # kamea::testing::block_on(async {
/// let admission = Admission::new(2, 1); // in total, for each client
/// let (one, two) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
/// let first = admission.admit(one).unwrap();
/// assert!(admission.admit(one).is_none());
/// let idle = async {
///     first.displaced().await; // until another connection needs the place
///     drop(first);
/// };
/// let arrival = async { admission.admit(one).is_some() && admission.admit(two).is_some() };
/// assert_eq!(futures_lite::future::zip(idle, arrival).await, ((), true));
/// # });
/// ```
#[derive(Debug)]
pub struct Admission {
    state: Mutex<State>,
    refusals: Seldom,
}

#[derive(Debug)]
struct State {
    /// The limit in total.
    most: usize,
    /// The limit for one client.
    most_of_one: usize,
    total: usize,
    clients: HashMap<IpAddr, Client, RandomState>,
    /// The clients of all idle connections, by when these became idle.
    idle: BTreeMap<u64, IpAddr>,
    /// The key of the next connection that becomes idle.
    next: u64,
}

#[derive(Debug, Default)]
struct Client {
    connections: usize,
    /// Its idle connections, by when they became idle, and whom to wake to close them.
    idle: BTreeMap<u64, Waker>,
}

/// Which limit leaves no room for a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Limit {
    Total(usize),
    OfOne(usize),
}

impl Admission {
    /// Limits the connections in total, and those of one client.
    #[must_use]
    pub fn new(most: usize, most_of_one: usize) -> Arc<Self> {
        let state = State {
            most,
            most_of_one,
            total: 0,
            clients: HashMap::default(),
            idle: BTreeMap::new(),
            next: 0,
        };
        Arc::new(Self {
            state: Mutex::new(state),
            refusals: Seldom::new(),
        })
    }

    /// Changes the limits; connections that have been admitted stay.
    pub fn set_bounds(&self, most: usize, most_of_one: usize) {
        let mut state = self.lock();
        (state.most, state.most_of_one) = (most, most_of_one);
    }

    /// Returns the limit in total.
    pub fn most(&self) -> usize {
        self.lock().most
    }

    /// Admits a connection, if the limits allow it or an idle connection can make room: one of the
    /// same client at its limit, any one at the limit in total. The connection counts until the
    /// result is dropped.
    pub fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Admitted> {
        let client = client_of(address);
        let (admitted, displaced) = self.lock().admit(client);
        for waker in displaced.into_iter().flatten() {
            waker.wake();
        }
        match admitted {
            Ok(()) => Some(Admitted {
                admission: self.clone(),
                client,
                is_displaced: AtomicBool::new(false),
            }),
            Err(limit) => {
                self.tell(client, limit);
                None
            }
        }
    }

    fn tell(&self, client: IpAddr, limit: Limit) {
        let Some(more) = self.refusals.note() else {
            return;
        };
        match limit {
            Limit::Total(most) => log::warn!(
                "all {most} connections are busy, further ones are refused: --connections{more}"
            ),
            Limit::OfOne(most) => log::warn!(
                "{client} has {most} busy connections, further ones are refused: \
                 --connections-per-client{more}"
            ),
        }
    }

    /// No operation under the lock can leave the state half changed.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Counts a connection if there is room, or can be. Returns those to wake whose connections
    /// have lost their places.
    fn admit(&mut self, client: IpAddr) -> (Result<(), Limit>, [Option<Waker>; 2]) {
        let mut displaced = [None, None];
        if self.of_one(client) >= self.most_of_one {
            displaced[0] = self.displace_one_of(client);
            if displaced[0].is_none() {
                return (Err(Limit::OfOne(self.most_of_one)), displaced);
            }
        }
        if self.total >= self.most {
            displaced[1] = self.displace_longest_idle();
            if displaced[1].is_none() {
                return (Err(Limit::Total(self.most)), displaced);
            }
        }
        self.total += 1;
        self.clients.entry(client).or_default().connections += 1;
        (Ok(()), displaced)
    }

    fn of_one(&self, client: IpAddr) -> usize {
        self.clients
            .get(&client)
            .map_or(0, |client| client.connections)
    }

    fn displace_one_of(&mut self, client: IpAddr) -> Option<Waker> {
        let key = *self.clients.get(&client)?.idle.first_key_value()?.0;
        self.displace(key)
    }

    fn displace_longest_idle(&mut self) -> Option<Waker> {
        let key = *self.idle.first_key_value()?.0;
        self.displace(key)
    }

    fn displace(&mut self, key: u64) -> Option<Waker> {
        let client = self.idle.remove(&key)?;
        let waker = self.clients.get_mut(&client)?.idle.remove(&key);
        self.leave(client);
        waker
    }

    fn leave(&mut self, client: IpAddr) {
        self.total -= 1;
        if let Some(known) = self.clients.get_mut(&client) {
            known.connections -= 1;
            if known.connections == 0 {
                self.clients.remove(&client);
            }
        }
    }

    /// Registers an idle connection.
    fn rest(&mut self, client: IpAddr, waker: Waker) -> u64 {
        let key = self.next;
        self.next += 1;
        self.idle.insert(key, client);
        let known = self.clients.entry(client).or_default();
        known.idle.insert(key, waker);
        key
    }

    /// Whether an idle connection still has its place; then `waker` will be woken when it loses it.
    fn still_rests(&mut self, client: IpAddr, key: u64, waker: &Waker) -> bool {
        let known = self.clients.get_mut(&client);
        let known = known.and_then(|client| client.idle.get_mut(&key));
        known.map(|known| known.clone_from(waker)).is_some()
    }

    /// Removes a connection that is no longer idle; returns whether it still had its place.
    fn wake(&mut self, client: IpAddr, key: u64) -> bool {
        let known = self.clients.get_mut(&client);
        known.and_then(|client| client.idle.remove(&key));
        self.idle.remove(&key).is_some()
    }
}

/// A connection that counts.
#[derive(Debug)]
pub struct Admitted {
    admission: Arc<Admission>,
    client: IpAddr,
    /// Whether its place was given to another connection, and it does not count any more.
    is_displaced: AtomicBool,
}

impl Admitted {
    /// Waits, as an idle connection, until a new connection needs its place. The connection is idle
    /// from the first poll until the result is dropped.
    pub fn displaced(&self) -> impl Future<Output = ()> + use<'_> {
        Displaced {
            admitted: self,
            key: Cell::new(None),
        }
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        if !*self.is_displaced.get_mut() {
            self.admission.lock().leave(self.client);
        }
    }
}

/// The result of [`Admitted::displaced`].
#[derive(Debug)]
struct Displaced<'a> {
    admitted: &'a Admitted,
    key: Cell<Option<u64>>,
}

impl Future for Displaced<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Admitted {
            admission, client, ..
        } = self.admitted;
        if self.admitted.is_displaced.load(Ordering::Relaxed) {
            return Poll::Ready(());
        }
        let mut state = admission.lock();
        match self.key.get() {
            None => self.key.set(Some(state.rest(*client, cx.waker().clone()))),
            Some(key) if state.still_rests(*client, key, cx.waker()) => {}
            Some(_) => {
                self.key.set(None);
                self.admitted.is_displaced.store(true, Ordering::Relaxed);
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }
}

impl Drop for Displaced<'_> {
    fn drop(&mut self) {
        let Admitted {
            admission, client, ..
        } = self.admitted;
        if let Some(key) = self.key.take()
            && !admission.lock().wake(*client, key)
        {
            self.admitted.is_displaced.store(true, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::future::{block_on, poll_once};

    use super::*;

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    #[test]
    fn a_connection_counts_until_it_is_dropped() {
        let admission = Admission::new(3, 2);
        let first = admission.admit(A).unwrap();
        let _second = admission.admit(A).unwrap();
        assert!(admission.admit(A).is_none(), "two of one client");
        let _third = admission.admit(B).unwrap();
        assert!(admission.admit(B).is_none(), "three in all");
        drop(first);
        assert!(admission.admit(B).is_some());
        admission.set_bounds(2, 1);
        assert!(admission.admit(B).is_none(), "two in all now");
        assert_eq!(admission.lock().clients.len(), 2);
    }

    #[test]
    fn a_network_of_ipv6_is_one_client() {
        let admission = Admission::new(10, 2);
        let of = |text: &str| text.parse::<IpAddr>().unwrap();
        let _one = admission.admit(of("2001:db8::1")).unwrap();
        let _two = admission.admit(of("2001:db8::2:0:0:1")).unwrap();
        assert!(admission.admit(of("2001:db8::3")).is_none());
        assert!(admission.admit(of("2001:db8:0:1::1")).is_some());
        let _three = admission.admit(of("::ffff:192.0.2.1")).unwrap();
        let _four = admission.admit(A).unwrap();
        assert!(admission.admit(A).is_none(), "mapped addresses are IPv4");
    }

    #[test]
    fn the_longest_idle_makes_room_and_busy_ones_stay() {
        block_on(async {
            let admission = Admission::new(3, 3);
            let [busy, old, young] = [(); 3].map(|()| admission.admit(A).unwrap());
            let mut old_rests = Box::pin(old.displaced());
            let mut young_rests = Box::pin(young.displaced());
            assert!(poll_once(&mut old_rests).await.is_none());
            assert!(poll_once(&mut young_rests).await.is_none());
            let _new = admission.admit(B).expect("the old one makes room");
            assert!(poll_once(&mut young_rests).await.is_none());
            assert!(poll_once(&mut old_rests).await.is_some());
            let _newer = admission.admit(B).expect("the young one makes room");
            assert!(poll_once(&mut young_rests).await.is_some());
            assert!(admission.admit(B).is_none(), "nobody is idle any more");
            drop((old_rests, young_rests));
            drop((old, young));
            assert!(admission.admit(B).is_none(), "their places are taken");
            drop(busy);
            assert!(admission.admit(B).is_some());
        });
    }

    #[test]
    fn a_client_at_its_limit_makes_room_for_itself() {
        block_on(async {
            let admission = Admission::new(10, 2);
            let other = admission.admit(B).unwrap();
            let mut other_rests = Box::pin(other.displaced());
            assert!(poll_once(&mut other_rests).await.is_none());
            let [one, _two] = [(); 2].map(|()| admission.admit(A).unwrap());
            let mut one_rests = Box::pin(one.displaced());
            assert!(poll_once(&mut one_rests).await.is_none());
            let _three = admission.admit(A).unwrap();
            assert!(poll_once(&mut one_rests).await.is_some());
            assert!(poll_once(&mut other_rests).await.is_none());
            assert!(admission.admit(A).is_none(), "both are busy");
        });
    }

    /// Bytes may come at the moment at which the place is given away: it does not count twice.
    #[test]
    fn one_that_was_displaced_unnoticed_does_not_count() {
        block_on(async {
            let admission = Admission::new(1, 1);
            let first = admission.admit(A).unwrap();
            let mut rests = Box::pin(first.displaced());
            assert!(poll_once(&mut rests).await.is_none());
            let second = admission.admit(A).unwrap();
            drop(rests);
            assert!(
                poll_once(&mut Box::pin(first.displaced())).await.is_some(),
                "it is told when it rests again"
            );
            drop(first);
            assert!(admission.admit(A).is_none());
            drop(second);
            assert!(admission.admit(A).is_some());
            let state = admission.lock();
            assert_eq!((state.total, state.clients.len()), (0, 0));
            assert!(state.idle.is_empty());
        });
    }
}
