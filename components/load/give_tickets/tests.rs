use futures_lite::future::zip;
use kamea::time::sleep;
use kamea::{Graph, Receiver, Report, Sender, Simulation, SimulationError};

use super::*;
use crate::load::Budget;

const MS: Duration = Duration::from_millis(1);

/// What is at the other ends of the component.
struct Ends {
    tickets: Receiver<Ticket>,
    returned: Sender<Returned>,
    shortfalls: Receiver<Note>,
}

impl Ends {
    async fn give_back(&self, returned: Returned) {
        // At the end it may not wait for it any more.
        let _ = self.returned.send(returned).await;
    }

    async fn shortfall(mut self) -> Shortfall {
        match self.shortfalls.next().await {
            Some(Note::Shortfall(shortfall)) => shortfall,
            _ => Shortfall::default(),
        }
    }
}

/// Runs the component in virtual time, at a pace that begins with it.
fn run(
    simulation: Simulation,
    pace: impl Fn(Instant) -> Pace + Send + 'static,
    other_end: impl AsyncFnOnce(Ends) + Send + 'static,
) -> Result<Report, SimulationError> {
    let mut graph = Graph::new("tickets alone");
    let part = graph.add("tickets", async move |io: &mut TicketPorts| {
        let pace = pace(now());
        give(io, &pace).await
    });
    let ends = Ends {
        tickets: graph.take(part.tickets),
        returned: graph.feed(part.returned),
        shortfalls: graph.take(part.shortfalls),
    };
    simulation
        .beside("other end", async move || other_end(ends).await)
        .run(graph)
}

/// A thousand tickets in the first second.
fn thousand(begin: Instant, depth: usize) -> Pace {
    Pace {
        depth,
        schedule: Some(Schedule::new(begin, 1000.0, 0, 1)),
        until: Some(begin + 1000 * MS),
        budget: None,
    }
}

#[test]
fn what_waits_for_the_server_is_planned_for_its_moment_and_not_late() {
    Simulation::seeds(0..20).check(|simulation| {
        let pace = |begin| thousand(begin, 1);
        run(simulation, pace, async move |mut ends| {
            let (mut count, mut first) = (0, None);
            while let Some(ticket) = ends.tickets.next().await {
                let planned = ticket.planned - *first.get_or_insert(ticket.planned);
                assert_eq!(planned.as_millis(), count);
                assert!(ticket.late < MS, "{ticket:?}");
                sleep(10 * MS).await;
                ends.give_back(Returned::Used(now())).await;
                count += 1;
            }
            assert!((98..=101).contains(&count), "{count}");
            let shortfall = ends.shortfall().await;
            assert_eq!(shortfall.missed, 0);
            assert_eq!(shortfall.held_up, 1000 - count as u64);
        })
    });
}

#[test]
fn what_waits_for_the_client_itself_is_late() {
    Simulation::seeds(0..20).check(|simulation| {
        let pace = |begin| thousand(begin, 2000);
        run(simulation, pace, async move |ends| {
            let Ends {
                mut tickets,
                returned,
                mut shortfalls,
            } = ends;
            let taking = async {
                let mut late = Vec::new();
                while let Some(ticket) = tickets.next().await {
                    late.push(ticket.late);
                    sleep(10 * MS).await;
                }
                late
            };
            // It learns this before the responses have arrived, which here never happens.
            let telling = async {
                let told = shortfalls.next().await;
                drop(returned);
                told
            };
            let (late, told) = zip(taking, telling).await;
            assert!(late[0] < MS, "{late:?}");
            assert!(late.last() > Some(&(500 * MS)), "{late:?}");
            let Some(Note::Shortfall(Shortfall { held_up, missed })) = told else {
                panic!("{told:?}")
            };
            assert_eq!((held_up, missed), (0, 1000 - late.len() as u64));
        })
    });
}

#[test]
fn a_ticket_that_was_not_used_is_given_again() {
    Simulation::seeds(0..20).check(|simulation| {
        for scheduled in [false, true] {
            let simulation = Simulation::seed(kamea::random::u64(..));
            let pace = move |begin| Pace {
                depth: 3,
                schedule: scheduled.then(|| Schedule::new(begin, 100.0, 0, 1).of(10)),
                until: None,
                budget: Some(Budget::new(10)),
            };
            run(simulation, pace, async move |mut ends| {
                let (mut used, mut unused) = (Vec::new(), None);
                while let Some(ticket) = ends.tickets.next().await {
                    if used.len() == 5 && unused.is_none() {
                        unused = Some(ticket);
                        ends.give_back(Returned::Unused(ticket)).await;
                    } else {
                        used.push(ticket);
                        ends.give_back(Returned::Used(now())).await;
                    }
                }
                assert_eq!(used.len(), 10);
                assert!(used[5..].contains(&unused.expect("there were more than five")));
                assert_eq!(ends.shortfall().await, Shortfall::default());
            })?;
        }
        run(
            simulation,
            |_| Pace {
                budget: Some(Budget::new(0)),
                ..Pace::one_by_one()
            },
            async move |mut ends| {
                assert!(ends.tickets.next().await.is_none());
            },
        )
    });
}

#[test]
fn a_stop_ends_a_wait_for_a_moment_that_is_far_away() {
    Simulation::seeds(0..20).check(|simulation| {
        let pace = |begin| Pace {
            schedule: Some(Schedule::new(begin, 0.001, 0, 1)),
            ..Pace::one_by_one()
        };
        run(
            simulation.stop_after(5 * MS),
            pace,
            async move |mut ends| {
                let begin = now();
                while ends.tickets.next().await.is_some() {
                    ends.give_back(Returned::Used(now())).await;
                }
                assert!(now() - begin < 100 * MS);
            },
        )
    });
}
