//! The rows of what happens again and again: restarts, subscriptions and waiting senders cost the
//! same however many there are.

use std::time::{Duration, Instant};

use kamea::{Done, End, Graph, Placement, Policy, Restart, Scheduler, Sink, Source};
use kamea_components::chassis::{Backplane, subscribe_to};

use crate::links::{each, measure};
use crate::table::{Row, Target};
use crate::{Error, Setting};

/// A hundred times as many are compared with this many.
const FEW: u64 = 200;
const MANY: u64 = 20_000;

/// Nanoseconds for each of so many.
type Cost = fn(u64) -> Result<f64, Error>;

/// What costs a restart, a subscription and a message of a waiting sender, of few and of many.
pub(crate) fn many(setting: &Setting) -> Result<Vec<Row>, Error> {
    let row = |(what, cost): (&'static str, Cost)| {
        let contenders = [("Kamea", MANY), ("of 200", FEW)].map(|(of, count)| {
            // So that both take about as long.
            let times = MANY / count;
            let cost = move || {
                let costs: Result<Vec<_>, _> = (0..times).map(|_| cost(count)).collect();
                costs.map(|costs| costs.iter().sum::<f64>() / times as f64)
            };
            (of, cost)
        });
        Ok(Row {
            what,
            unit: "ns",
            figures: measure(setting, &contenders)?,
            targets: vec![Target::MostOf(1.2, "of 200")],
        })
    };
    [
        ("a restart, of 20,000 of one component", restarts as Cost),
        ("a subscription and its end, of 20,000", subscriptions),
        ("a message of one of 20,000 senders that wait", waiting),
    ]
    .into_iter()
    .map(row)
    .collect()
}

fn restarts(count: u64) -> Result<f64, Error> {
    let scheduler = Scheduler::with_workers(1);
    let mut graph = Graph::new("restarts");
    let fail = async |io: &mut Sink<u64>| match io.inbox.next().await {
        Some(_) => Err(End::fault("once more")),
        None => Done::Ok(()),
    };
    let fail = graph.add("fail", fail);
    let messages = graph.feed(fail.inbox);
    let limit =
        Restart::new(u32::MAX, Duration::from_secs(1)).pause(Duration::ZERO, Duration::ZERO);
    graph.supervise(move |_| Policy::Restart(limit));
    let start = Instant::now();
    let running = scheduler.run(graph)?;
    for message in 0..count {
        if messages.send_blocking(message).is_err() {
            return Err("the component was not restarted".into());
        }
    }
    drop(messages);
    running.wait()?;
    Ok(start.elapsed().as_nanos() as f64 / count as f64)
}

fn subscriptions(count: u64) -> Result<f64, Error> {
    let scheduler = Scheduler::with_workers(1);
    let plane = Backplane::<u64>::new();
    let start = Instant::now();
    let mut running = Vec::new();
    for _ in 0..count {
        let mut graph = Graph::new("subscriber");
        let subscribe = graph.add("subscribe", subscribe_to(&plane, "news"));
        let drain = graph.add("drain", async |io: &mut Sink<u64>| {
            while io.inbox.next().await.is_some() {}
            Ok(())
        });
        graph.link(subscribe.outbox, drain.inbox);
        running.push(scheduler.workers().run(Placement::Worker(0), graph)?);
    }
    drop(plane);
    for graph in running {
        graph.wait()?;
    }
    Ok(start.elapsed().as_nanos() as f64 / count as f64)
}

/// Every sender has one message, and all but a few of them wait for space.
fn waiting(count: u64) -> Result<f64, Error> {
    let scheduler = Scheduler::with_workers(1);
    let (sender, mut receiver) = kamea::link::<u64>(16);
    let mut graph = Graph::new("senders");
    for number in 0..count {
        let sender = sender.clone();
        graph.add(
            &format!("sender {number}"),
            async move |_: &mut Source<u64>| Ok(sender.send(number).await?),
        );
    }
    drop(sender);
    let mut far = Graph::new("receiver");
    let add_up = far.add("add up", async move |io: &mut Source<u64>| {
        let mut sum = 0;
        while let Some(number) = receiver.next().await {
            sum += number;
        }
        Ok(io.outbox.send(sum).await?)
    });
    let mut sum = far.take(add_up.outbox);
    let running = scheduler.workers().run(Placement::Worker(0), graph)?;
    let start = Instant::now();
    let far = scheduler.workers().run(Placement::Worker(0), far)?;
    let figure = each(start, count, sum.next_blocking().unwrap_or(0), count);
    running.wait()?;
    far.wait()?;
    figure
}
