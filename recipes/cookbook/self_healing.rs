//! A self-healing worker: a message that makes it fail is set aside, and it continues with the next
//! one.

use std::time::Duration;

use kamea::{Done, Fault, Graph, Pipe, Policy, Restart, map};
use kamea_components::console::console_echoer;
use kamea_components::stream::data_source;
use kamea_recipes::{Outcome, arguments, run, whole};

/// Divides 100 by each number, which fails for 0.
async fn divide(io: &mut Pipe<u32, String>) -> Done {
    while let Some(number) = io.inbox.next().await {
        let line = format!("100 / {number} = {}\n", 100 / number);
        io.outbox.send(line).await?;
    }
    Ok(())
}

fn tell(fault: &Fault) -> String {
    match fault.restarts_in() {
        Some(pause) => format!("{fault}; started again in {pause:?}\n"),
        None => format!("{fault}; given up\n"),
    }
}

fn main() -> Outcome {
    let numbers: Result<Vec<u32>, _> = arguments().iter().map(|text| whole(text)).collect();

    let mut graph = Graph::new("dividing");
    let numbers = graph.add("numbers", data_source(numbers?));
    let divide = graph.add("divide", divide);
    let aside = graph.add("aside", map(|number| format!("put aside: {number}\n")));
    let faults = graph.add("faults", map(|fault| tell(&fault)));
    let echo = graph.add("echo", console_echoer());

    let letters = graph.dead_letters(&divide.inbox);
    graph.link(letters, aside.inbox);
    graph.link(graph.faults(), faults.inbox);
    graph.link(numbers.outbox, divide.inbox);
    graph.merge([divide.outbox, aside.outbox, faults.outbox], echo.inbox);

    // At most three restarts a minute, after 10, 20 and 40 ms; after that the other components
    // finish without it.
    let limit = Restart::new(3, Duration::from_secs(60))
        .pause(Duration::from_millis(10), Duration::from_secs(1))
        .or_carry_on();
    graph.supervise(move |_| Policy::Restart(limit));
    run(graph)
}
