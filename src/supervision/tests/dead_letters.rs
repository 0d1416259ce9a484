//! The dead letters: the message in hand of a component that fails.

use super::*;

#[test]
fn only_what_was_in_hand_is_a_dead_letter() {
    let mut graph = Graph::new("hands");
    let part = graph.add("part", async |io: &mut Sink<u32>| {
        let mut calls = 0;
        while let Some(number) = io.inbox.try_next() {
            calls += number;
            if calls == 3 {
                // It asks for the next one, and fails while it waits: 2 is finished.
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

/// The dead letters have space for one, and no component takes it until all numbers are on their
/// way.
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

/// A number that can be cloned unless it is 5.
#[derive(Debug)]
struct Unique(u32);

impl Clone for Unique {
    fn clone(&self) -> Self {
        assert!(self.0 != 5, "there is only one");
        Self(self.0)
    }
}

#[test]
fn a_message_that_cannot_be_copied_is_a_letter_itself() {
    for on_thread in [false, true] {
        let mut graph = Graph::new("unique");
        let part = match on_thread {
            false => graph.add("pass", async |io: &mut Pipe<Unique, u32>| {
                while let Some(Unique(number)) = io.inbox.next().await {
                    io.outbox.send(number).await?;
                }
                Ok(())
            }),
            true => graph.add(
                "pass",
                blocking(|io: &mut Pipe<Unique, u32>| {
                    while let Some(Unique(number)) = io.inbox.next_blocking() {
                        io.outbox.send_blocking(number)?;
                    }
                    Ok(())
                }),
            ),
        };
        graph.supervise(|_| Policy::Restart(at_once(9)));
        let letters = graph.dead_letters(&part.inbox);
        let (numbers, letters) = (graph.feed(part.inbox), graph.take(letters));
        let passed = graph.take(part.outbox);
        (0..10).for_each(|number| numbers.try_send(Unique(number)).unwrap());
        drop(numbers);
        block_on(graph.start().unwrap()).unwrap();
        assert_eq!(
            letters
                .into_iter()
                .map(|unique| unique.0)
                .collect::<Vec<_>>(),
            [5]
        );
        assert_eq!(
            passed.into_iter().collect::<Vec<_>>(),
            [0, 1, 2, 3, 4, 6, 7, 8, 9]
        );
    }
}
