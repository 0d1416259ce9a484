//! Limits how many things of one kind, such as programs, run at the same time, and how many clients
//! wait for one.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::client_of;
use crate::net::Others;

/// Lets a limited number in, and lets a limited number wait. Shared by all workers.
///
/// If other clients have sent requests recently, one address gets at most half of the permits and
/// of the queue, rounded up: the other half is for all others.
#[derive(Debug, Clone)]
pub(crate) struct Limiter(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    permits: usize,
    queue: usize,
    inside: usize,
    others: Others,
    /// The number of permits of each address.
    held: HashMap<IpAddr, usize>,
    /// Those that wait, in their order.
    waiting: VecDeque<(IpAddr, oneshot::Sender<Permit>)>,
}

/// Too many wait already, or too many of the same client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// Allows one of them to run. Drop it to return it.
#[derive(Debug)]
pub(crate) struct Permit {
    address: IpAddr,
    /// `None` if it has been returned already.
    state: Option<Arc<Mutex<State>>>,
}

impl Limiter {
    pub(crate) fn new(permits: usize, queue: usize) -> Self {
        Self(Arc::new(Mutex::new(State {
            permits,
            queue,
            inside: 0,
            others: Others::default(),
            held: HashMap::new(),
            waiting: VecDeque::new(),
        })))
    }

    /// Changes the limits. What runs or waits already stays.
    pub(crate) fn set_bounds(&self, permits: usize, queue: usize) {
        let mut state = lock(&self.0);
        (state.permits, state.queue) = (permits, queue);
    }

    /// Waits for a permit, in order among those whose address is below its share.
    pub(crate) async fn acquire(&self, address: IpAddr) -> Result<Permit, Full> {
        let address = client_of(address);
        let permit = {
            let mut state = lock(&self.0);
            state.others.note(address);
            // Those that were dropped while they waited do not count.
            state.waiting.retain(|(_, waiting)| !waiting.is_closed());
            if state.inside < state.permits && state.may_enter(address) {
                state.enter(address);
                return Ok(self.permit(address));
            }
            let of_address = state
                .waiting
                .iter()
                .filter(|(other, _)| *other == address)
                .count();
            let is_greedy =
                of_address >= share(state.queue) && state.others.are_there_beside(address);
            if state.waiting.len() >= state.queue || is_greedy {
                return Err(Full);
            }
            let (sender, permit) = oneshot::channel();
            state.waiting.push_back((address, sender));
            permit
        };
        permit.await.map_err(|_| Full)
    }

    fn permit(&self, address: IpAddr) -> Permit {
        Permit {
            address,
            state: Some(self.0.clone()),
        }
    }
}

/// The share of one address.
fn share(all: usize) -> usize {
    all.div_ceil(2)
}

/// No operation under the lock can leave the state half changed.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn may_enter(&self, address: IpAddr) -> bool {
        let held = self.held.get(&address).copied().unwrap_or_default();
        held < share(self.permits) || !self.others.are_there_beside(address)
    }

    fn enter(&mut self, address: IpAddr) {
        self.inside += 1;
        *self.held.entry(address).or_default() += 1;
    }

    fn leave(&mut self, address: IpAddr) {
        self.inside -= 1;
        if let Some(held) = self.held.get_mut(&address) {
            *held -= 1;
            if *held == 0 {
                self.held.remove(&address);
            }
        }
    }

    /// Removes the first one that waits whose address is below its share.
    fn next(&mut self) -> Option<(IpAddr, oneshot::Sender<Permit>)> {
        let may_enter = |(address, _): &(IpAddr, _)| self.may_enter(*address);
        let at = self.waiting.iter().position(may_enter)?;
        self.waiting.remove(at)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let Some(shared) = self.state.take() else {
            return;
        };
        let mut state = lock(&shared);
        state.leave(self.address);
        while state.inside < state.permits
            && let Some((address, waiting)) = state.next()
        {
            state.enter(address);
            let permit = Self {
                address,
                state: Some(shared.clone()),
            };
            if let Err(mut unwanted) = waiting.send(permit) {
                // The lock is held: do not lock it again.
                unwanted.state = None;
                state.leave(address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::future::{block_on, poll_once};

    use super::*;

    const ONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const TWO: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    #[test]
    fn so_many_enter_so_many_wait_and_the_others_are_turned_away() {
        block_on(async {
            let limiter = Limiter::new(1, 2);
            let first = limiter.acquire(ONE).await.unwrap();
            let (mut second, mut third) = (
                Box::pin(limiter.acquire(ONE)),
                Box::pin(limiter.acquire(ONE)),
            );
            assert!(poll_once(&mut second).await.is_none());
            assert!(poll_once(&mut third).await.is_none());
            assert_eq!(limiter.acquire(ONE).await.unwrap_err(), Full);
            // A waiting request is dropped, so that there is room for another one.
            drop(second);
            let mut fourth = Box::pin(limiter.acquire(ONE));
            assert!(poll_once(&mut fourth).await.is_none());
            drop(first);
            let third = poll_once(&mut third).await.unwrap().unwrap();
            assert!(poll_once(&mut fourth).await.is_none(), "in turn");
            drop(third);
            assert!(poll_once(&mut fourth).await.unwrap().is_ok());
        });
    }

    #[test]
    fn one_address_has_half_of_the_places_and_of_the_queue() {
        for (permits, queue) in [(2, 2), (3, 4), (32, 256)] {
            block_on(async {
                let limiter = Limiter::new(permits, queue);
                drop(limiter.acquire(TWO).await.unwrap());
                let mut greedy = Vec::new();
                for _ in 0..permits.div_ceil(2) {
                    greedy.push(limiter.acquire(ONE).await.unwrap());
                }
                let mut waiting = Vec::new();
                for _ in 0..queue.div_ceil(2) {
                    let mut enters = Box::pin(limiter.acquire(ONE));
                    assert!(poll_once(&mut enters).await.is_none());
                    waiting.push(enters);
                }
                assert_eq!(limiter.acquire(ONE).await.unwrap_err(), Full);
                let honest = poll_once(Box::pin(limiter.acquire(TWO))).await;
                let honest = honest.expect("half of the permits are for others").unwrap();
                // A free permit goes to the first request that may have it.
                drop(honest);
                assert!(
                    poll_once(&mut waiting[0]).await.is_none(),
                    "not above its share"
                );
                drop(greedy.pop());
                assert!(poll_once(&mut waiting[0]).await.unwrap().is_ok());
            });
        }
    }

    /// A permit that was given to a request dropped at that moment is not lost.
    #[test]
    fn a_place_that_nobody_takes_goes_on() {
        block_on(async {
            let limiter = Limiter::new(1, 4);
            let first = limiter.acquire(ONE).await.unwrap();
            let mut leaver = Box::pin(limiter.acquire(ONE));
            let mut next = Box::pin(limiter.acquire(TWO));
            assert!(poll_once(&mut leaver).await.is_none());
            assert!(poll_once(&mut next).await.is_none());
            drop(first);
            drop(leaver);
            assert!(poll_once(&mut next).await.unwrap().is_ok());
        });
    }
}
