//! Which functions are fused, that this is invisible, and which component a panic belongs to.

use crate::graph::Plan;
use crate::testing::block_on;
use crate::{
    Done, Fault, Graph, Outbox, Pipe, Policy, Ports, Scheduler, Simulation, Sink, Source, blocking,
    filter, filter_map, inspect, map, pipeline, scan,
};

async fn copy(io: &mut Pipe<u32, u32>) -> Done {
    while let Some(number) = io.inbox.next().await {
        io.outbox.send(number).await?;
    }
    Ok(())
}

async fn count_to_hundred(io: &mut Source<u32>) -> Done {
    for number in 1..=100 {
        io.outbox.send(number).await?;
    }
    Ok(())
}

fn names(graph: &Graph) -> [Vec<String>; 2] {
    let (plan, _) = Plan::new(graph).unwrap();
    let names = |parts: &[crate::graph::PlannedComponent]| {
        parts.iter().map(|part| part.name.to_string()).collect()
    };
    [names(&plan.functions), names(&plan.components)]
}

#[test]
fn a_function_is_fused_where_its_outbox_feeds_one_component_of_the_flow_alone() {
    let plus_one = || map(|n: u32| n + 1);
    type Wire = fn(&mut Graph);
    let rows: [(&str, Wire, &[&str]); 6] = [
        (
            "between components",
            |graph| {
                let (_, end) = pipeline!(*graph, count_to_hundred => map(|n| n + 1) => copy);
                drop(graph.take(end));
            },
            &["map"],
        ),
        (
            "a chain of them, behind a link across threads",
            |graph| {
                let (start, end) =
                    pipeline!(*graph, map(|n: u32| n + 1) => filter(|n| n % 2 == 0) => copy);
                drop((graph.feed(start), graph.take(end)));
            },
            &["map", "filter"],
        ),
        (
            "out of the graph",
            |graph| {
                let (_, end) = pipeline!(*graph, count_to_hundred => map(|n| n + 1));
                drop(graph.take(end));
            },
            &[],
        ),
        (
            "the last of a chain that leads out of the graph is a component, behind the others",
            |graph| {
                let (_, end) =
                    pipeline!(*graph, count_to_hundred => filter(|n| n % 2 == 0) => map(|n| n + 1));
                drop(graph.take(end));
            },
            &["filter"],
        ),
        (
            "to a thread",
            |graph| {
                let listen = blocking(|_: &mut Sink<u32>| Ok(()));
                pipeline!(*graph, count_to_hundred => map(|n| n + 1) => listen);
            },
            &[],
        ),
        (
            "by a link that leads back",
            |graph| {
                let source = graph.add("source", count_to_hundred);
                let fork = graph.add("fork", fork);
                let back = graph.add("back", map(|n: u32| n + 1));
                graph.link(source.outbox, fork.inbox).feedback(back.outbox);
                graph.link(fork.on, back.inbox);
            },
            &[],
        ),
    ];
    for (what, wire, fused) in rows {
        let mut graph = Graph::new("g");
        wire(&mut graph);
        assert_eq!(names(&graph)[0], fused, "{what}");
    }
    let mut graph = Graph::new("merged");
    let source = graph.add("source", count_to_hundred);
    let merged = [graph.add("a", plus_one()), graph.add("b", plus_one())];
    let [a, b] = merged;
    let split = graph.add("split", fork);
    graph.link(source.outbox, split.inbox);
    graph.link(split.on, a.inbox);
    let b_feed = graph.feed(b.inbox);
    let sink = graph.add("sink", copy);
    graph.merge([a.outbox, b.outbox], sink.inbox);
    drop((graph.take(sink.outbox), b_feed));
    assert_eq!(names(&graph)[0], Vec::<String>::new(), "merged with others");
}

#[derive(Ports)]
struct Fork {
    inbox: crate::Inbox<u32>,
    on: Outbox<u32>,
}

async fn fork(io: &mut Fork) -> Done {
    while let Some(number) = io.inbox.next().await {
        io.on.send(number).await?;
    }
    Ok(())
}

/// Even numbers from 2, each with the sum so far.
fn chain(graph: &mut Graph) -> crate::Receiver<(u32, u32)> {
    let (_, end) = pipeline!(
        *graph,
        count_to_hundred
            => map(|n| n + 1)
            => inspect(|n: &u32| assert!(*n > 1))
            => filter(|n| n % 2 == 0)
            => scan(0, |sum, n| { *sum += n; (n, *sum) })
            => pass_pairs
            => filter_map(|(n, sum)| (n > 98).then_some((n, sum)))
    );
    graph.take(end)
}

async fn pass_pairs(io: &mut Pipe<(u32, u32), (u32, u32)>) -> Done {
    while let Some(pair) = io.inbox.next().await {
        io.outbox.send(pair).await?;
    }
    Ok(())
}

#[test]
fn functions_do_what_they_say_in_their_order() {
    let mut graph = Graph::new("g");
    let results = chain(&mut graph);
    assert_eq!(
        names(&graph),
        [
            vec!["map", "inspect", "filter", "scan"],
            vec!["count_to_hundred", "pass_pairs", "filter_map"]
        ]
    );
    block_on(graph.start().unwrap()).unwrap();
    assert_eq!(results.into_iter().collect::<Vec<_>>(), [(100, 2550)]);
}

#[test]
fn a_function_behind_a_link_across_threads_waits_for_it() {
    let mut graph = Graph::new("g");
    let (numbers, odd) = pipeline!(graph, filter(|n: &u32| n % 2 == 1) => map(|n| n + 1) => copy);
    let (numbers, mut odd) = (graph.feed(numbers), graph.take(odd));
    let scheduler = Scheduler::with_workers(1);
    let running = scheduler.run(graph).unwrap();
    for number in 0..1000 {
        numbers.send_blocking(number).unwrap();
        if number % 2 == 1 {
            assert_eq!(odd.next_blocking(), Some(number + 1));
        }
    }
    drop(numbers);
    assert_eq!(
        odd.next_blocking(),
        None,
        "the end travels through a function"
    );
    running.wait().unwrap();
}

#[test]
fn upstream_hears_of_the_end_of_the_component_behind_a_function() {
    let mut graph = Graph::new("g");
    let (numbers, _) = pipeline!(graph, map(|n: u32| n + 1) => async |io: &mut Sink<u32>| {
        assert_eq!(io.inbox.next().await, Some(2));
        assert_eq!((io.inbox.len(), io.inbox.try_next()), (1, Some(3)));
        assert_eq!(io.inbox.try_next(), None);
        Ok(())
    });
    let numbers = graph.feed(numbers);
    numbers.try_send(1).unwrap();
    numbers.try_send(2).unwrap();
    block_on(async {
        graph.start().unwrap().await.unwrap();
        numbers.closed().await;
    });
}

#[test]
fn a_wait_that_is_given_up_loses_nothing() {
    let mut graph = Graph::new("g");
    let (numbers, _) = pipeline!(graph, map(|n: u32| n + 1) => async |io: &mut Sink<u32>| {
        let mut sum = 0;
        loop {
            let wait = io.inbox.next();
            let gave_up = crate::time::sleep(std::time::Duration::from_micros(50));
            let (mut wait, mut gave_up) = (std::pin::pin!(wait), std::pin::pin!(gave_up));
            let next = std::future::poll_fn(|cx| {
                if let std::task::Poll::Ready(next) = wait.as_mut().poll(cx) {
                    return std::task::Poll::Ready(Some(next));
                }
                gave_up.as_mut().poll(cx).map(|()| None)
            });
            match next.await {
                Some(Some(number)) => sum += number,
                Some(None) => break,
                None => {}
            }
        }
        assert_eq!(sum, 5150);
        Ok(())
    });
    let numbers = graph.feed(numbers);
    let scheduler = Scheduler::with_workers(1);
    let running = scheduler.run(graph).unwrap();
    for number in 1..=100 {
        numbers.send_blocking(number).unwrap();
        std::thread::yield_now();
    }
    drop(numbers);
    running.wait().unwrap();
}

#[test]
fn a_panic_in_a_function_is_a_fault_in_its_name() {
    let fault = |graph: Graph| block_on(graph.start().unwrap()).unwrap_err();
    let mut graph = Graph::new("g");
    let divide = graph.add("divide", map(|n: u32| 1 / (n - 1)));
    let (source, copy) = (
        graph.add("source", count_to_hundred),
        graph.add("copy", copy),
    );
    graph.link(source.outbox, divide.inbox);
    graph.link(divide.outbox, copy.inbox);
    drop(graph.take(copy.outbox));
    assert_eq!(
        fault(graph).to_string(),
        "component `divide` of graph `g` panicked: attempt to divide by zero"
    );

    let mut graph = Graph::new("g");
    pipeline!(graph, count_to_hundred => map(|n| n + 1) => async |io: &mut Sink<u32>| {
        io.inbox.next().await;
        panic!("my own fault")
    });
    assert_eq!(
        fault(graph).to_string(),
        "component `closure` of graph `g` panicked: my own fault"
    );
}

#[test]
fn functions_work_between_faults_and_who_takes_them() {
    let mut graph = Graph::new("g");
    let fail = graph.add("fail", async |_: &mut Source<u32>| {
        Err(crate::End::fault("no"))
    });
    let sink = graph.add("sink", async |io: &mut Sink<u32>| {
        while io.inbox.next().await.is_some() {}
        Ok(())
    });
    graph.link(fail.outbox, sink.inbox);
    let name = graph.add("name", map(|fault: Fault| fault.component().to_owned()));
    let count = graph.add("count", async |io: &mut Sink<String>| {
        assert_eq!(io.inbox.next().await.as_deref(), Some("fail"));
        assert_eq!(io.inbox.next().await, None);
        Ok(())
    });
    graph.link(graph.faults(), name.inbox);
    graph.link(name.outbox, count.inbox);
    graph.supervise(|fault| match fault.component() {
        "fail" => Policy::CarryOn,
        _ => Policy::Stop,
    });
    block_on(graph.start().unwrap()).unwrap();
}

/// It cannot be fused, because its outbox leads out of the graph.
#[test]
fn a_function_behind_a_quiet_source_ends_when_nobody_takes_its_messages() {
    let mut graph = Graph::new("quiet");
    let double = graph.add("double", map(|n: u32| 2 * n));
    let (numbers, mut doubled) = (graph.feed(double.inbox), graph.take(double.outbox));
    Simulation::seed(1)
        .beside("reader", async move || {
            numbers.send(1).await.unwrap();
            assert_eq!(doubled.next().await, Some(2));
            drop(doubled);
            // It is the only one that could end the graph, and it sends nothing more.
            numbers.closed().await;
        })
        .run(graph)
        .unwrap();
}

#[test]
fn a_template_fuses_a_clone_for_each_instance() {
    let mut graph = Graph::template("t");
    let source = graph.add("source", count_to_hundred);
    let sum = graph.add(
        "sum",
        scan(0, |sum, n: u32| {
            *sum += n;
            *sum
        }),
    );
    let check = graph.add("check", async |io: &mut Sink<u32>| {
        let mut last = 0;
        while let Some(sum) = io.inbox.next().await {
            last = sum;
        }
        assert_eq!(last, 5050);
        Ok(())
    });
    graph.link(source.outbox, sum.inbox);
    graph.link(sum.outbox, check.inbox);
    let template = graph.into_template().unwrap();
    for () in [(); 3] {
        block_on(template.start(())).unwrap();
    }
}

#[test]
fn a_drawing_shows_functions_like_all_others() {
    let mut graph = Graph::new("g");
    drop(chain(&mut graph));
    let drawing = graph.to_string();
    assert!(
        drawing.contains("map.outbox              ──▶ inspect.inbox"),
        "{drawing}"
    );
}
