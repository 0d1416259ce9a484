//! Every order in which a sender and the receiver may meet.

use super::*;

/// In every order, no message is lost, no end sleeps while there is a message for it, and the end
/// is noticed.
#[test]
fn loom_the_receiver_hears_of_each_message_and_of_the_end() {
    loom::model(|| {
        let (sender, receiver) = bounded(2);
        let thread = loom::thread::spawn(move || {
            sender.try_send(1).unwrap();
            sender.try_send(2).unwrap();
        });
        for expected in [Some(1), Some(2), None] {
            assert_eq!(loom::future::block_on(receiver.recv()), expected);
        }
        thread.join().unwrap();
    });
}

/// A send that waits is admitted, in both orders: its wait first, or the receiver's check first.
#[test]
fn loom_who_waits_for_space_gets_it() {
    loom::model(|| {
        let (sender, receiver) = bounded(1);
        sender.try_send(1).unwrap();
        let thread = loom::thread::spawn(move || {
            loom::future::block_on(sender.send(2)).unwrap();
        });
        for expected in [Some(1), Some(2), None] {
            assert_eq!(loom::future::block_on(receiver.recv()), expected);
        }
        thread.join().unwrap();
    });
}

/// The space in the front, which senders do not lock, is also noticed.
#[test]
fn loom_space_in_the_front_is_not_missed() {
    loom::model(|| {
        let (sender, receiver) = bounded(2);
        sender.try_send(1).unwrap();
        sender.try_send(2).unwrap();
        assert_eq!(receiver.try_recv(), Some(1));
        sender.try_send(3).unwrap();
        let thread = loom::thread::spawn(move || {
            loom::future::block_on(sender.send(4)).unwrap();
        });
        // One message is in the front, one in the back. Taking the first makes the space.
        assert_eq!(receiver.try_recv(), Some(2));
        thread.join().unwrap();
        assert_eq!(receiver.try_recv(), Some(3));
        assert_eq!(receiver.try_recv(), Some(4));
    });
}

/// Space is not lost if it was granted to a send that is cancelled.
#[test]
fn loom_a_permit_that_is_dropped_makes_space() {
    loom::model(|| {
        let (sender, receiver) = bounded(1);
        let other = sender.clone();
        let thread = loom::thread::spawn(move || {
            drop(loom::future::block_on(other.reserve()).unwrap());
        });
        loom::future::block_on(sender.send(1)).unwrap();
        assert_eq!(receiver.try_recv(), Some(1));
        loom::future::block_on(sender.send(2)).unwrap();
        assert_eq!(receiver.try_recv(), Some(2));
        thread.join().unwrap();
    });
}

/// A send that waits for space when the receiver goes gets its message back.
#[test]
fn loom_a_send_that_waits_hears_of_the_end() {
    loom::model(|| {
        let (sender, receiver) = bounded(1);
        sender.try_send(1).unwrap();
        let thread = loom::thread::spawn(move || drop(receiver));
        assert!(loom::future::block_on(sender.send(2)).is_err());
        thread.join().unwrap();
    });
}
