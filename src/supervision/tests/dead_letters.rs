//! What becomes of the message in hand.

use super::*;

#[test]
fn only_what_was_in_hand_is_a_dead_letter() {
    let mut graph = Graph::new("hands");
    let part = graph.add("part", async |io: &mut Sink<u32>| {
        let mut calls = 0;
        while let Some(number) = io.inbox.try_next() {
            calls += number;
            if calls == 3 {
                // It asks for the next one, and fails while it waits: 2 has been done with.
                let mut next = std::pin::pin!(io.inbox.next());
                poll_fn(|cx| {
                    let _ = next.as_mut().poll(cx);
                    Poll::Ready(())
                })
                .await;
                return Err(End::fault("empty-handed"));
            }
        }
        Ok(())
    });
    graph.supervise(|_| Policy::CarryOn);
    let letters = graph.dead_letters(&part.inbox);
    let (numbers, letters) = (graph.feed(part.inbox), graph.take(letters));
    for number in [1, 2] {
        numbers.try_send(number).unwrap();
    }
    block_on(graph.start().unwrap()).unwrap();
    assert_eq!(letters.into_iter().count(), 0);
}

/// The dead letters have space for one, and nobody takes it until all numbers are on their way.
#[test]
fn dead_letters_are_waited_for() {
    let mut graph = Graph::new("burying");
    let pass = graph.add("pass", pass(Failing::Error));
    let (open, opened) = crate::link::<()>(1);
    let mut opened = Some(opened);
    let bury = graph.add("bury", async move |io: &mut Pipe<u32, u32>| {
        opened.take().unwrap().next().await;
        while let Some(number) = io.inbox.next().await {
            io.outbox.send(number).await?;
        }
        Ok(())
    });
    let letters = graph.dead_letters(&pass.inbox);
    graph.link(letters, bury.inbox).capacity(1);
    graph.supervise(|_| Policy::Restart(at_once(9)));
    let (numbers, mut passed) = (graph.feed(pass.inbox), graph.take(pass.outbox));
    let buried = graph.take(bury.outbox);
    let scheduler = Scheduler::with_workers(1);
    let running = scheduler.run(graph).unwrap();
    for number in [3, 1, 13, 23, 2] {
        numbers.send_blocking(number).unwrap();
    }
    drop(numbers);
    assert_eq!(passed.next_blocking(), Some(1));
    open.send_blocking(()).unwrap();
    assert_eq!(passed.into_iter().collect::<Vec<_>>(), [2]);
    assert_eq!(buried.into_iter().collect::<Vec<_>>(), [3, 13, 23]);
    running.wait().unwrap();
}
