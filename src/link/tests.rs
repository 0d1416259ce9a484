//! The queue inside a flow, polled by hand.

use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::Terms;
use super::within::Queue;
use crate::flow::ReadySet;
use crate::port::{Closed, Inbox, Outbox, TrySendError};

fn link(capacity: usize, holders: usize) -> (Vec<Outbox<u32>>, Inbox<u32>) {
    let terms = Terms {
        capacity,
        holders,
        feeds: holders,
        measure: None,
    };
    let queue = Rc::new(Queue::of(&terms, ReadySet::for_tests()));
    (
        (0..holders)
            .map(|feed| Outbox::within(queue.clone(), true, feed))
            .collect(),
        Inbox::within(queue),
    )
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_link_holds_no_more_than_its_capacity() {
    let (outboxes, mut inbox) = link(2, 1);
    assert_eq!(outboxes[0].try_send(1), Ok(()));
    assert_eq!(outboxes[0].try_send(2), Ok(()));
    assert_eq!(outboxes[0].try_send(3), Err(TrySendError::Full(3)));
    let mut waiting = pin!(outboxes[0].send(4));
    assert!(poll(waiting.as_mut()).is_pending());
    assert_eq!(inbox.try_next(), Some(1));
    assert_eq!(poll(waiting), Poll::Ready(Ok(())));
    assert_eq!(
        (inbox.try_next(), inbox.try_next(), inbox.try_next()),
        (Some(2), Some(4), None)
    );
}

#[test]
fn whoever_waits_longest_sends_first() {
    let (outboxes, mut inbox) = link(1, 2);
    assert_eq!(outboxes[0].try_send(0), Ok(()));
    let mut second = pin!(outboxes[1].send(1));
    assert!(poll(second.as_mut()).is_pending());
    let mut third = pin!(outboxes[0].send(2));
    assert!(poll(third.as_mut()).is_pending());
    assert_eq!(inbox.try_next(), Some(0));
    assert!(poll(third.as_mut()).is_pending(), "it is not its turn");
    assert_eq!(
        outboxes[0].try_send(9),
        Err(TrySendError::Full(9)),
        "nobody overtakes"
    );
    assert_eq!(poll(second), Poll::Ready(Ok(())));
    assert_eq!(inbox.try_next(), Some(1));
    assert_eq!(poll(third), Poll::Ready(Ok(())));
}

#[test]
fn a_send_that_is_given_up_leaves_the_line() {
    let (outboxes, mut inbox) = link(1, 2);
    assert_eq!(outboxes[0].try_send(0), Ok(()));
    {
        let mut given_up = pin!(outboxes[0].send(1));
        assert!(poll(given_up.as_mut()).is_pending());
    }
    let mut next = pin!(outboxes[1].send(2));
    assert!(poll(next.as_mut()).is_pending());
    assert_eq!(inbox.try_next(), Some(0));
    assert_eq!(poll(next), Poll::Ready(Ok(())));
}

#[test]
fn the_end_travels_downstream_behind_the_last_message() {
    let (mut outboxes, mut inbox) = link(4, 2);
    assert_eq!(outboxes[0].try_send(1), Ok(()));
    outboxes.pop();
    assert_eq!(poll(pin!(inbox.next())), Poll::Ready(Some(1)));
    assert!(poll(pin!(inbox.next())).is_pending(), "one outbox is left");
    outboxes.pop();
    assert_eq!(poll(pin!(inbox.next())), Poll::Ready(None));
}

#[test]
fn the_end_travels_upstream_with_the_message() {
    let (outboxes, inbox) = link(1, 1);
    assert_eq!(outboxes[0].try_send(1), Ok(()));
    let mut waiting = pin!(outboxes[0].send(2));
    assert!(poll(waiting.as_mut()).is_pending());
    let mut closed = pin!(outboxes[0].closed());
    assert!(poll(closed.as_mut()).is_pending());
    drop(inbox);
    assert_eq!(poll(waiting), Poll::Ready(Err(Closed(2))));
    assert_eq!(poll(closed), Poll::Ready(()));
    assert_eq!(outboxes[0].try_send(3), Err(TrySendError::Closed(3)));
    assert!(outboxes[0].is_closed());
}

#[test]
fn across_threads_a_sender_hears_of_the_end() {
    let (sender, receiver) = super::across::link::<u32>(1);
    let waiting =
        std::thread::spawn(move || crate::testing::block_on(async move { sender.closed().await }));
    drop(receiver);
    waiting.join().unwrap();
}
