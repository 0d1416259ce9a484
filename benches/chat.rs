//! The rows of the chat: a message from page to page, a message to 100 peers, the tracker with 1,000
//! peers, and a history of 100,000 messages. The programs run as their users start them.

mod bare;
mod history;
mod member;
mod page;
mod programs;
mod registered;

use std::time::{Duration, Instant};

use serde_json::json;

use crate::table::{Figure, Row, Target};
use crate::{Error, Setting, process};
use bare::Bare;
pub(crate) use history::history;
use member::Members;
use programs::{Peer, Tracker, fresh_folder};
use registered::{Registered, list};

/// How many messages a second the first two rows have.
const RATE: u32 = 100;

/// How many peers get each message of the second row.
const MEMBERS: usize = 100;

/// How many peers the tracker has.
const PEERS: u32 = 1_000;

/// The time from a page to that of another peer: encrypted, and kept by both peers.
pub(crate) fn message(setting: &Setting) -> Result<Vec<Row>, Error> {
    let mut figures = [Figure::new("Kamea"), Figure::new("Kamea")];
    for _ in 0..setting.rounds {
        let folder = fresh_folder(setting)?;
        let tracker = Tracker::start(&[])?;
        let ada = Peer::start("ada", &folder, Some(&tracker))?;
        let bob = Peer::start("bob", &folder, Some(&tracker))?;
        let (mut from, mut to) = (ada.page()?, bob.page()?);
        from.event(|event| {
            let peer = match event["event"] == "hello" {
                true => &event["peers"][0],
                false => event,
            };
            peer["name"] == "bob" && peer["state"] == "direct"
        })?;
        let direct = from.ask(json!({"do": "direct", "peer": "bob"}))?;
        let channel = direct["channel"].clone();
        // The first message opens the channel at the other peer.
        from.ask(json!({"do": "send", "channel": channel, "text": "hello"}))?;
        to.event(|event| event["event"] == "message")?;
        let count = RATE * setting.seconds;
        let start = Instant::now();
        let mut took = std::thread::scope(|scope| -> Result<Vec<f64>, Error> {
            let receive = move || to.arrivals(count, start).map_err(|error| error.to_string());
            let receiver = scope.spawn(receive);
            for number in 0..count {
                let due = start + Duration::from_secs(1) * number / RATE;
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                let text = format!("{}", start.elapsed().as_nanos());
                from.ask(json!({"do": "send", "channel": channel, "text": text}))?;
            }
            Ok(receiver.join().map_err(|_| "the receiver has failed")??)
        })?;
        took.sort_by(f64::total_cmp);
        figures[0].rounds.push(took[took.len() / 2]);
        figures[1].rounds.push(took[took.len() * 99 / 100]);
    }
    let [median, late] = figures;
    Ok(vec![
        row("a message from page to page, median", "ms", median, 0.5),
        row("a message from page to page, 99th of 100", "ms", late, 2.0),
    ])
}

fn row(what: &'static str, unit: &'static str, figure: Figure, most: f64) -> Row {
    Row {
        what,
        unit,
        figures: vec![figure],
        targets: vec![Target::Most(most)],
    }
}

/// CPU time of the sending peer for each of 100 deliveries, with their receipts; beside a bare loop
/// of snow and tokio.
pub(crate) fn broadcast(setting: &Setting) -> Result<Vec<Row>, Error> {
    let mut figures = vec![Figure::new("Kamea"), Figure::new("snow and tokio")];
    let count = RATE * setting.seconds;
    let deliveries = f64::from(count) * MEMBERS as f64;
    for _ in 0..setting.rounds {
        let folder = fresh_folder(setting)?;
        let peer = Peer::start("ada", &folder, None)?;
        let mut page = peer.page()?;
        let created = page.ask(json!({"do": "create", "channel": "tea", "policy": "open"}))?;
        let channel = created["channel"].clone();
        let members = Members::connect(peer.address, MEMBERS, &channel)?;
        let before = process::cpu_us(peer.pid())?;
        let start = Instant::now();
        for number in 0..count {
            let due = start + Duration::from_secs(1) * number / RATE;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            page.ask(json!({"do": "send", "channel": channel, "text": "to everybody here"}))?;
        }
        members.finished(count)?;
        let used = process::cpu_us(peer.pid())? - before;
        figures[0].rounds.push(used / deliveries);
        let used = Bare::run(MEMBERS, count, RATE)?;
        figures[1].rounds.push(used / deliveries);
    }
    Ok(vec![Row {
        what: "a message to 100 peers",
        unit: "us of CPU per delivery",
        figures,
        targets: vec![Target::MostOf(1.5, "snow and tokio")],
    }])
}

/// The CPU time of the tracker with the heartbeats of 1,000 peers, and the time of their list.
pub(crate) fn tracker(setting: &Setting) -> Result<Vec<Row>, Error> {
    let (mut cpu, mut took) = (Figure::new("Kamea"), Figure::new("Kamea"));
    let tracker = Tracker::start(&[])?;
    let peers: Result<Vec<_>, _> = (0..PEERS)
        .map(|number| Registered::new(&tracker, number))
        .collect();
    let mut peers = peers?;
    // The peers take turns, over all rounds: no lease ends.
    let mut turns = (0..peers.len()).cycle();
    for peer in &mut peers {
        peer.heartbeat()?;
    }
    for _ in 0..setting.rounds {
        let before = process::cpu_us(tracker.pid())?;
        let start = Instant::now();
        // Each peer every 10 s: 100 a second.
        let count = setting.seconds * PEERS / 10;
        for number in 0..count {
            let due = start + Duration::from_secs(10) * number / PEERS;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let turn = turns.next().ok_or("there are no peers")?;
            peers[turn].heartbeat()?;
        }
        let elapsed = start.elapsed().as_secs_f64() * 1e6;
        let used = process::cpu_us(tracker.pid())? - before;
        cpu.rounds.push(used / elapsed * 100.0);
        let mut times = Vec::new();
        for _ in 0..200 {
            let start = Instant::now();
            let listed = list(&tracker)?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
            if listed != peers.len() {
                return Err(format!("{listed} peers are listed").into());
            }
        }
        times.sort_by(f64::total_cmp);
        took.rounds.push(times[times.len() / 2]);
    }
    Ok(vec![
        row("the heartbeats of 1,000 peers", "% of a core", cpu, 1.0),
        row(
            "the list of 1,000 peers, with its connection",
            "ms",
            took,
            1.0,
        ),
    ])
}
