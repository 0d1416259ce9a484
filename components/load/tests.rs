//! The load generator as a whole, in virtual time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::{Method, Version};
use kamea::time::{now, sleep};
use kamea::{Ports, Report, Simulation, SimulationError};

use super::*;
use crate::chassis::run_each;
use crate::http::{Fields, RequestHead};
use crate::net::{Accepted, Socket, dial_by};
use crate::simulated::{Conditions, Network};

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

/// A server that answers request by request.
#[derive(Clone)]
struct Server {
    /// How long it takes for a request that comes so long after the beginning.
    takes: fn(Duration) -> Duration,
    /// With how many responses it ends a connection.
    closes_after: usize,
    /// How many requests it has answered.
    answered: Arc<AtomicU64>,
}

impl Server {
    fn taking(takes: fn(Duration) -> Duration) -> Self {
        Self {
            takes,
            closes_after: usize::MAX,
            answered: Arc::default(),
        }
    }

    fn answered(&self) -> u64 {
        self.answered.load(Ordering::SeqCst)
    }

    async fn serve(&self, accepted: Accepted, begin: Instant) -> kamea::Done {
        const END: &[u8] = b"\r\n\r\n";
        let (socket, mut buffer, mut received) =
            (Socket::new(accepted), [0; 1024], Vec::<u8>::new());
        for number in 1..=self.closes_after {
            let end = loop {
                if let Some(end) = received.windows(4).position(|bytes| bytes == END) {
                    break end + 4;
                }
                match socket.read(&mut buffer).await {
                    Ok(count @ 1..) => received.extend_from_slice(&buffer[..count]),
                    _ => return Ok(()),
                }
            };
            received.drain(..end);
            sleep((self.takes)(now() - begin)).await;
            self.answered.fetch_add(1, Ordering::SeqCst);
            let mut left = match number == self.closes_after {
                true => &b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi"[..],
                false => b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
            };
            while !left.is_empty() {
                // A client that has gone has its reasons.
                let Ok(count) = socket.write(left, false).await else {
                    return Ok(());
                };
                left = &left[count..];
            }
        }
        socket.shut_down_writing();
        while let Ok(1..) = socket.read(&mut buffer).await {}
        Ok(())
    }
}

/// The ports of what has none.
#[derive(Debug, Ports)]
struct NoPorts {}

/// Runs load on a server, and gives to `check` what was measured.
fn run(
    simulation: Simulation,
    conditions: fn() -> Conditions,
    load: Load,
    server: &Server,
    check: impl FnOnce(Measured) + Send + 'static,
) -> Result<Report, SimulationError> {
    let head = RequestHead {
        target: crate::http::Target::parse(&Method::GET, "/".into()).unwrap(),
        method: Method::GET,
        version: Version::HTTP_11,
        fields: Fields::new().with("Host", "a"),
    };
    let targets = Targets::new([Target::new(&head, b"", 1)]);
    let (network, address) = (Network::new(conditions), "192.0.2.1:80".parse().unwrap());
    let acceptor = network.accept(address);
    let mut generator = generate(load, move |_| {
        let network = network.clone();
        let connect = async move || network.connect(address).await;
        Connection {
            targets: targets.clone(),
            dial: dial_by(connect, SECOND),
        }
    });
    let (mut begin, server) = (None, server.clone());
    let acceptor = generator.graph.add("acceptor", acceptor);
    let serve = run_each(move |accepted: Accepted| {
        let mut graph = kamea::Graph::new("served");
        let (mut accepted, server) = (Some(accepted), server.clone());
        let begin = *begin.get_or_insert_with(now);
        graph.add("serve", async move |_: &mut NoPorts| {
            match accepted.take() {
                Some(accepted) => server.serve(accepted, begin).await,
                None => Ok(()),
            }
        });
        graph
    });
    let serve = generator.graph.add("serve", serve.at_most(10_000));
    generator.graph.link(acceptor.outbox, serve.inbox);
    let mut measured = generator.measured;
    drop(generator.progress);
    simulation
        .beside("check", async move || {
            check(*measured.next().await.expect("it was measured"));
        })
        .run(generator.graph)
}

/// A connection that takes no time.
fn swift() -> Conditions {
    Conditions {
        latency: Duration::ZERO,
        ..Conditions::default()
    }
}

fn for_so_long(seconds: u64) -> Load {
    Load {
        requests: None,
        lasts: Some(Duration::from_secs(seconds)),
        ..Load::of(0)
    }
}

fn quantile(histogram: &hdrhistogram::Histogram<u64>, quantile: f64) -> Duration {
    Duration::from_nanos(histogram.value_at_quantile(quantile))
}

#[test]
fn every_request_is_answered_and_counted_once_over_any_connection() {
    Simulation::seeds(0..60).check(|simulation| {
        let server = Server::taking(|_| MS);
        let load = Load {
            connections: 3,
            depth: 4,
            ..Load::of(50)
        };
        let counted = server.clone();
        run(
            simulation,
            Conditions::drawn,
            load,
            &server,
            move |measured| {
                assert_eq!((measured.requests, measured.errors.total()), (50, 0));
                assert_eq!(
                    measured.statuses.into_iter().collect::<Vec<_>>(),
                    [(200, 50)]
                );
                assert_eq!((measured.raw.len(), measured.corrected.len()), (50, 50));
                let content = Content {
                    total: 100,
                    shortest: 2,
                    longest: 2,
                };
                assert_eq!((measured.content, measured.bytes), (content, 50 * 40));
                assert_eq!(counted.answered(), 50);
            },
        )
    });
}

#[test]
fn what_waits_behind_a_server_that_stalls_is_seen_in_the_corrected_latencies_alone() {
    Simulation::seeds(0..10).check(|simulation| {
        // From the third second on it does nothing for a second.
        let server = Server::taking(|passed| match passed {
            passed if passed < 3 * SECOND => MS,
            passed => MS + (4 * SECOND).saturating_sub(passed),
        });
        let load = Load {
            rate: Some(100.0),
            ..for_so_long(10)
        };
        run(simulation, swift, load, &server, |measured| {
            // 1000 requests were planned, a hundred of them for the second in which nothing was
            // answered, but only one waits.
            assert_eq!((measured.requests, measured.held_up), (1000, 0));
            assert_eq!(measured.missed, Missed::default());
            assert!(quantile(&measured.raw, 0.99) < 10 * MS);
            assert!(quantile(&measured.raw, 1.0) > 900 * MS);
            assert!(quantile(&measured.corrected, 0.5) < 10 * MS);
            assert!(quantile(&measured.corrected, 0.99) > 800 * MS);
            let seconds = measured.series;
            assert_eq!(seconds.len(), 10);
            assert!(seconds[3].requests <= 1 && seconds[4].requests > 150);
            assert!(Duration::from_nanos(seconds[4].p50) > 100 * MS);
            assert_eq!(
                seconds.iter().map(|second| second.requests).sum::<u64>(),
                1000
            );
        })
    });
}

#[test]
fn a_rate_is_held_whatever_the_number_of_connections() {
    Simulation::seeds(0..10).check(|simulation| {
        let server = Server::taking(|_| 5 * MS);
        let load = Load {
            connections: 7,
            rate: Some(33.0),
            ..for_so_long(3)
        };
        run(simulation, swift, load, &server, |measured| {
            assert_eq!((measured.requests, measured.held_up), (99, 0));
            assert_eq!(measured.duration, 3 * SECOND);
            assert_eq!(measured.rate(), 33.0);
            for second in measured.series {
                assert!((32..=34).contains(&second.requests), "{second:?}");
            }
        })
    });
}

#[test]
fn a_server_that_cannot_keep_up_is_not_mistaken_for_a_client_that_cannot() {
    Simulation::seeds(0..10).check(|simulation| {
        let server = Server::taking(|_| 100 * MS);
        let load = Load {
            connections: 2,
            rate: Some(100.0),
            ..for_so_long(2)
        };
        run(simulation, swift, load, &server, |measured| {
            // Two at a time, ten in a second each.
            assert!(
                (38..=40).contains(&measured.requests),
                "{}",
                measured.requests
            );
            assert_eq!(measured.requests + measured.held_up, 200);
            assert_eq!(measured.missed, Missed::default());
            assert!(quantile(&measured.corrected, 1.0) > SECOND);
            assert!(quantile(&measured.raw, 1.0) < 110 * MS);
        })
    });
}

#[test]
fn requests_behind_the_last_response_of_a_connection_are_sent_again() {
    Simulation::seeds(0..60).check(|simulation| {
        let server = Server {
            closes_after: 5,
            ..Server::taking(|_| MS)
        };
        let load = Load {
            connections: 2,
            depth: 8,
            ..Load::of(101)
        };
        let counted = server.clone();
        run(
            simulation,
            Conditions::drawn,
            load,
            &server,
            move |measured| {
                let why = measured.errors.examples;
                assert_eq!(measured.requests, 101, "{why:?}");
                assert_eq!(counted.answered(), 101);
            },
        )
    });
}

#[test]
fn a_server_that_says_nothing_costs_no_more_than_the_time_out() {
    Simulation::seeds(0..10).check(|simulation| {
        let server = Server::taking(|_| 100 * SECOND);
        let load = Load {
            connections: 3,
            depth: 2,
            response_options: ResponseOptions {
                within: 2 * SECOND,
                ..ResponseOptions::default()
            },
            ..for_so_long(5)
        };
        run(simulation, swift, load, &server, |measured| {
            assert_eq!(measured.requests, 0);
            // One for each connection at 2, 4 and 6 seconds; what was behind it is sent again.
            let errors = &measured.errors;
            assert_eq!(errors.of(ErrorClass::TimeOut), errors.total());
            assert!((9..=15).contains(&errors.total()), "{errors:?}");
            assert!(measured.duration < 9 * SECOND);
        })
    });
}

#[test]
fn a_run_that_is_stopped_tells_what_it_has_measured() {
    Simulation::seeds(0..20).check(|simulation| {
        let server = Server::taking(|passed| match passed {
            passed if passed < SECOND => 10 * MS,
            _ => 100 * SECOND,
        });
        let load = Load {
            connections: 2,
            ..for_so_long(3600)
        };
        run(
            simulation.stop_after(2 * SECOND),
            swift,
            load,
            &server,
            move |measured| {
                assert!(
                    (150..=202).contains(&measured.requests),
                    "{}",
                    measured.requests
                );
                assert_eq!(measured.errors.total(), 0);
                assert!(measured.duration < 3 * SECOND);
            },
        )
    });
}

#[test]
fn what_warms_the_server_up_is_not_counted() {
    Simulation::seeds(0..5).check(|simulation| {
        let server = Server::taking(|_| MS);
        let load = Load {
            rate: Some(10.0),
            warm_up: SECOND,
            ..for_so_long(2)
        };
        let counted = server.clone();
        run(simulation, swift, load, &server, move |measured| {
            assert_eq!((measured.requests, counted.answered()), (20, 30));
            assert_eq!((measured.duration, measured.series.len()), (2 * SECOND, 2));
        })
    });
}
