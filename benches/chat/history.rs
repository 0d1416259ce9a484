//! The row of a peer that joins a channel of 100,000 messages.

use std::fs;
use std::path::Path;
use std::time::Instant;

use kamea_chat::{Body, Draft, Identity, Log, Message, PeerName, Policy};
use serde_json::json;

use super::programs::{Peer, Tracker, fresh_folder};
use super::row;
use crate::table::{Figure, Row};
use crate::{Error, Setting};

const MESSAGES: u64 = 100_000;

/// The time from the command to join until the last message is there, and the memory of the peer
/// that has joined.
pub(crate) fn history(setting: &Setting) -> Result<Vec<Row>, Error> {
    let (mut took, mut memory) = (Figure::new("Kamea"), Figure::new("Kamea"));
    let written = setting.data.with_file_name("bench-history");
    if written.exists() {
        fs::remove_dir_all(&written)?;
    }
    write(&written)?;
    for _ in 0..setting.rounds {
        let folder = fresh_folder(setting)?;
        fs::create_dir(folder.join("ada"))?;
        for file in fs::read_dir(&written)? {
            let file = file?;
            fs::copy(file.path(), folder.join("ada").join(file.file_name()))?;
        }
        let tracker = Tracker::start(&[])?;
        let _ada = Peer::start("ada", &folder, Some(&tracker))?;
        let bob = Peer::start("bob", &folder, Some(&tracker))?;
        let mut page = bob.page()?;
        let mut known = page.ask(json!({"do": "channels"}))?["channels"][0].clone();
        if known.is_null() {
            known = page.event(|event| event["event"] == "channel")?;
        }
        let start = Instant::now();
        page.ask(json!({"do": "join", "channel": known["id"]}))?;
        let last = text(MESSAGES);
        page.event(|event| event["event"] == "channel" && event["last"]["text"] == last)?;
        took.rounds.push(start.elapsed().as_secs_f64());
        memory.rounds.push(bob.peak()?);
    }
    fs::remove_dir_all(&written)?;
    Ok(vec![
        row("catching up with 100,000 messages", "s", took, 5.0),
        row("the same", "MiB, the peak of the process", memory, 64.0),
    ])
}

fn text(number: u64) -> String {
    format!("this is the message with the number {number}")
}

/// Writes the history of a peer that has said much.
fn write(folder: &Path) -> Result<(), Error> {
    fs::create_dir_all(folder)?;
    let identity = Identity::load_or_create(&folder.join("key"))?;
    let name: PeerName = "ada".parse()?;
    let mut log = Log::open(&folder.join("history.sqlite"), identity.key())?;
    let created = log.create(&identity, &name, Policy::Open, "tea", 0)?;
    let mut last = created.id();
    for first in (1..=MESSAGES).step_by(1_000) {
        let mut messages = Vec::new();
        for number in first..first + 1_000 {
            let draft = Draft {
                channel: Some(created.id()),
                name: name.clone(),
                counter: number + 1,
                time: number,
                predecessors: vec![last],
                body: Body::Text(text(number)),
            };
            messages.push(Message::sign(draft, &identity)?);
            last = messages.last().map_or(last, Message::id);
        }
        log.accept_all(&messages)?;
    }
    Ok(())
}
