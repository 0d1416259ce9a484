//! Components that are restarted.

use super::*;

/// The result of passing 1 to 30 on: the numbers, the dead letters, the faults.
fn passed<Kind>(part: impl Part<Pipe<u32, u32>, Kind>) -> (Vec<u32>, Vec<u32>, Vec<Fault>) {
    let mut graph = Graph::new("passing");
    let pass = graph.add("pass", part);
    let note = graph.add("note", async |io: &mut Pipe<Fault, Fault>| {
        while let Some(fault) = io.inbox.next().await {
            io.outbox.send(fault).await?;
        }
        Ok(())
    });
    graph.link(graph.faults(), note.inbox);
    graph.supervise(|fault| match fault.component() {
        "pass" => Policy::Restart(at_once(5)),
        _ => Policy::Stop,
    });
    let letters = graph.dead_letters(&pass.inbox);
    let (letters, faults) = (graph.take(letters), graph.take(note.outbox));
    let (numbers, passed) = (graph.feed(pass.inbox), graph.take(pass.outbox));
    let scheduler = Scheduler::with_workers(1);
    let running = scheduler.run(graph).unwrap();
    let feeder = std::thread::spawn(move || {
        (1..=30).for_each(|number| numbers.send_blocking(number).unwrap());
    });
    let passed = passed.into_iter().collect();
    feeder.join().unwrap();
    running.wait().unwrap();
    let (letters, faults) = (letters.into_iter(), faults.into_iter());
    (passed, letters.collect(), faults.collect())
}

#[test]
fn a_restarted_component_goes_on_where_it_was() {
    for how in [Failing::Error, Failing::Panic] {
        for (passed, letters, faults) in [passed(pass(how)), passed(blocking(pass_blocking(how)))] {
            let expected: Vec<_> = (1..=30).filter(|number| number % 10 != 3).collect();
            assert_eq!(passed, expected, "{how:?}");
            assert_eq!(letters, [3, 13, 23]);
            for (index, fault) in faults.iter().enumerate() {
                assert_eq!(fault.restarts(), u32::try_from(index).unwrap());
                assert_eq!(fault.restarts_in(), Some(Duration::ZERO), "it is told");
                let is_panic = matches!(fault.cause(), Cause::Panic(_));
                assert_eq!(is_panic, matches!(how, Failing::Panic));
            }
            assert_eq!(faults.len(), 3);
        }
    }
}

#[test]
fn components_of_templates_are_restarted_too() {
    #[derive(Ports)]
    struct Feed {
        numbers: Outbox<u32>,
    }
    let mut graph = Graph::template("instance");
    let feed = graph.add("feed", async |io: &mut Feed| {
        for number in 1..=30 {
            io.numbers.send(number).await?;
        }
        Ok(())
    });
    let pass = graph.add("pass", pass(Failing::Panic));
    type Ends = (Sender<u32>, Sender<u32>);
    let collect = |of: fn(&Ends) -> &Sender<u32>| {
        move |ends: &mut Ends| {
            let end = of(ends).clone();
            async move |io: &mut Sink<u32>| {
                while let Some(number) = io.inbox.next().await {
                    end.send(number).await?;
                }
                Ok(())
            }
        }
    };
    let passed = graph.add_seeded("passed", collect(|ends| &ends.0));
    let buried = graph.add_seeded("buried", collect(|ends| &ends.1));
    let letters = graph.dead_letters(&pass.inbox);
    graph.link(feed.numbers, pass.inbox);
    graph.link(pass.outbox, passed.inbox);
    graph.link(letters, buried.inbox);
    graph.supervise(|_| Policy::Restart(at_once(3)));
    let template = graph.into_template().unwrap();
    for _ in 0..2 {
        let (passed, results) = crate::link(30);
        let (buried, letters) = crate::link(30);
        block_on(template.start((passed, buried))).unwrap();
        assert_eq!(results.into_iter().count(), 27);
        assert_eq!(letters.into_iter().collect::<Vec<_>>(), [3, 13, 23]);
    }
}

#[test]
fn pauses_double_and_restarts_are_counted_within_a_while() {
    let limit = Restart::new(4, 10 * MILLISECOND).pause(2 * MILLISECOND, 5 * MILLISECOND);
    let (mut restarts, start) = (Restarts::default(), Instant::now());
    // When it fails, in milliseconds, and the pause that follows.
    let rows = [
        (0, Some(2)),
        (5, Some(4)),
        (12, Some(5)),
        (18, Some(5)),
        // It has worked for seven milliseconds of these, and failed four times.
        (23, None),
        // The first fault is ten milliseconds of work ago.
        (26, Some(5)),
        (60, Some(2)),
    ];
    for (at, pause) in rows {
        let permitted = restarts.permit(7, &limit, start + at * MILLISECOND);
        assert_eq!(permitted, pause.map(|pause| pause * MILLISECOND), "{at}");
    }
    assert_eq!((restarts.count(7), restarts.count(8)), (6, 0));
    let endless = Restart::new(u32::MAX, AGES).pause(MILLISECOND, Duration::MAX);
    for times in 0..100 {
        let pause = restarts.permit(9, &endless, start).unwrap();
        assert_eq!(
            pause,
            MILLISECOND * 2_u32.saturating_pow(times).min(1 << 31)
        );
    }
    let never = Restart::new(2, AGES).pause(Duration::MAX, Duration::MAX);
    let pauses = [(); 3].map(|()| restarts.permit(10, &never, start));
    assert_eq!(pauses, [Some(Duration::MAX), Some(Duration::MAX), None]);
}

#[test]
fn a_pause_holds_up_and_loses_nothing() {
    let mut graph = Graph::new("pausing");
    let pass = graph.add("pass", pass(Failing::Error));
    let (told, mut faults) = crate::link::<Duration>(8);
    graph.supervise(move |fault| {
        let _ = told.try_send(Duration::from_millis(fault.restarts().into()));
        Policy::Restart(Restart::new(9, AGES).pause(5 * MILLISECOND, AGES))
    });
    let (numbers, passed) = (graph.feed(pass.inbox), graph.take(pass.outbox));
    let before = Instant::now();
    let scheduler = Scheduler::with_workers(1);
    let running = scheduler.run(graph).unwrap();
    for number in [1, 3, 13, 4] {
        numbers.send_blocking(number).unwrap();
    }
    drop(numbers);
    assert_eq!(passed.into_iter().collect::<Vec<_>>(), [1, 4]);
    running.wait().unwrap();
    assert!(before.elapsed() >= 15 * MILLISECOND, "5 and 10");
    assert!(faults.try_next().is_some() && faults.try_next().is_some());
    assert!(faults.try_next().is_none());
}

/// An hour of pauses takes no time. In every order in which components are polled, nothing is lost.
#[test]
fn pauses_are_those_of_the_simulation() {
    crate::Simulation::seeds(0..50).check(|simulation| {
        let mut graph = Graph::new("simulated");
        let numbers = graph.add("numbers", async |io: &mut Source<u32>| {
            for number in 1..=30 {
                io.outbox.send(number).await?;
            }
            Ok(())
        });
        let pass = graph.add("pass", pass(Failing::Error));
        let count = graph.add("count", async |io: &mut Sink<u32>| {
            let began = crate::time::now();
            let mut count = 0;
            while io.inbox.next().await.is_some() {
                count += 1;
            }
            assert_eq!(count, 27);
            let hours = crate::time::now() - began;
            assert!(hours >= Duration::from_secs(7 * 3600), "{hours:?}");
            Ok(())
        });
        graph.link(numbers.outbox, pass.inbox).capacity(2);
        graph.link(pass.outbox, count.inbox).capacity(2);
        let hour = Duration::from_secs(3600);
        graph.supervise(move |_| Policy::Restart(Restart::new(3, AGES).pause(hour, 9 * hour)));
        simulation.run(graph)
    });
}
