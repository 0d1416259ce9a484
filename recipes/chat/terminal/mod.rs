//! A peer in the terminal: lines of the user in, one line for each event out.
//!
//! ```text
//!  stdin ─▶ reader ─▶ ┌──────────┐ ─▶ writer ─▶ stdout
//!                     │ converse │
//!                     └──────────┘ ◀─▶ node (commands), ◀─ events
//! ```

mod command;
mod screen;

use std::time::{Duration, Instant};

use futures_lite::future::or;
use kamea::time::{now, sleep};
use kamea::{
    Component, Done, Graph, GraphError, Outbox, Pipe, Running, Scheduler, Sender, pipeline,
};
use kamea_chat::{Command, Input, PageEvents, ask_node};
use kamea_components::chassis::Subscription;
use kamea_components::console::{console_echoer, console_reader};
use kamea_components::websocket::Message;
use serde_json::Value;

use command::{HELP, Line};
use screen::Screen;

/// How long after its start the program waits for a person or a channel that it does not know yet:
/// a script can write to them at once.
const BEGINNING: Duration = Duration::from_secs(15);

/// How long messages may take to leave at the end of the input.
const PATIENCE: Duration = Duration::from_secs(5);

/// Runs the terminal of a peer. It ends with the input, or by `/quit`.
///
/// # Errors
///
/// If the graph cannot start.
pub fn run_terminal(
    scheduler: &Scheduler,
    node: Sender<Input>,
    events: PageEvents,
) -> Result<Running, GraphError> {
    let mut graph = Graph::new("terminal");
    pipeline!(graph, console_reader() => converse(node, events) => console_echoer());
    scheduler.run(graph)
}

/// Does what the lines say, and says what happens.
fn converse(
    node: Sender<Input>,
    events: PageEvents,
) -> impl Component<Pipe<String, String>> + Send {
    async move |io: &mut Pipe<String, String>| {
        let mut talk = Talk {
            node: node.clone(),
            news: events.subscribe(),
            events: events.clone(),
            screen: Screen::default(),
            began: now(),
        };
        talk.begin(&io.outbox).await?;
        loop {
            let line = async { Ok(io.inbox.next().await) };
            let news = async { Err(talk.news.next().await) };
            match or(line, news).await {
                Ok(None) => return talk.finish(&io.outbox).await,
                Ok(Some(line)) => {
                    if talk.obey(&line, &io.outbox).await? {
                        return talk.finish(&io.outbox).await;
                    }
                }
                Err(event) => talk.hear(event, &io.outbox).await?,
            }
        }
    }
}

struct Talk {
    node: Sender<Input>,
    news: Subscription<Message>,
    events: PageEvents,
    screen: Screen,
    began: Instant,
}

type Out = Outbox<String>;

async fn say(out: &Out, line: impl AsRef<str>) -> Done {
    Ok(out.send(format!("{}\n", line.as_ref())).await?)
}

impl Talk {
    /// Learns what there is.
    async fn begin(&mut self, out: &Out) -> Done {
        match ask_node(&self.node, Command::Hello).await {
            Ok(hello) => {
                self.screen.take(&hello);
            }
            Err(why) => say(out, format!("! {why}")).await?,
        }
        let all = ask_node(&self.node, Command::Channels)
            .await
            .unwrap_or_default();
        for channel in all["channels"].as_array().into_iter().flatten() {
            self.screen.take_channel(channel);
        }
        Ok(())
    }

    /// Takes an event; without one, the terminal was too slow for all of them.
    async fn hear(&mut self, event: Option<Message>, out: &Out) -> Done {
        let Some(event) = event else {
            self.news = self.events.subscribe();
            say(
                out,
                "* some events are missing: /history shows the messages",
            )
            .await?;
            return self.begin(out).await;
        };
        let event: Value = serde_json::from_str(event.as_text().unwrap_or_default())?;
        if let Some(line) = self.screen.take(&event) {
            say(out, line).await?;
        }
        let message = &event["message"];
        if event["event"] == "message" && message["mine"] == false {
            // What is on the terminal is read.
            let [channel, message] = [&event["channel"], &message["id"]].map(owned);
            let read = Command::Read { channel, message };
            // The peer tells it again when it cannot be noted.
            let _ = ask_node(&self.node, read).await;
        }
        Ok(())
    }

    /// Does what a line says. Returns whether it ends the program.
    async fn obey(&mut self, line: &str, out: &Out) -> Result<bool, kamea::End> {
        let done = match Line::parse(line) {
            Ok(None) => return Ok(false),
            Ok(Some(Line::Quit)) => return Ok(true),
            Ok(Some(line)) => self.do_line(line, out).await?,
            Err(why) => Err(why),
        };
        if let Err(why) = done {
            say(out, format!("! {why}")).await?;
        }
        Ok(false)
    }

    /// The inner error is for the user.
    async fn do_line(&mut self, line: Line, out: &Out) -> Result<Result<(), String>, kamea::End> {
        let lines = match line {
            Line::Help => HELP.lines().map(str::to_owned).collect(),
            Line::Channels => or_else(self.screen.channels(), "there are no channels yet"),
            Line::People => or_else(self.screen.people(), "nobody else is here yet"),
            Line::Message { peer, text } => {
                self.wait_for(out, |screen| screen.knows(&peer)).await?;
                return Ok(self.send(Command::SendPeer { peer, text }).await);
            }
            Line::Join(name) => {
                let is_known = |screen: &Screen| !matches!(screen.channel(&name), Ok(None));
                self.wait_for(out, is_known).await?;
                return Ok(self.join(&name).await);
            }
            Line::Invite(peer) => {
                self.wait_for(out, |screen| screen.knows(&peer)).await?;
                return Ok(match self.current() {
                    Ok(channel) => self.ask(Command::Invite { channel, peer }).await.map(drop),
                    Err(why) => Err(why),
                });
            }
            other => match self.lines_of(other).await {
                Ok(lines) => lines,
                Err(why) => return Ok(Err(why)),
            },
        };
        for line in lines {
            say(out, line).await?;
        }
        Ok(Ok(()))
    }

    /// What a command of the peer answers, in lines.
    async fn lines_of(&mut self, line: Line) -> Result<Vec<String>, String> {
        let empty = match &line {
            Line::History(_) => "there are no messages yet",
            Line::Search(_) => "no message has these words",
            _ => "",
        };
        let command = match line {
            Line::Say(text) => {
                let channel = self.current()?;
                self.send(Command::Send { channel, text }).await?;
                return Ok(Vec::new());
            }
            Line::Create { name, policy } => {
                let created = self
                    .ask(Command::Create {
                        channel: name,
                        policy,
                    })
                    .await?;
                self.screen.current = Some(owned(&created["channel"]));
                return Ok(Vec::new());
            }
            Line::Leave => Command::Leave {
                channel: self.current()?,
            },
            Line::History(count) => Command::History {
                channel: self.current()?,
                before: None,
                limit: Some(count),
            },
            Line::Search(text) => Command::Search {
                text,
                channel: None,
            },
            _ => return Ok(Vec::new()),
        };
        let answer = self.ask(command).await?;
        let messages = answer["messages"].as_array().into_iter().flatten();
        let lines = messages
            .map(|message| self.screen.message(message))
            .collect();
        Ok(or_else(lines, empty))
    }

    async fn join(&mut self, name: &str) -> Result<(), String> {
        let unknown =
            || format!("there is no channel {name}: /channels lists those that are known");
        let channel = self.screen.channel(name)?.ok_or_else(unknown)?;
        if !self.screen.is_joined(&channel) {
            self.ask(Command::Join {
                channel: channel.clone(),
            })
            .await?;
        }
        self.screen.current = Some(channel);
        Ok(())
    }

    fn current(&self) -> Result<String, String> {
        let current = self.screen.current.clone();
        current.ok_or_else(|| "there is no current channel: /join or /create one".to_owned())
    }

    /// Sends a message, and remembers it until its event says that it has left.
    async fn send(&mut self, command: Command) -> Result<(), String> {
        let answer = self.ask(command).await?;
        self.screen.waiting.insert(owned(&answer["message"]));
        Ok(())
    }

    async fn ask(&self, command: Command) -> Result<Value, String> {
        ask_node(&self.node, command).await
    }

    /// Waits, near the beginning, until something is known.
    async fn wait_for(&mut self, out: &Out, is_known: impl Fn(&Screen) -> bool) -> Done {
        let until = self.began + BEGINNING;
        self.listen(until, out, is_known).await
    }

    /// Hears events until something is so, or the time is over.
    async fn listen(&mut self, until: Instant, out: &Out, is_so: impl Fn(&Screen) -> bool) -> Done {
        while !is_so(&self.screen) && now() < until {
            let over = async {
                sleep(until.saturating_duration_since(now())).await;
                None
            };
            match or(async { Some(self.news.next().await) }, over).await {
                Some(event) => self.hear(event, out).await?,
                None => return Ok(()),
            }
        }
        Ok(())
    }

    /// Waits until what was said has left.
    async fn finish(&mut self, out: &Out) -> Done {
        self.listen(now() + PATIENCE, out, |screen| screen.waiting.is_empty())
            .await?;
        match self.screen.waiting.len() {
            0 => Ok(()),
            1 => say(out, "* one message waits until its readers are here").await,
            count => {
                say(
                    out,
                    format!("* {count} messages wait until their readers are here"),
                )
                .await
            }
        }
    }
}

/// The lines, or what is said if there are none.
fn or_else(lines: Vec<String>, empty: &str) -> Vec<String> {
    match lines.is_empty() && !empty.is_empty() {
        true => vec![format!("* {empty}")],
        false => lines,
    }
}

fn owned(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
