//! A peer that does what its script says, for tests of the page: a long history, floods, refusals
//! and lost connections, as often as a test wants them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use futures_lite::future::or;
use kamea::Scheduler;
use kamea_components::chassis::Backplane;
use kamea_components::gateway::{Sock, WebSocket};
use kamea_components::server::{Listening, Site, WebServer};
use kamea_components::websocket::CloseCode;
use serde_json::{Value, json};

/// The names of the people; the first is the reader of the page.
pub(crate) const PEOPLE: [&str; 3] = ["ada", "bob", "eve"];

/// A scripted peer that serves the page.
pub(crate) struct StandIn {
    pub(crate) address: SocketAddr,
    peer: Arc<Mutex<Peer>>,
    /// Events for all pages.
    news: Backplane<String>,
    _listening: Listening,
    _scheduler: Scheduler,
}

impl StandIn {
    /// A peer with so many messages in the channel `general`, the last of them unread.
    pub(crate) fn new(messages: usize, unread: usize) -> Self {
        let peer = Arc::new(Mutex::new(Peer::new(messages, unread)));
        let news = Backplane::<String>::new();
        let (shared, events) = (peer.clone(), news.clone());
        let live = async move |ws: &mut WebSocket<'_>| {
            let mut events = events.subscribe("live");
            let hello = shared.lock().unwrap().hello();
            ws.send(hello.to_string()).await?;
            loop {
                let event = async { Ok(Err(events.next().await)) };
                let command = async { ws.receive().await.map(Ok) };
                let command = match or(event, command).await? {
                    Err(event) => {
                        ws.send(event.unwrap()).await?;
                        continue;
                    }
                    Ok(command) => serde_json::from_str(command.as_text().unwrap()).unwrap(),
                };
                let answers = shared.lock().unwrap().obey(&command);
                for answer in answers {
                    ws.send(answer.to_string()).await?;
                }
                if command["text"] == "drop" {
                    ws.close(CloseCode::GOING_AWAY, "");
                    return Ok(());
                }
            }
        };
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../www/chat");
        let server = WebServer::new(Site::new(page)).sock(Sock::new().route("/live", live));
        let scheduler = Scheduler::with_workers(1);
        let listening = server
            .run(&scheduler, &["127.0.0.1:0".parse().unwrap()])
            .unwrap();
        Self {
            address: listening.addresses()[0],
            peer,
            news,
            _listening: listening,
            _scheduler: scheduler,
        }
    }

    /// Somebody else says something.
    pub(crate) fn hears(&self, channel: &str, author: &str, text: &str) {
        let event = self
            .peer
            .lock()
            .unwrap()
            .say(channel, author, text, "delivered");
        self.publish(&event);
    }

    /// Sends an event to all pages.
    pub(crate) fn publish(&self, event: &Value) {
        let publisher = self.news.publisher("live");
        kamea::testing::block_on(publisher.publish(event.to_string())).unwrap();
    }

    /// The commands that came, but for those that only ask.
    pub(crate) fn commands(&self, name: &str) -> Vec<Value> {
        let commands = &self.peer.lock().unwrap().commands;
        commands
            .iter()
            .filter(|command| command["do"] == name)
            .cloned()
            .collect()
    }
}

struct Peer {
    channels: Vec<(Value, Vec<Value>)>,
    commands: Vec<Value>,
    next: usize,
}

/// A fingerprint for a name.
fn fingerprint(name: &str) -> String {
    let digit = format!("{:04x}", u32::from(name.as_bytes()[0]) * 7);
    vec![digit; 8].join(" ")
}

impl Peer {
    fn new(messages: usize, unread: usize) -> Self {
        let mut peer = Self {
            channels: Vec::new(),
            commands: Vec::new(),
            next: 0,
        };
        for (id, name, policy) in [
            ("c1", "general", "open"),
            ("c2", "news", "read-only"),
            ("c3", "bob", "direct"),
        ] {
            peer.add_channel(id, name, policy);
        }
        peer.channels[1].0["may_write"] = json!(false);
        for i in 0..messages {
            let author = if i + unread >= messages {
                "bob"
            } else {
                PEOPLE[i % 3]
            };
            let words = "words of a message ".repeat(1 + i * 7 % 13);
            peer.say("c1", author, &format!("{words}#{i}"), "delivered");
        }
        let general = &mut peer.channels[0];
        general.0["unread"] = json!(unread);
        let read = (messages - unread)
            .checked_sub(1)
            .map(|i| general.1[i]["id"].clone());
        general.0["read"] = json!(read);
        peer
    }

    fn add_channel(&mut self, id: &str, name: &str, policy: &str) {
        let channel = json!({
            "id": id, "name": name, "policy": policy, "owner": "bob", "members": 3, "unread": 0,
            "read": null, "may_write": true, "last": null,
        });
        self.channels.push((channel, Vec::new()));
    }

    fn hello(&self) -> Value {
        let channels: Vec<_> = self.channels.iter().map(|(channel, _)| channel).collect();
        let states = ["direct", "reconnecting", "away"];
        let peers = ["bob", "eve", "carl"].iter().zip(states).map(|(name, state)| {
            let fingerprint = fingerprint(name);
            json!({"name": name, "fingerprint": fingerprint, "state": state, "rtt_ms": 0.4, "queue": 0})
        });
        json!({
            "event": "hello", "me": {"name": "ada", "fingerprint": fingerprint("ada")},
            "channels": channels, "peers": peers.collect::<Vec<_>>(), "tracker": "connected",
        })
    }

    /// Adds a message, and returns its event.
    fn say(&mut self, channel: &str, author: &str, text: &str, state: &str) -> Value {
        self.next += 1;
        let message = json!({
            "id": format!("m{}", self.next), "channel": channel, "author": author,
            "fingerprint": fingerprint(author), "mine": author == "ada",
            "time": 1_700_000_000_000_u64 + 60_000 * self.next as u64,
            "text": text, "state": state, "order": format!("{:08}", 10 * self.next),
        });
        let (_, messages) = self.channel(channel);
        messages.push(message.clone());
        json!({"event": "message", "channel": channel, "message": message})
    }

    fn channel(&mut self, id: &str) -> &mut (Value, Vec<Value>) {
        self.channels
            .iter_mut()
            .find(|(channel, _)| channel["id"] == id)
            .unwrap()
    }

    fn event(&mut self, id: &str) -> Value {
        let mut event = self.channel(id).0.clone();
        event["event"] = json!("channel");
        event
    }

    /// Does what the page wants. Returns what to send.
    fn obey(&mut self, command: &Value) -> Vec<Value> {
        self.commands.push(command.clone());
        let id = command["channel"].as_str().unwrap_or_default().to_owned();
        let reply = |ok: Value| json!({"reply": command["id"], "ok": ok});
        match command["do"].as_str().unwrap() {
            "history" => {
                let messages = &self.channel(&id).1;
                let before = messages
                    .iter()
                    .position(|message| message["id"] == command["before"]);
                let end = before.unwrap_or(messages.len());
                let start = end.saturating_sub(command["limit"].as_u64().unwrap() as usize);
                vec![reply(
                    json!({"messages": messages[start..end], "more": start > 0}),
                )]
            }
            "read" => {
                let (channel, messages) = self.channel(&id);
                let read = messages
                    .iter()
                    .position(|message| message["id"] == command["message"]);
                let after = &messages[read.unwrap() + 1..];
                channel["unread"] = after
                    .iter()
                    .filter(|message| message["mine"] == false)
                    .count()
                    .into();
                channel["read"] = command["message"].clone();
                vec![self.event(&id), reply(json!({}))]
            }
            "search" => {
                let words = command["text"].as_str().unwrap();
                let all = self.channels.iter().flat_map(|(_, messages)| messages);
                let found = all.filter(|message| message["text"].as_str().unwrap().contains(words));
                vec![reply(
                    json!({"messages": found.take(50).collect::<Vec<_>>()}),
                )]
            }
            "send" => self.send(command, &id),
            "channels" => {
                vec![reply(
                    json!({"channels": [{"id": "c9", "name": "garden", "policy": "open", "owner": "eve"}]}),
                )]
            }
            "create" => {
                self.add_channel("c8", &id, "open");
                vec![self.event("c8"), reply(json!({"channel": "c8"}))]
            }
            "join" => {
                self.add_channel(&id, "garden", "open");
                vec![self.event(&id), reply(json!({}))]
            }
            "leave" => {
                self.channels.retain(|(channel, _)| channel["id"] != *id);
                vec![json!({"event": "left", "channel": id}), reply(json!({}))]
            }
            // Its answer is the hello, which the page has got already.
            "log-in" => Vec::new(),
            "direct" => vec![reply(json!({"channel": "c3"}))],
            "invite" => vec![json!({"reply": command["id"], "error": "carl is a member already"})],
            other => panic!("{other}"),
        }
    }

    fn send(&mut self, command: &Value, channel: &str) -> Vec<Value> {
        let text = command["text"].as_str().unwrap();
        if text.starts_with('!') {
            return vec![json!({"reply": command["id"], "error": "no exclamation marks"})];
        }
        let own = self.say(channel, "ada", text, "queued");
        let message = own["message"]["id"].clone();
        let mut sent = vec![own, json!({"reply": command["id"], "ok": {}})];
        if let Some(state) = text.strip_prefix("state ") {
            sent.push(
                json!({"event": "state", "channel": channel, "message": message, "state": state}),
            );
        }
        if let Some(said) = text.strip_prefix("say ") {
            sent.push(self.say(channel, "eve", said, "delivered"));
        }
        if let Some(count) = text.strip_prefix("flood ") {
            for i in 0..count.parse().unwrap() {
                sent.push(self.say(channel, "bob", &format!("flood {i}"), "delivered"));
                let unread = self.channel(channel).0["unread"].as_u64().unwrap();
                self.channel(channel).0["unread"] = json!(unread + 1);
            }
            sent.push(self.event(channel));
        }
        if let Some(order) = text.strip_prefix("late ") {
            let mut late = self.say(channel, "eve", &format!("late after {order}"), "delivered");
            late["message"]["order"] =
                json!(format!("{:08}", 10 * order.parse::<u64>().unwrap() + 5));
            sent.push(late);
        }
        if text == "leave the lights on" {
            sent.push(json!({"event": "tracker", "state": "away"}));
        }
        sent
    }
}
