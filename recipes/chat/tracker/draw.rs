//! Draws the peers and their connections on the page of an inspector, by topology lines.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_lite::future::or;
use kamea::time::{now, sleep};
use kamea::{Asker, Component, Graph, Policy, Restart, Sink, Source, pipeline, stopping};
use kamea_components::net::tcp_client;

use super::answers::Told;
use super::{Answer, PeerName, Question};

/// How often the tracker looks whether the network has changed.
const STEP: Duration = Duration::from_secs(2);

/// How often it draws without a change: the inspector may have started later.
const AGAIN: Duration = Duration::from_secs(30);

/// How many peers and connections an inspector takes.
const MOST: (usize, usize) = (2000, 8000);

/// The graph that draws the network. `inspector` is the address of `--inspect-topologies`.
#[must_use]
pub fn draw_network(registry: Asker<Question, Answer>, inspector: SocketAddr) -> Graph {
    let mut graph = Graph::new("network");
    let client = tcp_client(inspector.to_string(), Duration::from_secs(5));
    // The inspector answers what it cannot draw.
    let note = async |io: &mut Sink<Bytes>| {
        while let Some(answer) = io.inbox.next().await {
            log::warn!("inspector: {}", answer.escape_ascii());
        }
        Ok(())
    };
    pipeline!(graph, draw(registry) => client => note);
    // An inspector that is not there may come.
    let limit = Restart::new(u32::MAX, Duration::from_secs(3600));
    let limit = limit.pause(Duration::from_secs(1), Duration::from_secs(30));
    graph.supervise(move |_| Policy::Restart(limit));
    graph
}

/// Sends the whole network when it has changed.
fn draw(registry: Asker<Question, Answer>) -> impl Component<Source<Bytes>> {
    async move |io: &mut Source<Bytes>| {
        let mut last: Option<(String, Instant)> = None;
        loop {
            let Ok(Ok(Told::Links(links))) = registry.ask(Question::Links).await else {
                return Ok(());
            };
            let (lines, now) = (lines(&links), now());
            let is_known = |(before, at): &(String, Instant)| *before == lines && now < *at + AGAIN;
            if !last.as_ref().is_some_and(is_known) {
                io.outbox.send(lines.clone().into()).await?;
                last = Some((lines, now));
            }
            let stop = async {
                stopping().await;
                true
            };
            let step = async {
                sleep(STEP).await;
                false
            };
            if or(stop, step).await {
                return Ok(());
            }
        }
    }
}

/// The network as topology lines. A connection is drawn once, whichever of its ends names it.
fn lines(links: &[(PeerName, Vec<PeerName>)]) -> String {
    let shown = &links[..links.len().min(MOST.0)];
    let names: BTreeSet<_> = shown.iter().map(|(name, _)| name).collect();
    let is_shown = |name: &PeerName| names.contains(name);
    let is_shown = &is_shown;
    let ends = shown.iter().flat_map(|(name, others)| {
        let others = others.iter();
        let others = others.filter(move |other| is_shown(other) && *other != name);
        others.map(move |other| (name.min(other), name.max(other)))
    });
    let pairs: BTreeSet<_> = ends.collect();
    let mut lines = "DEL ALL\n".to_owned();
    for name in &names {
        // Writing to a text cannot fail. A name needs no quotes.
        let _ = writeln!(lines, "ADD NODE {name} {name} auto peer");
    }
    for (from, to) in pairs.iter().take(MOST.1) {
        let _ = writeln!(lines, "ADD LINK {from} {to}");
    }
    lines
}

#[cfg(test)]
mod tests {
    use kamea_components::inspect::Command;

    use super::*;

    #[test]
    fn a_connection_is_drawn_once_and_only_between_peers_that_are_present() {
        let peer = |name: &str, others: &[&str]| {
            let others = others.iter().map(|other| other.parse().unwrap());
            (name.parse().unwrap(), others.collect())
        };
        let links = [
            peer("ada", &["bob", "gone", "ada"]),
            peer("bob", &["ada", "eve"]),
            peer("eve", &[]),
        ];
        let lines = lines(&links);
        let expected = "DEL ALL\nADD NODE ada ada auto peer\nADD NODE bob bob auto peer\n\
                        ADD NODE eve eve auto peer\nADD LINK ada bob\nADD LINK bob eve\n";
        assert_eq!(lines, expected);
        // The inspector understands each line.
        assert!(lines.lines().all(|line| line.parse::<Command>().is_ok()));
    }
}
