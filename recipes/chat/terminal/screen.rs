//! What the terminal knows of the peer, and how events become lines.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// What the terminal knows: from the events of the peer.
#[derive(Debug, Default)]
pub(super) struct Screen {
    rooms: BTreeMap<String, Room>,
    /// The name and the state of each person, by fingerprint.
    people: BTreeMap<String, (String, String)>,
    /// The channel in which a line is said.
    pub(super) current: Option<String>,
    /// Own messages that have not left.
    pub(super) waiting: BTreeSet<String>,
}

#[derive(Debug)]
struct Room {
    name: String,
    policy: String,
    is_joined: bool,
    unread: u64,
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// A text from somebody else, in one line. It cannot command the terminal, nor turn its direction.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => plain.push_str("\\n"),
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                plain.extend(c.escape_unicode());
            }
            c if c.is_control() => plain.extend(c.escape_default()),
            c => plain.push(c),
        }
    }
    plain
}

impl Screen {
    /// Takes an event. Returns what it says, in lines.
    pub(super) fn take(&mut self, event: &Value) -> Option<String> {
        match text(event, "event") {
            "hello" => {
                self.rooms.clear();
                for channel in event["channels"].as_array().into_iter().flatten() {
                    self.take_channel(channel);
                }
                for peer in event["peers"].as_array().into_iter().flatten() {
                    self.take_person(peer);
                }
                None
            }
            "channel" => self.take_channel(event),
            "left" => {
                let id = text(event, "channel");
                let left = self.rooms.get_mut(id).map(|room| {
                    room.is_joined = false;
                    format!("* left {}", room.shown())
                });
                if self.current.as_deref() == Some(id) {
                    self.current = None;
                }
                left
            }
            "message" => {
                let message = &event["message"];
                if text(message, "state") != "queued" {
                    self.waiting.remove(text(message, "id"));
                }
                Some(self.message(message))
            }
            "state" => {
                self.waiting.remove(text(event, "message"));
                None
            }
            "peer" => self.take_person(event),
            "tracker" => Some(format!("* tracker: {}", text(event, "state"))),
            "refresh" => {
                let room = self.rooms.get(text(event, "channel"))?;
                Some(format!(
                    "* many new messages in {}: /history shows them",
                    room.shown()
                ))
            }
            _ => None,
        }
    }

    /// Takes a channel, of an event or of a list.
    pub(super) fn take_channel(&mut self, channel: &Value) -> Option<String> {
        let room = Room {
            name: plain(text(channel, "name")),
            policy: text(channel, "policy").to_owned(),
            is_joined: channel["joined"] != false,
            unread: channel["unread"].as_u64().unwrap_or_default(),
        };
        let owner = plain(text(channel, "owner"));
        let (is_joined, shown) = (room.is_joined, room.shown());
        let is_invitation = room.policy == "invite";
        let before = self.rooms.insert(text(channel, "id").to_owned(), room);
        match (before.map(|before| before.is_joined), is_joined) {
            (None | Some(false), true) => Some(format!("* joined {shown}")),
            (None, false) if is_invitation => Some(format!("* {owner} invites you to {shown}")),
            (None, false) => Some(format!("* there is {shown}, of {owner}")),
            _ => None,
        }
    }

    fn take_person(&mut self, person: &Value) -> Option<String> {
        let (name, state) = (
            plain(text(person, "name")),
            text(person, "state").to_owned(),
        );
        let said = format!("* {name}: {}", words(&state));
        let before = self.people.insert(
            text(person, "fingerprint").to_owned(),
            (name, state.clone()),
        );
        (before.is_none_or(|(_, before)| before != state)).then_some(said)
    }

    /// A message in one line.
    pub(super) fn message(&self, message: &Value) -> String {
        let room = self.rooms.get(text(message, "channel"));
        let place = room.map(Room::shown).unwrap_or_default();
        let (author, said) = (plain(text(message, "author")), plain(text(message, "text")));
        format!("{place} {author}: {said}")
    }

    /// The identifier of the channel with this name, or this identifier.
    pub(super) fn channel(&self, wanted: &str) -> Result<Option<String>, String> {
        let name = wanted.strip_prefix('#').unwrap_or(wanted);
        let is_wanted = |(id, room): &(&String, &Room)| {
            room.policy != "direct" && (room.name == name || *id == wanted)
        };
        let mut found = self.rooms.iter().filter(is_wanted);
        match (found.next(), found.count()) {
            (None, _) => Ok(None),
            (Some((id, _)), 0) => Ok(Some(id.clone())),
            _ => Err(format!(
                "several channels are called {name}: take the identifier of /channels"
            )),
        }
    }

    pub(super) fn is_joined(&self, id: &str) -> bool {
        self.rooms.get(id).is_some_and(|room| room.is_joined)
    }

    /// Whether somebody has this name.
    pub(super) fn knows(&self, person: &str) -> bool {
        let mut people = self.people.iter();
        people.any(|(fingerprint, (name, _))| name == person || fingerprint == person)
    }

    /// The lines of `/channels`.
    pub(super) fn channels(&self) -> Vec<String> {
        let rooms = self.rooms.iter().map(|(id, room)| {
            let mark = if self.current.as_ref() == Some(id) {
                '*'
            } else {
                ' '
            };
            let joined = if room.is_joined {
                "joined"
            } else {
                "not joined"
            };
            let (shown, policy, unread) = (room.shown(), &room.policy, room.unread);
            format!("{mark} {shown} ({policy}, {joined}, {unread} unread) {id}")
        });
        rooms.collect()
    }

    /// The lines of `/people`.
    pub(super) fn people(&self) -> Vec<String> {
        let people = self.people.iter().map(|(fingerprint, (name, state))| {
            format!("  {name}: {}, fingerprint {fingerprint}", words(state))
        });
        people.collect()
    }
}

impl Room {
    fn shown(&self) -> String {
        let sign = if self.policy == "direct" { '@' } else { '#' };
        format!("{sign}{}", self.name)
    }
}

/// A state in words.
fn words(state: &str) -> &str {
    match state {
        "direct" => "connected",
        state => state,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn channel(id: &str, name: &str, policy: &str, joined: bool) -> Value {
        json!({"event": "channel", "id": id, "name": name, "policy": policy, "joined": joined, "owner": "bob", "unread": 0})
    }

    fn message(text: &str) -> Value {
        json!({"event": "message", "channel": "1", "message":
            {"id": "m", "channel": "1", "author": "bob", "mine": false, "text": text, "state": "delivered"}})
    }

    #[test]
    fn an_event_is_one_line_without_control_characters() {
        let mut screen = Screen::default();
        for (event, line) in [
            (
                channel("1", "general", "open", true),
                Some("* joined #general"),
            ),
            (channel("1", "general", "open", true), None),
            (
                channel("2", "secret", "invite", false),
                Some("* bob invites you to #secret"),
            ),
            (channel("3", "bob", "direct", true), Some("* joined @bob")),
            (message("hello"), Some("#general bob: hello")),
            (
                message("a\nb\r\x1b[2J\x07"),
                Some("#general bob: a\\nb\\r\\u{1b}[2J\\u{7}"),
            ),
            (message("\u{202e}evil"), Some("#general bob: \\u{202e}evil")),
            (
                json!({"event": "peer", "name": "bob", "fingerprint": "f", "state": "direct"}),
                Some("* bob: connected"),
            ),
            (
                json!({"event": "peer", "name": "bob", "fingerprint": "f", "state": "direct"}),
                None,
            ),
            (
                json!({"event": "peer", "name": "bob", "fingerprint": "f", "state": "away"}),
                Some("* bob: away"),
            ),
            (
                json!({"event": "tracker", "state": "away"}),
                Some("* tracker: away"),
            ),
            (
                json!({"event": "left", "channel": "1"}),
                Some("* left #general"),
            ),
            (json!({"event": "later"}), None),
        ] {
            assert_eq!(screen.take(&event).as_deref(), line, "{event}");
        }
        assert!(screen.knows("bob") && !screen.knows("eve"));
    }

    #[test]
    fn a_channel_is_found_by_its_name_if_it_is_the_only_one() {
        let mut screen = Screen::default();
        screen.take(&channel("1", "general", "open", true));
        screen.take(&channel("2", "twice", "open", true));
        screen.take(&channel("3", "twice", "open", false));
        screen.take(&channel("4", "bob", "direct", true));
        let found = |name: &str| screen.channel(name);
        assert_eq!(found("general"), Ok(Some("1".to_owned())));
        assert_eq!(found("#general"), Ok(Some("1".to_owned())));
        assert_eq!(found("3"), Ok(Some("3".to_owned())));
        assert_eq!(found("bob"), Ok(None));
        assert!(found("twice").unwrap_err().contains("several"));
    }

    #[test]
    fn own_messages_wait_until_they_are_sent() {
        let mut screen = Screen::default();
        let mut own = message("x");
        own["message"]["mine"] = json!(true);
        own["message"]["state"] = json!("queued");
        screen.waiting.insert("m".to_owned());
        screen.take(&own);
        assert_eq!(screen.waiting.len(), 1);
        screen.take(&json!({"event": "state", "channel": "1", "message": "m", "state": "sent"}));
        assert!(screen.waiting.is_empty());
        // It may have left before its event came.
        own["message"]["state"] = json!("sent");
        screen.waiting.insert("m".to_owned());
        screen.take(&own);
        assert!(screen.waiting.is_empty());
    }
}
