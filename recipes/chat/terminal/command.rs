//! The lines that the user types.

/// What a line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    /// Say this in the current channel.
    Say(String),
    Message {
        peer: String,
        text: String,
    },
    Join(String),
    Create {
        name: String,
        policy: String,
    },
    Leave,
    Invite(String),
    Channels,
    People,
    History(usize),
    Search(String),
    Help,
    Quit,
}

pub(super) const HELP: &str = "\
TEXT                  says it in the current channel
/msg NAME TEXT        says it to one person
/channels             lists the channels; * marks the current one
/join CHANNEL         joins a channel, or makes it the current one
/create CHANNEL [open|invite|read-only]
/leave                leaves the current channel
/invite NAME          invites a person to the current channel
/people               lists the people, and how they are connected
/history [COUNT]      shows the last messages of the current channel
/search WORDS         finds messages
//TEXT                says a text that begins with a slash
/quit                 ends the program
";

/// How many messages `/history` shows without a number, and at most.
const HISTORY: (usize, usize) = (20, 500);

impl Line {
    /// Reads a line. An empty line asks for nothing.
    pub(super) fn parse(line: &str) -> Result<Option<Self>, String> {
        let line = line.trim_end_matches(['\r', '\n']);
        if line.trim().is_empty() {
            return Ok(None);
        }
        let Some(command) = line.strip_prefix('/') else {
            return Ok(Some(Self::Say(line.to_owned())));
        };
        if command.starts_with('/') {
            return Ok(Some(Self::Say(command.to_owned())));
        }
        let (name, rest) = command
            .split_once(char::is_whitespace)
            .unwrap_or((command, ""));
        let rest = rest.trim();
        let needed = |what: &str| match rest {
            "" => Err(format!("/{name} needs {what}")),
            rest => Ok(rest.to_owned()),
        };
        Ok(Some(match name {
            "msg" => {
                let wanted = "a name and a text: /msg bob hello";
                let rest = needed(wanted)?;
                let (peer, text) = rest.split_once(char::is_whitespace).unwrap_or((&rest, ""));
                match text.trim() {
                    "" => return Err(format!("/msg needs {wanted}")),
                    text => Self::Message {
                        peer: peer.to_owned(),
                        text: text.to_owned(),
                    },
                }
            }
            "join" => Self::Join(needed("a channel: /join general")?),
            "create" => Self::create(&needed("a name: /create general")?),
            "invite" => Self::Invite(needed("a name: /invite bob")?),
            "search" => Self::Search(needed("words: /search garden")?),
            "history" if rest.is_empty() => Self::History(HISTORY.0),
            "history" => match rest.parse() {
                Ok(count @ 1..) => Self::History(HISTORY.1.min(count)),
                _ => return Err(format!("/history takes a number, not `{rest}`")),
            },
            "leave" => Self::Leave,
            "channels" => Self::Channels,
            "people" => Self::People,
            "help" => Self::Help,
            "quit" | "exit" => Self::Quit,
            _ => return Err(format!("there is no command /{name}: /help lists them")),
        }))
    }

    /// The last word is the policy, if it is one.
    fn create(rest: &str) -> Self {
        let policies = ["open", "invite", "read-only"];
        let (name, policy) = match rest.rsplit_once(char::is_whitespace) {
            Some((name, policy)) if policies.contains(&policy) => (name.trim(), policy),
            _ => (rest, "open"),
        };
        Self::Create {
            name: name.to_owned(),
            policy: policy.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_or_refused() {
        let say = |text: &str| Line::Say(text.to_owned());
        let create = |name: &str, policy: &str| Line::Create {
            name: name.to_owned(),
            policy: policy.to_owned(),
        };
        let message = Line::Message {
            peer: "bob".to_owned(),
            text: "a  b".to_owned(),
        };
        for (line, expected) in [
            ("", None),
            ("   ", None),
            ("hello", Some(say("hello"))),
            (" indented\r", Some(say(" indented"))),
            ("//etc/passwd", Some(say("/etc/passwd"))),
            ("/msg bob a  b", Some(message)),
            (
                "/join my channel ",
                Some(Line::Join("my channel".to_owned())),
            ),
            ("/create my channel", Some(create("my channel", "open"))),
            (
                "/create my channel invite",
                Some(create("my channel", "invite")),
            ),
            ("/create invite", Some(create("invite", "open"))),
            ("/history", Some(Line::History(20))),
            ("/history 9999", Some(Line::History(500))),
            ("/quit", Some(Line::Quit)),
        ] {
            assert_eq!(Line::parse(line), Ok(expected), "{line:?}");
        }
        for (line, why) in [
            ("/msg", "needs a name"),
            ("/msg bob", "needs a name"),
            ("/msg bob  ", "needs a name"),
            ("/join", "needs a channel"),
            ("/history x", "takes a number"),
            ("/history 0", "takes a number"),
            ("/nick ada", "no command /nick"),
            ("/", "no command /"),
        ] {
            assert!(Line::parse(line).unwrap_err().contains(why), "{line:?}");
        }
    }
}
