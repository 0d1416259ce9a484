//! Limits how many programs run at the same time, and how many requests wait for their turn.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::net::Others;

/// Lets a limited number in, and lets a limited number wait. Shared by all workers.
///
/// If other clients have sent requests recently, one address gets at most half of the places and of
/// the queue, rounded up: the other half is for all others.
#[derive(Debug)]
pub(super) struct Turnstile {
    places: usize,
    queue: usize,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    inside: usize,
    others: Others,
    /// The number of places of each address.
    held: HashMap<IpAddr, usize>,
    /// The waiting requests, in their order.
    waiting: VecDeque<(IpAddr, oneshot::Sender<Place>)>,
}

/// Too many requests wait already, or too many of the same client.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

/// A place inside. Drop it to free the place.
#[derive(Debug)]
pub(super) struct Place {
    address: IpAddr,
    places: usize,
    /// `None` if it has been returned already.
    state: Option<Arc<Mutex<State>>>,
}

impl Turnstile {
    pub(super) fn new(places: usize, queue: usize) -> Self {
        Self {
            places,
            queue,
            state: Arc::default(),
        }
    }

    /// Waits for a place, in turn among those whose address is below its share.
    pub(super) async fn enter(&self, address: IpAddr) -> Result<Place, Full> {
        let turn = {
            let mut state = lock(&self.state);
            state.others.note(address);
            // Requests that were dropped while they waited do not count.
            state.waiting.retain(|(_, waiting)| !waiting.is_closed());
            if state.inside < self.places && state.may_enter(address, self.places) {
                state.enter(address);
                return Ok(self.place(address));
            }
            let of_address = state
                .waiting
                .iter()
                .filter(|(other, _)| *other == address)
                .count();
            let is_greedy =
                of_address >= share(self.queue) && state.others.are_there_beside(address);
            if state.waiting.len() >= self.queue || is_greedy {
                return Err(Full);
            }
            let (sender, turn) = oneshot::channel();
            state.waiting.push_back((address, sender));
            turn
        };
        turn.await.map_err(|_| Full)
    }

    fn place(&self, address: IpAddr) -> Place {
        Place {
            address,
            places: self.places,
            state: Some(self.state.clone()),
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
    fn may_enter(&self, address: IpAddr, places: usize) -> bool {
        let held = self.held.get(&address).copied().unwrap_or_default();
        held < share(places) || !self.others.are_there_beside(address)
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

    /// Removes the first waiting request whose address is below its share.
    fn next(&mut self, places: usize) -> Option<(IpAddr, oneshot::Sender<Place>)> {
        let may_enter = |(address, _): &(IpAddr, _)| self.may_enter(*address, places);
        let at = self.waiting.iter().position(may_enter)?;
        self.waiting.remove(at)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(shared) = self.state.take() else {
            return;
        };
        let mut state = lock(&shared);
        state.leave(self.address);
        while state.inside < self.places
            && let Some((address, waiting)) = state.next(self.places)
        {
            state.enter(address);
            let place = Self {
                address,
                places: self.places,
                state: Some(shared.clone()),
            };
            if let Err(mut unwanted) = waiting.send(place) {
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
            let turnstile = Turnstile::new(1, 2);
            let first = turnstile.enter(ONE).await.unwrap();
            let (mut second, mut third) = (
                Box::pin(turnstile.enter(ONE)),
                Box::pin(turnstile.enter(ONE)),
            );
            assert!(poll_once(&mut second).await.is_none());
            assert!(poll_once(&mut third).await.is_none());
            assert_eq!(turnstile.enter(ONE).await.unwrap_err(), Full);
            // A waiting request is dropped, so that there is room for another one.
            drop(second);
            let mut fourth = Box::pin(turnstile.enter(ONE));
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
        for (places, queue) in [(2, 2), (3, 4), (32, 256)] {
            block_on(async {
                let turnstile = Turnstile::new(places, queue);
                drop(turnstile.enter(TWO).await.unwrap());
                let mut greedy = Vec::new();
                for _ in 0..places.div_ceil(2) {
                    greedy.push(turnstile.enter(ONE).await.unwrap());
                }
                let mut waiting = Vec::new();
                for _ in 0..queue.div_ceil(2) {
                    let mut enters = Box::pin(turnstile.enter(ONE));
                    assert!(poll_once(&mut enters).await.is_none());
                    waiting.push(enters);
                }
                assert_eq!(turnstile.enter(ONE).await.unwrap_err(), Full);
                let honest = poll_once(Box::pin(turnstile.enter(TWO))).await;
                let honest = honest.expect("half of the places are for others").unwrap();
                // A free place goes to the first request that may have it.
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

    /// A place that was given to a request dropped at that moment is not lost.
    #[test]
    fn a_place_that_nobody_takes_goes_on() {
        block_on(async {
            let turnstile = Turnstile::new(1, 4);
            let first = turnstile.enter(ONE).await.unwrap();
            let mut leaver = Box::pin(turnstile.enter(ONE));
            let mut next = Box::pin(turnstile.enter(TWO));
            assert!(poll_once(&mut leaver).await.is_none());
            assert!(poll_once(&mut next).await.is_none());
            drop(first);
            drop(leaver);
            assert!(poll_once(&mut next).await.unwrap().is_ok());
        });
    }
}
