//! What happens to messages when the receiver is dropped.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::*;

/// Ample on a busy machine.
const AGES: Duration = Duration::from_secs(20);

/// A request, which is answered by a number, and the answer that its asker gets: `None` if the
/// request was dropped.
fn request() -> (Sender<u32>, mpsc::Receiver<Option<u32>>) {
    let (reply, mut answers) = link(1);
    let (tell, told) = mpsc::channel();
    thread::spawn(move || tell.send(answers.next_blocking()));
    (reply, told)
}

#[test]
fn who_has_asked_hears_that_the_receiver_is_gone_while_senders_live() {
    // Some requests are in the receiver's half of the channel, the others in the senders' half.
    for taken_over in 0..4 {
        let (requests, mut receiver) = link(4);
        let mut askers = Vec::new();
        let mut ask = |is_in_parts: bool| {
            let (reply, asker) = request();
            askers.push(asker);
            if is_in_parts {
                let permit = crate::testing::block_on(requests.reserve()).unwrap();
                permit.send(reply).unwrap();
            } else {
                requests.send_blocking(reply).unwrap();
            }
        };
        for number in 0..taken_over {
            ask(number % 2 == 0);
        }
        if taken_over > 0 {
            receiver.try_next().unwrap().try_send(7).unwrap();
        }
        for number in taken_over..4 {
            ask(number % 2 == 0);
        }
        thread::spawn(move || drop(receiver)).join().unwrap();
        for (number, asker) in askers.iter().enumerate() {
            let answer = (taken_over > 0 && number == 0).then_some(7);
            assert_eq!(asker.recv_timeout(AGES), Ok(answer), "{number}");
        }
        assert!(requests.is_closed());
    }
}

#[test]
fn who_asks_while_the_receiver_goes_hears_of_it_whoever_is_first() {
    for _ in 0..500 {
        let (requests, receiver) = link(2);
        let senders = [requests.clone(), requests.clone(), requests.clone()];
        let threads = senders.map(|requests| {
            let (reply, asker) = request();
            // The link holds two of the three, so one of them may have to wait.
            let sends = move || drop(requests.send_blocking(reply));
            (thread::spawn(sends), asker)
        });
        drop(receiver);
        for (thread, asker) in threads {
            assert_eq!(asker.recv_timeout(AGES), Ok(None));
            thread.join().unwrap();
        }
        drop(requests);
    }
}

#[test]
fn a_request_in_the_leftovers_may_be_answered_and_goes_with_them() {
    let (requests, receiver) = link(4);
    let leftovers = receiver.leftovers();
    let askers = [(); 3].map(|()| {
        let (reply, asker) = request();
        requests.send_blocking(reply).unwrap();
        asker
    });
    drop(receiver);
    let first = leftovers.take().next().expect("it is kept");
    first.try_send(1).unwrap();
    assert_eq!(askers[0].recv_timeout(AGES), Ok(Some(1)));
    assert_eq!(askers[1].try_recv(), Err(mpsc::TryRecvError::Empty));
    drop(leftovers);
    for asker in &askers[1..] {
        assert_eq!(asker.recv_timeout(AGES), Ok(None));
    }
    assert!(matches!(
        requests.try_send(request().0),
        Err(TrySendError::Closed(_))
    ));
}

/// Counts when it is dropped, and panics, also during the unwinding of another panic.
#[derive(Debug)]
struct Mine(Arc<AtomicUsize>);

impl Drop for Mine {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
        panic!("a mine");
    }
}

/// A link that holds four such messages: two in the receiver's half, two in the senders' half.
fn mined() -> (Sender<Mine>, Receiver<Mine>, Arc<AtomicUsize>) {
    let dropped = Arc::new(AtomicUsize::new(0));
    let (sender, mut receiver) = link(5);
    let send = || sender.try_send(Mine(dropped.clone())).unwrap();
    (0..3).for_each(|_| send());
    let taken = receiver.try_next();
    assert!(catch_unwind(AssertUnwindSafe(|| drop(taken))).is_err());
    dropped.store(0, SeqCst);
    (0..2).for_each(|_| send());
    (sender, receiver, dropped)
}

#[test]
fn messages_whose_drop_panics_go_one_by_one_with_the_receiver() {
    let (sender, receiver, dropped) = mined();
    let end = thread::spawn(move || drop(receiver)).join();
    assert!(end.is_err(), "the first panic goes on");
    assert_eq!(dropped.load(SeqCst), 4);
    assert!(sender.is_closed());

    // `Leftovers` keep them, and then drop them.
    let (_sender, receiver, dropped) = mined();
    let leftovers = receiver.leftovers();
    drop(receiver);
    assert_eq!(dropped.load(SeqCst), 0);
    assert!(thread::spawn(move || drop(leftovers)).join().is_err());
    assert_eq!(dropped.load(SeqCst), 4);

    // While the thread panics already, that panic goes on.
    let (_sender, receiver, dropped) = mined();
    let end = thread::spawn(move || {
        let _receiver = receiver;
        panic!("my own");
    });
    let panic = end.join().unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"my own"));
    assert_eq!(dropped.load(SeqCst), 4);
}

#[test]
fn a_wait_while_the_link_is_open_ends_with_the_receiver() {
    let (sender, receiver) = link::<u32>(1);
    let ready = crate::testing::block_on(sender.while_open(async { 5 }));
    assert_eq!(ready.ok(), Some(5));
    let dropped = thread::spawn(move || drop(receiver));
    let waited = crate::testing::block_on(sender.while_open(std::future::pending::<()>()));
    assert!(waited.is_err());
    dropped.join().unwrap();
    // The end comes first.
    let ready = crate::testing::block_on(sender.while_open(async { 5 }));
    assert!(ready.is_err());
}
