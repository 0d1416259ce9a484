//! Which policy applies, and what it does.

use super::*;

/// A graph with a component that always fails, and one that continues for as long as it may.
fn failing(policy: Policy) -> (Result<(), Fault>, Vec<Fault>) {
    let mut graph = Graph::new("failing");
    graph.add("fail", async |_: &mut Sink0| fail(Failing::Error, 0));
    let note = graph.add("note", async |io: &mut Pipe<Fault, Fault>| {
        while let Some(fault) = io.inbox.next().await {
            io.outbox.send(fault).await?;
        }
        Ok(())
    });
    graph.link(graph.faults(), note.inbox);
    graph.supervise(move |_| policy);
    let faults = graph.take(note.outbox);
    let outcome = block_on(graph.start().unwrap());
    (outcome, faults.into_iter().collect())
}

#[derive(Ports)]
struct Sink0 {}

/// The only components left that could fail are those that take the faults.
#[test]
fn a_graph_of_nobody_but_who_takes_its_faults_ends() {
    let mut graph = Graph::new("lonely");
    let listen = graph.add("listen", async |io: &mut Sink<Fault>| {
        while io.inbox.next().await.is_some() {}
        Ok(())
    });
    graph.link(graph.faults(), listen.inbox);
    let scheduler = Scheduler::with_workers(1);
    let running = scheduler.run(graph).unwrap();
    let outcome = running.wait_until(Instant::now() + Duration::from_secs(10));
    assert!(matches!(outcome, Some(Ok(()))), "{outcome:?}");
}

#[test]
fn one_fault_too_many_stops_the_graph_or_is_carried_on_from() {
    let (outcome, faults) = failing(Policy::Restart(at_once(3)));
    let last = outcome.unwrap_err();
    assert_eq!((last.restarts(), last.restarts_in()), (3, None));
    drop(faults);

    let (outcome, faults) = failing(Policy::Restart(at_once(3).or_carry_on()));
    assert!(outcome.is_ok());
    let told: Vec<_> = faults.iter().map(Fault::restarts).collect();
    assert_eq!(told, [0, 1, 2, 3]);
    assert_eq!(faults[3].restarts_in(), None);

    let (outcome, faults) = failing(Policy::CarryOn);
    assert!(outcome.is_ok());
    assert_eq!(faults.len(), 1);
}

#[test]
fn a_graph_within_a_graph_keeps_its_policy() {
    let composite = |policy: Option<Policy>| -> Composite<Pipe<u32, u32>> {
        let mut inner = Graph::new("inner");
        let pass = inner.add("pass", pass(Failing::Error));
        if let Some(policy) = policy {
            inner.supervise(move |fault| {
                assert_eq!(fault.component(), "pass");
                policy
            });
        }
        let (inbox, outbox) = (pass.inbox, pass.outbox);
        inner.expose(PipeHandles { inbox, outbox })
    };
    let rows = [
        (None, vec![1], "outer/pass"),
        (Some(Policy::Stop), vec![1], ""),
        (Some(Policy::Restart(at_once(1))), vec![1, 2], ""),
    ];
    for (policy, expected, asked) in rows {
        let mut graph = Graph::new("outer");
        let part = graph.add("outer", composite(policy));
        let names = Arc::new(std::sync::Mutex::new(String::new()));
        let noted = names.clone();
        graph.supervise(move |fault| {
            noted.lock().unwrap().push_str(fault.component());
            Policy::CarryOn
        });
        let (numbers, passed) = (graph.feed(part.inbox), graph.take(part.outbox));
        for number in [1, 3, 2] {
            numbers.try_send(number).unwrap();
        }
        drop(numbers);
        let outcome = block_on(graph.start().unwrap());
        assert_eq!(outcome.is_err(), policy == Some(Policy::Stop));
        assert_eq!(passed.into_iter().collect::<Vec<_>>(), expected);
        assert_eq!(*names.lock().unwrap(), asked);
    }
}

#[test]
fn faults_and_dead_letters_are_linked_once() {
    let mut graph = Graph::new("twice");
    let [first, second] = ["first", "second"].map(|name| {
        graph.add(name, async |io: &mut Sink<Fault>| {
            io.inbox.next().await;
            Ok(())
        })
    });
    graph.link(graph.faults(), first.inbox);
    graph.link(graph.faults(), second.inbox);
    let error = graph.start().unwrap_err();
    assert!(matches!(error, GraphError::LinkedTwice { .. }), "{error}");

    let mut graph = Graph::new("twice");
    let pass = graph.add("pass", pass(Failing::Error));
    let letters = [(); 2].map(|()| graph.dead_letters(&pass.inbox));
    let letters = letters.map(|letters| graph.take(letters));
    let (_numbers, _passed) = (graph.feed(pass.inbox), graph.take(pass.outbox));
    let error = graph.start().unwrap_err();
    assert_eq!(
        error.to_string(),
        "graph `twice`: the dead letters of `pass.inbox` can be linked to one inbox only"
    );
    drop(letters);
}

#[test]
fn a_policy_that_panics_stops_the_graph() {
    let mut graph = Graph::new("hopeless");
    graph.add("fail", async |_: &mut NoPorts| fail(Failing::Error, 1));
    graph.add("wait", async |_: &mut NoPorts| pending().await);
    graph.supervise(|_| panic!("at a loss"));
    let scheduler = Scheduler::with_workers(1);
    let fault = scheduler.run(graph).unwrap().wait().unwrap_err();
    assert_eq!(fault.fault().unwrap().component(), "fail");
}

/// Three fail before the reader has taken anything, and there is space for one.
#[test]
fn faults_beyond_what_the_reader_takes_are_counted_for_it() {
    for capacity in [1, 2, 16] {
        let mut graph = Graph::new("failing");
        for name in ["a", "b", "c", "d"] {
            graph.add(name, async |_: &mut NoPorts| fail(Failing::Error, 3));
        }
        let read = graph.add("read", async |io: &mut Pipe<Fault, String>| {
            while let Some(fault) = io.inbox.next().await {
                io.outbox.send(fault.to_string()).await?;
            }
            Ok(())
        });
        graph.supervise(|_| Policy::CarryOn);
        graph.link(graph.faults(), read.inbox).capacity(capacity);
        let read = graph.take(read.outbox);
        block_on(graph.start().unwrap()).unwrap();
        let read: Vec<_> = read.into_iter().collect();
        let failed = |name: &str| format!("component `{name}` of graph `failing` failed: 3");
        let known = ["a", "b", "c", "d"].map(failed);
        if capacity == 16 {
            assert_eq!(read, known);
            continue;
        }
        assert_eq!(read[..capacity], known[..capacity]);
        let rest = 4 - capacity;
        let rest = format!(
            "component `d` of graph `failing` failed, the last of {rest} faults that there was no space to tell of"
        );
        assert_eq!(read[capacity..], [rest]);
    }
}
