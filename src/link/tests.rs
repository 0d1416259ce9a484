//! The queue inside a flow, polled by hand.

use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::LinkSettings;
use super::within::Queue;
use crate::flow::ReadySet;
use crate::port::{Closed, Inbox, Outbox, TrySendError};

fn link(capacity: usize, holders: usize) -> (Vec<Outbox<u32>>, Inbox<u32>) {
    let settings = LinkSettings {
        capacity,
        holders,
        feeds: holders,
        measure: None,
    };
    let queue = Rc::new(Queue::of(&settings, ReadySet::for_tests()));
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

/// Like waits that a combinator polls with wakers of its own.
#[test]
fn who_gives_up_its_wait_for_the_end_leaves_nothing_behind() {
    let settings = LinkSettings {
        capacity: 1,
        holders: 1,
        feeds: 1,
        measure: None,
    };
    let queue = Rc::new(Queue::<u32>::of(&settings, ReadySet::for_tests()));
    let outbox = Outbox::within(queue.clone(), true, 0);
    let mut stays = pin!(outbox.closed());
    for _ in 0..100 {
        let flag = std::sync::Arc::new(Flag);
        let mut given_up = pin!(outbox.closed());
        for _ in 0..2 {
            assert!(
                given_up
                    .as_mut()
                    .poll(&mut Context::from_waker(&flag.clone().into()))
                    .is_pending()
            );
            assert!(poll(stays.as_mut()).is_pending());
        }
        drop(flag);
    }
    assert_eq!(queue.count_watchers(), 1);
    queue.close();
    assert_eq!(poll(stays), Poll::Ready(()));
}

struct Flag;

impl std::task::Wake for Flag {
    fn wake(self: std::sync::Arc<Self>) {}
}

#[test]
fn a_link_of_any_capacity_can_be_used() {
    for capacity in [1, usize::MAX / 2, usize::MAX] {
        let (sender, mut receiver) = super::across::link(capacity);
        assert_eq!(sender.try_send(1), Ok(()));
        assert_eq!(receiver.try_next(), Some(1));
        let mut graph = crate::Graph::new("wide");
        let give = graph.add("give", async |io: &mut crate::Source<u32>| {
            Ok(io.outbox.send(7).await?)
        });
        let take = graph.add("take", async |io: &mut crate::Pipe<u32, u32>| {
            while let Some(number) = io.inbox.next().await {
                io.outbox.send(number).await?;
            }
            Ok(())
        });
        graph.link(give.outbox, take.inbox).capacity(capacity);
        graph.take_into(take.outbox, sender);
        crate::testing::block_on(graph.start().unwrap()).unwrap();
        assert_eq!(receiver.into_iter().collect::<Vec<_>>(), [7]);
    }
}

#[test]
fn across_threads_a_sender_hears_of_the_end() {
    let (sender, receiver) = super::across::link::<u32>(1);
    let waiting =
        std::thread::spawn(move || crate::testing::block_on(async move { sender.closed().await }));
    drop(receiver);
    waiting.join().unwrap();
}

/// Both kinds of link, with that capacity.
fn both_kinds(capacity: usize) -> [(Outbox<u32>, Inbox<u32>); 2] {
    let (mut outboxes, inbox) = link(capacity, 1);
    let within = (outboxes.remove(0), inbox);
    let (sender, receiver) = crate::link(capacity);
    [within, (Outbox::from(sender), Inbox::from(receiver))]
}

#[test]
fn a_permit_holds_its_space_in_each_kind_of_link() {
    for capacity in 1..4 {
        for (outbox, mut inbox) in both_kinds(capacity) {
            let mut permits: Vec<_> = (0..capacity)
                .map(|_| match poll(pin!(outbox.reserve())) {
                    Poll::Ready(Ok(permit)) => permit,
                    waits => panic!("there is space: {waits:?}"),
                })
                .collect();
            assert_eq!(outbox.try_send(0), Err(TrySendError::Full(0)), "{outbox:?}");
            assert_eq!(inbox.try_next(), None);
            let mut next = Box::pin(outbox.reserve());
            assert!(poll(next.as_mut()).is_pending());
            let mut behind = Box::pin(outbox.send(9));
            assert!(poll(behind.as_mut()).is_pending());
            // One is used, and its message taken: its space belongs to the next wait.
            permits.remove(0).send(1).unwrap();
            assert!(poll(next.as_mut()).is_pending());
            assert_eq!(inbox.try_next(), Some(1));
            assert!(poll(behind.as_mut()).is_pending(), "it does not overtake");
            // A cancelled wait leaves the space to the one behind it.
            drop(next);
            assert_eq!(poll(behind.as_mut()), Poll::Ready(Ok(())));
            drop(behind);
            permits.clear();
            assert_eq!(inbox.try_next(), Some(9));
            (0..capacity).for_each(|_| outbox.try_send(2).unwrap());
            assert_eq!(outbox.try_send(2), Err(TrySendError::Full(2)), "{outbox:?}");
        }
    }
}

#[test]
fn a_permit_hears_of_the_end_with_its_message_still_in_hand() {
    for (outbox, inbox) in both_kinds(1) {
        let Poll::Ready(Ok(permit)) = poll(pin!(outbox.reserve())) else {
            panic!("there is space");
        };
        let mut waits = Box::pin(outbox.reserve());
        assert!(poll(waits.as_mut()).is_pending());
        drop(inbox);
        assert_eq!(permit.send(7), Err(Closed(7)));
        assert!(matches!(poll(waits.as_mut()), Poll::Ready(Err(Closed(())))));
    }
}

/// A hundred thousand wait for space, or for the end, and are cancelled from the middle outwards.
#[test]
fn to_wait_takes_the_same_however_many_wait() {
    let began = std::time::Instant::now();
    for (outbox, inbox) in both_kinds(1) {
        outbox.try_send(0).unwrap();
        let mut sends: Vec<_> = (0..50_000)
            .map(|n| Some(Box::pin(outbox.send(n))))
            .collect();
        let mut ends: Vec<_> = (0..50_000)
            .map(|_| Some(Box::pin(outbox.closed())))
            .collect();
        for _ in 0..2 {
            for send in sends.iter_mut().flatten() {
                assert!(poll(send.as_mut()).is_pending());
            }
            for end in ends.iter_mut().flatten() {
                assert!(poll(end.as_mut()).is_pending());
            }
        }
        for at in (0..50_000).filter(|at| at % 3 > 0) {
            (sends[at], ends[at]) = (None, None);
        }
        drop(inbox);
    }
    // Ample for a debug build on a busy machine; anything quadratic takes longer.
    let took = began.elapsed();
    assert!(took < std::time::Duration::from_secs(8), "{took:?}");
}
