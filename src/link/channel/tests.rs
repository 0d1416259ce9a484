//! Order, limits and ends of the channel, on one thread and on two.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use super::later::LateWakes;
use super::*;
use crate::port::{Closed, TrySendError};

/// Counts how often it is woken.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Count {
    fn times(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

fn poll<F: Future + Unpin>(future: &mut F, count: &Arc<Count>) -> Poll<F::Output> {
    let waker = Waker::from(count.clone());
    pin!(future).poll(&mut Context::from_waker(&waker))
}

fn filled(capacity: usize) -> (Sender<usize>, Receiver<usize>) {
    let (sender, receiver) = bounded(capacity);
    (0..capacity).for_each(|n| sender.try_send(n).expect("there is space"));
    (sender, receiver)
}

#[test]
fn it_holds_no_more_than_its_capacity_whatever_the_receiver_has_taken_over() {
    for capacity in 1..40 {
        let (sender, receiver) = filled(capacity);
        for taken in 0..3 * capacity {
            let full = sender.try_send(0);
            assert_eq!(full, Err(TrySendError::Full(0)), "of {capacity}");
            assert!(sender.is_full());
            assert_eq!(receiver.len(), capacity);
            assert_eq!(receiver.try_recv(), Some(taken));
            sender.try_send(taken + capacity).unwrap();
        }
    }
}

#[test]
fn sends_that_wait_are_served_in_their_order_and_one_that_is_given_up_leaves_the_line() {
    let (sender, receiver) = filled(1);
    let count = Arc::default();
    let mut waits: Vec<_> = (1..6).map(|n| Some(sender.send(n))).collect();
    for wait in waits.iter_mut().flatten() {
        assert!(poll(wait, &count).is_pending());
    }
    assert_eq!(
        sender.try_send(9),
        Err(TrySendError::Full(9)),
        "it would overtake"
    );
    (waits[0], waits[2]) = (None, None);
    let received: Vec<_> = receiver.try_iter().collect();
    assert_eq!(received, [0, 2, 4, 5]);
    for wait in waits.iter_mut().flatten() {
        assert_eq!(poll(wait, &count), Poll::Ready(Ok(())));
    }
}

#[test]
fn with_the_receiver_everything_goes_unless_another_takes_what_it_leaves() {
    let (sender, receiver) = bounded(2);
    let message = Arc::new(());
    (0..2).for_each(|_| sender.try_send(message.clone()).unwrap());
    let mut waiting = sender.send(message.clone());
    let count = Arc::default();
    assert!(poll(&mut waiting, &count).is_pending());
    let leftovers = receiver.clone();
    drop(receiver);
    assert_eq!(Arc::strong_count(&message), 4);
    assert_eq!(leftovers.try_iter().take(1).count(), 1);
    drop(leftovers);
    assert_eq!(
        Arc::strong_count(&message),
        1 + usize::from(count.times() == 0)
    );
    assert!(matches!(
        sender.try_send(message),
        Err(TrySendError::Closed(_))
    ));
}

#[test]
fn who_waits_for_space_gets_its_message_back_when_the_receiver_goes() {
    let (sender, receiver) = filled(1);
    let count = Arc::default();
    let mut waiting = sender.send(7);
    assert!(poll(&mut waiting, &count).is_pending());
    drop(receiver);
    assert_eq!(count.times(), 1);
    assert_eq!(poll(&mut waiting, &count), Poll::Ready(Err(Closed(7))));
}

#[test]
fn a_permit_holds_its_space_until_it_is_used_or_dropped() {
    let (sender, receiver) = bounded(2);
    let count = Arc::default();
    let Poll::Ready(Ok(permit)) = poll(&mut sender.reserve(), &count) else {
        panic!("there is space");
    };
    sender.try_send(1).unwrap();
    assert_eq!(sender.try_send(2), Err(TrySendError::Full(2)));
    let mut second = sender.reserve();
    assert!(poll(&mut second, &count).is_pending());
    let mut third = sender.send(3);
    assert!(poll(&mut third, &count).is_pending());
    assert_eq!(receiver.try_recv(), Some(1));
    // The space has been granted to `second`, which is cancelled: now it belongs to the third.
    drop(second);
    assert_eq!(poll(&mut third, &count), Poll::Ready(Ok(())));
    permit.send(2).unwrap();
    assert_eq!(receiver.try_iter().collect::<Vec<_>>(), [3, 2]);

    let Poll::Ready(Ok(permit)) = poll(&mut sender.reserve(), &count) else {
        panic!("there is space");
    };
    drop(receiver);
    assert_eq!(permit.send(4), Err(Closed(4)));
}

#[test]
fn within_a_turn_a_send_that_waits_is_woken_at_half_or_at_the_end() {
    for capacity in [1, 2, 3, 16, 17] {
        for taken in 1..=capacity {
            let (sender, receiver) = filled(capacity);
            let count = Arc::default();
            let mut waiting = sender.send(99);
            assert!(poll(&mut waiting, &count).is_pending());
            let turn = LateWakes::begin();
            for _ in 0..taken {
                receiver.try_recv();
            }
            let is_half = taken >= capacity.div_ceil(2);
            assert_eq!(count.times() > 0, is_half, "{taken} of {capacity}");
            drop(turn);
            assert_eq!(count.times(), 1, "{taken} of {capacity}");
            assert_eq!(poll(&mut waiting, &count), Poll::Ready(Ok(())));
        }
    }
}

#[test]
fn who_begins_to_wait_later_in_a_turn_is_woken_as_well() {
    let (sender, receiver) = filled(8);
    let [first, second] = [Arc::default(), Arc::default()];
    let mut one = sender.send(10);
    assert!(poll(&mut one, &first).is_pending());
    let turn = LateWakes::begin();
    receiver.try_recv();
    assert_eq!(
        poll(&mut one, &first),
        Poll::Ready(Ok(())),
        "it looked by itself"
    );
    let mut two = sender.send(11);
    assert!(poll(&mut two, &second).is_pending());
    receiver.try_recv();
    drop(turn);
    assert_eq!(second.times(), 1);
}

/// Ample for a debug build on a busy machine; anything quadratic takes longer.
#[test]
fn a_hundred_thousand_sends_wait_and_go_in_a_time_that_grows_with_their_number() {
    let began = Instant::now();
    let (sender, receiver) = filled(1);
    let count = Arc::default();
    let mut waits: Vec<_> = (0..100_000).map(|n| Some(sender.send(n))).collect();
    for _ in 0..2 {
        for wait in waits.iter_mut().flatten() {
            assert!(poll(wait, &count).is_pending());
        }
    }
    // Every second one is cancelled, from the middle outwards. The others are served.
    waits
        .iter_mut()
        .skip(1)
        .step_by(2)
        .for_each(|wait| *wait = None);
    assert_eq!(receiver.try_iter().count(), 50_001);
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn between_threads_everything_arrives_in_the_order_of_its_sender() {
    for capacity in [1, 3, 16, 1024] {
        let (sender, receiver) = bounded(capacity);
        let sends = |blocking: bool, from: u64| {
            let sender = sender.clone();
            move || {
                for n in from..from + 20_000 {
                    if blocking {
                        sender.send_blocking(n).unwrap();
                    } else if let Err(TrySendError::Full(n)) = sender.try_send(n) {
                        let permit = crate::blocking::block_on(sender.reserve()).unwrap();
                        permit.send(n).unwrap();
                    }
                }
            }
        };
        let threads = [
            thread::spawn(sends(true, 0)),
            thread::spawn(sends(false, 1 << 32)),
        ];
        drop(sender);
        let mut next = [0, 1 << 32];
        while let Some(n) = receiver.recv_blocking() {
            let next = &mut next[usize::from(n >= 1 << 32)];
            assert_eq!(n, *next);
            *next += 1;
        }
        assert_eq!(next, [20_000, (1 << 32) + 20_000]);
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
    }
}
