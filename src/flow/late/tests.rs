//! Components that are made at their first message: in lines, in circles, with several inboxes, and
//! when something goes wrong.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::testing::block_on;
use crate::{
    BoxComponent, Cause, Component, Done, End, Graph, Inbox, Outbox, Pipe, Policy, Ports, Restart,
    Simulation, Sink, Source, Template, at_first_message,
};

/// What an instance is made of, and how it ends.
#[derive(Clone, Default)]
struct Seed {
    /// How many messages the source sends.
    messages: u32,
    /// The names of the late components that were made, in order.
    made: Rc<RefCell<Vec<&'static str>>>,
    /// What arrived at the end.
    arrived: Rc<RefCell<Vec<u32>>>,
}

impl Seed {
    fn of(messages: u32) -> Self {
        Self {
            messages,
            ..Self::default()
        }
    }

    fn note(&self, name: &'static str) {
        self.made.borrow_mut().push(name);
    }
}

fn count(seed: &mut Seed) -> impl Component<Source<u32>> + use<> {
    let messages = seed.messages;
    async move |io: &mut Source<u32>| {
        for number in 0..messages {
            io.outbox.send(number).await?;
        }
        Ok(())
    }
}

async fn pass(io: &mut Pipe<u32, u32>) -> Done {
    while let Some(number) = io.inbox.next().await {
        io.outbox.send(number).await?;
    }
    Ok(())
}

/// A late component that passes messages on, and notes that it has been made.
fn late(name: &'static str) -> impl Fn(&mut Seed) -> crate::AtFirstMessage<Passing> {
    move |seed| {
        seed.note(name);
        at_first_message(Passing)
    }
}

#[derive(Clone)]
struct Passing;

impl Component<Pipe<u32, u32>> for Passing {
    fn start(self, ports: Pipe<u32, u32>) -> crate::Started {
        pass.start(ports)
    }
}

/// A component that is made with the others, and takes everything to the end.
fn keep(seed: &mut Seed) -> impl Component<Sink<u32>> + use<> {
    let arrived = seed.arrived.clone();
    async move |io: &mut Sink<u32>| {
        while let Some(number) = io.inbox.next().await {
            arrived.borrow_mut().push(number);
        }
        // The end has arrived as well.
        arrived.borrow_mut().push(u32::MAX);
        Ok(())
    }
}

fn line() -> Template<Seed> {
    let mut graph = Graph::template("line");
    let source = graph.add_seeded("source", count);
    let first = graph.add_seeded("first", late("first"));
    let second = graph.add_seeded("second", late("second"));
    let keep = graph.add_seeded("keep", keep);
    graph.link(source.outbox, first.inbox);
    graph.link(first.outbox, second.inbox);
    graph.link(second.outbox, keep.inbox);
    graph.into_template().unwrap()
}

#[test]
fn a_message_makes_what_it_passes_through() {
    let template = line();
    for messages in [0, 1, 2, 100] {
        let seed = Seed::of(messages);
        block_on(template.start(seed.clone())).unwrap();
        let made = seed.made.take();
        match messages {
            0 => assert!(made.is_empty(), "{made:?}"),
            _ => assert_eq!(made, ["first", "second"]),
        }
        let expected: Vec<_> = (0..messages).chain([u32::MAX]).collect();
        assert_eq!(seed.arrived.take(), expected);
        assert_eq!(Rc::strong_count(&seed.made), 1, "the seed is dropped");
    }
}

#[test]
fn an_instance_that_is_dropped_drops_what_waits_for_a_late_component() {
    let template = line();
    let seed = Seed::of(3);
    drop(template.start(seed.clone()));
    assert_eq!(Rc::strong_count(&seed.made), 1);
    assert!(seed.made.take().is_empty());
}

#[derive(Ports)]
struct TwoInboxes {
    left: Inbox<u32>,
    right: Inbox<u32>,
    sums: Outbox<u32>,
}

#[test]
fn any_inbox_makes_it_and_the_end_of_all_ends_it() {
    let mut graph = Graph::template("two inboxes");
    let left = graph.add("left", async |_: &mut Source<u32>| Ok(()));
    let right = graph.add_seeded("right", count);
    let add = graph.add_seeded("add", |seed: &mut Seed| {
        seed.note("add");
        at_first_message(async |io: &mut TwoInboxes| {
            let mut sum = 0;
            while let Some(number) = io.right.next().await {
                sum += number;
            }
            assert_eq!(io.left.next().await, None);
            Ok(io.sums.send(sum).await?)
        })
    });
    let keep = graph.add_seeded("keep", keep);
    graph.link(left.outbox, add.left);
    graph.link(right.outbox, add.right);
    graph.link(add.sums, keep.inbox);
    let template = graph.into_template().unwrap();
    for (messages, expected) in [(0, vec![u32::MAX]), (4, vec![6, u32::MAX])] {
        let seed = Seed::of(messages);
        block_on(template.start(seed.clone())).unwrap();
        assert_eq!(seed.arrived.take(), expected);
        assert_eq!(seed.made.take().len(), usize::from(messages > 0));
    }
}

#[test]
fn a_panic_while_it_is_made_is_its_fault() {
    for policy in [Policy::CarryOn, Policy::Stop] {
        let mut graph = Graph::template("line");
        let source = graph.add_seeded("source", count);
        let broken = graph.add_seeded("broken", |_: &mut Seed| -> crate::AtFirstMessage<Passing> {
            panic!("not today")
        });
        let keep = graph.add_seeded("keep", keep);
        graph.link(source.outbox, broken.inbox);
        graph.link(broken.outbox, keep.inbox);
        graph.supervise(move |_| policy);
        let template = graph.into_template().unwrap();

        let seed = Seed::of(0);
        block_on(template.start(seed.clone())).unwrap();
        assert_eq!(seed.arrived.take(), [u32::MAX], "it is never made");

        let seed = Seed::of(2);
        let ended = block_on(template.start(seed.clone()));
        match policy {
            Policy::Stop => {
                let fault = ended.unwrap_err();
                assert_eq!(fault.component(), "broken");
                assert!(matches!(fault.cause(), Cause::Panic(_)), "{fault}");
            }
            _ => {
                ended.unwrap();
                assert_eq!(seed.arrived.take(), [u32::MAX]);
            }
        }
        assert_eq!(Rc::strong_count(&seed.arrived), 1);
    }
}

/// It opens its ports, and then it panics.
#[derive(Clone)]
struct Breaking;

impl Component<Pipe<u32, u32>> for Breaking {
    fn start(self, _ports: Pipe<u32, u32>) -> crate::Started {
        panic!("not over these ports")
    }
}

#[test]
fn ports_that_a_panic_has_dropped_are_not_closed_once_more() {
    let mut graph = Graph::template("merged");
    let source = graph.add_seeded("source", count);
    let breaking = graph.add_seeded("breaking", |_: &mut Seed| at_first_message(Breaking));
    let other = graph.add_seeded("other", |_: &mut Seed| {
        async |io: &mut Source<u32>| {
            for number in 0..100 {
                io.outbox.send(number).await?;
            }
            Ok(())
        }
    });
    let keep = graph.add_seeded("keep", keep);
    graph.link(source.outbox, breaking.inbox);
    graph.merge([breaking.outbox, other.outbox], keep.inbox);
    graph.supervise(|_| Policy::CarryOn);
    let template = graph.into_template().unwrap();
    let seed = Seed::of(1);
    block_on(template.start(seed.clone())).unwrap();
    let expected: Vec<_> = (0..100).chain([u32::MAX]).collect();
    assert_eq!(seed.arrived.take(), expected);
}

#[test]
fn it_is_restarted_like_any_other() {
    let mut graph = Graph::template("line");
    let source = graph.add_seeded("source", count);
    let fragile = graph.add_seeded("fragile", |seed: &mut Seed| {
        seed.note("fragile");
        at_first_message(async |io: &mut Pipe<u32, u32>| {
            while let Some(number) = io.inbox.next().await {
                if number == 1 {
                    return Err(End::fault("one is too many"));
                }
                io.outbox.send(number).await?;
            }
            Ok(())
        })
    });
    let keep = graph.add_seeded("keep", keep);
    graph.link(source.outbox, fragile.inbox);
    graph.link(fragile.outbox, keep.inbox);
    let limit = Restart::new(3, std::time::Duration::from_secs(60));
    graph.supervise(move |_| Policy::Restart(limit));
    let template = graph.into_template().unwrap();
    let seed = Seed::of(4);
    block_on(template.start(seed.clone())).unwrap();
    assert_eq!(seed.arrived.take(), [0, 2, 3, u32::MAX]);
    assert_eq!(seed.made.take(), ["fragile"], "over the same ports");
}

#[derive(Ports)]
struct NoPorts {}

#[derive(Ports)]
struct RoundPorts {
    jobs: Inbox<u32>,
    again: Outbox<u32>,
    done: Outbox<u32>,
}

/// Jobs that go round as often as their number says, through late components.
fn circle() -> Template<Seed> {
    let mut graph = Graph::template("circle");
    let source = graph.add_seeded("source", count);
    let work = graph.add_seeded("work", |seed: &mut Seed| {
        seed.note("work");
        at_first_message(async |io: &mut RoundPorts| {
            while let Some(job) = io.jobs.next().await {
                match job {
                    0 => io.done.send(job).await?,
                    _ => io.again.send(job - 1).await?,
                }
            }
            Ok(())
        })
    });
    let back = graph.add_seeded("back", late("back"));
    let keep = graph.add_seeded("keep", keep);
    graph.link(work.again, back.inbox);
    graph
        .merge([source.outbox], work.jobs)
        .feedback(back.outbox);
    graph.link(work.done, keep.inbox);
    graph.into_template().unwrap()
}

#[test]
fn a_circle_of_late_components_drains_and_ends() {
    let template = circle();
    for (messages, made) in [(0, &[][..]), (1, &["work"]), (5, &["work", "back"])] {
        let seed = Seed::of(messages);
        block_on(template.start(seed.clone())).unwrap();
        assert_eq!(seed.made.take(), made);
        let mut expected = vec![0; messages as usize];
        expected.push(u32::MAX);
        assert_eq!(seed.arrived.take(), expected);
    }
}

/// In any order of polls, with polls for nothing, every message arrives, and everything ends.
#[test]
fn simulated_instances_lose_nothing() {
    Simulation::seeds(0..300).check(|simulation| {
        let mut graph = Graph::new("instances");
        graph.add("holder", async |_: &mut NoPorts| {
            for (template, of) in [(line(), "line"), (circle(), "circle")] {
                let seed = Seed::of(crate::random::usize(0..5) as u32);
                template.start(seed.clone()).await?;
                let arrived = seed.arrived.take();
                let count = arrived.len() as u32;
                assert_eq!(count, seed.messages + 1, "{of}: {arrived:?}");
                assert_eq!(seed.made.take().is_empty(), seed.messages == 0);
            }
            Ok(())
        });
        simulation.run(graph)
    });
}

#[test]
fn a_component_with_an_erased_type_starts_with_the_others() {
    let made = Rc::new(Cell::new(0));
    let mut graph = Graph::template("erased");
    let source = graph.add("source", async |_: &mut Source<u32>| Ok(()));
    let pass = graph.add_seeded("pass", |made: &mut Rc<Cell<u32>>| {
        made.set(made.get() + 1);
        BoxComponent::new(at_first_message(Passing))
    });
    let sink = graph.add("sink", async |io: &mut Sink<u32>| {
        assert_eq!(io.inbox.next().await, None);
        Ok(())
    });
    graph.link(source.outbox, pass.inbox);
    graph.link(pass.outbox, sink.inbox);
    let template = graph.into_template().unwrap();
    block_on(template.start(made.clone())).unwrap();
    assert_eq!(made.get(), 1);
}
