//! One peer, from its hello to the end of its link.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_lite::future::or;
use kamea::time::{now, sleep};
use kamea::{Component, Done, Inbox, Outbox, Ports, Receiver, Sender, compute, link, random};

use super::{Received, Role, Secured, Session};
use crate::node::Input;
use crate::{Closing, Frame, PeerKey, PeerName};

/// The ports of [`speak_peer`].
#[derive(Debug, Ports)]
pub struct PeerPorts {
    /// Who the peer is, and its frames.
    pub secured: Inbox<Secured>,
    /// Frames for the peer.
    pub frames: Outbox<Bytes>,
}

/// What every link of a node needs.
#[derive(Debug, Clone)]
pub struct Speaker {
    /// The name of this peer.
    pub name: PeerName,
    /// The node.
    pub node: Sender<Input>,
}

/// What the node can do with a link.
#[derive(Debug, Clone)]
pub struct ToLink {
    queue: Sender<Frame>,
    closes: Sender<Closing>,
    waiting: Arc<AtomicUsize>,
}

/// A link that is open.
#[derive(Debug)]
pub struct Up {
    /// A number that no other link has.
    pub link: u64,
    /// The key of the peer.
    pub key: PeerKey,
    /// Its name.
    pub name: PeerName,
    /// Who has connected.
    pub role: Role,
    /// The way to the peer.
    pub to: ToLink,
}

/// How many frames may wait for a slow peer.
const QUEUE: usize = 64;

/// How long the peer may take for its hello.
const PATIENCE: Duration = Duration::from_secs(10);

/// The time between two pings.
const PING: Duration = Duration::from_secs(5);

/// How long a peer may be silent.
const SILENCE: Duration = Duration::from_secs(15);

/// How long the last frame may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// How many signatures are checked on the worker; more are checked on the pool.
const CHECKED_HERE: usize = 2;

impl ToLink {
    /// Sends a frame, if there is space in the peer's queue. A peer that does not read slows
    /// nobody: it learns later, by heads, what it has missed.
    pub fn send(&self, frame: Frame) -> bool {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let is_sent = self.queue.try_send(frame).is_ok();
        if !is_sent {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
        is_sent
    }

    /// Closes the link.
    pub fn close(&self, closing: Closing) {
        // It closes already if there is no space.
        let _ = self.closes.try_send(closing);
    }

    /// Returns how many frames wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Whether no further frame fits into the queue.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.waiting() >= QUEUE
    }

    /// Whether the link has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }
}

/// The ends of a link's queue inside the link.
#[derive(Debug)]
pub(crate) struct FromNode {
    pub(crate) frames: Receiver<Frame>,
    pub(crate) closes: Receiver<Closing>,
    pub(crate) waiting: Arc<AtomicUsize>,
}

/// Makes the queue of a link.
pub(crate) fn queue() -> (ToLink, FromNode) {
    let (queue, frames) = link(QUEUE);
    let (closes, to_close) = link(1);
    let waiting = Arc::new(AtomicUsize::new(0));
    let to = ToLink {
        queue,
        closes,
        waiting: waiting.clone(),
    };
    let from = FromNode {
        frames,
        closes: to_close,
        waiting,
    };
    (to, from)
}

/// How a link has ended.
enum Ending {
    /// The connection has ended, or the node.
    Gone,
    /// The peer has closed it.
    Theirs(Closing),
    /// This end closes it.
    Ours(Closing),
}

/// Speaks with one peer: hello, pings, limits. Passes the other frames to the node, with their
/// signatures checked, and the node's frames to the peer.
pub fn speak_peer(role: Role, speaker: Speaker) -> impl Component<PeerPorts> + Send {
    async move |io: &mut PeerPorts| {
        let key = match io.secured.next().await {
            Some(Secured::Peer(key)) => key,
            Some(Secured::Failed(error)) => {
                log::info!("a link to a peer: {error}");
                return Ok(());
            }
            _ => return Ok(()),
        };
        let mut session = Session::new(now());
        io.frames
            .send(Session::greeting(&speaker.name).encode())
            .await?;
        let late = async {
            sleep(PATIENCE).await;
            Err(Ending::Ours(Closing::Silent))
        };
        let name = match or(greet(io, &mut session), late).await {
            Ok(name) => name,
            Err(ending) => return say_goodbye(io, &ending).await,
        };
        let number = random::u64(..);
        let (to, from) = queue();
        let up = Up {
            link: number,
            key,
            name,
            role,
            to: to.clone(),
        };
        if speaker.node.send(Input::Up(up)).await.is_err() {
            return Ok(());
        }
        let link = OpenLink {
            number,
            node: &speaker.node,
            answers: to,
            start: now(),
        };
        let ending = link.run(io, session, from).await;
        let offence = match ending {
            Ending::Ours(closing) if closing.is_offence() => Some(closing),
            _ => None,
        };
        let down = Input::Down {
            link: number,
            offence,
        };
        // A node that has ended needs no news.
        let _ = speaker.node.send(down).await;
        say_goodbye(io, &ending).await
    }
}

/// Waits for the peer's hello.
async fn greet(io: &mut PeerPorts, session: &mut Session) -> Result<PeerName, Ending> {
    match io.secured.next().await {
        Some(Secured::Frame(bytes)) => {
            let frame = Frame::decode(&bytes).map_err(|error| Ending::Ours(error.into()))?;
            match session.receive(frame, now()).map_err(Ending::Ours)? {
                Received::Hello(name) => Ok(name),
                Received::Closed(closing) => Err(Ending::Theirs(closing)),
                _ => Err(Ending::Ours(Closing::Unexpected)),
            }
        }
        _ => Err(Ending::Gone),
    }
}

async fn say_goodbye(io: &PeerPorts, ending: &Ending) -> Done {
    match ending {
        Ending::Ours(closing) => {
            log::debug!("a link is closed: {closing}");
            let last = async {
                // A peer that is gone needs no reason.
                let _ = io.frames.send(Frame::Close(*closing).encode()).await;
            };
            or(last, sleep(GOODBYE)).await;
        }
        Ending::Theirs(closing) => log::debug!("the peer has closed a link: {closing}"),
        Ending::Gone => {}
    }
    Ok(())
}

struct OpenLink<'a> {
    number: u64,
    node: &'a Sender<Input>,
    answers: ToLink,
    start: Instant,
}

impl OpenLink<'_> {
    /// Runs both directions. Neither waits for the other.
    async fn run(&self, io: &mut PeerPorts, mut session: Session, from: FromNode) -> Ending {
        let PeerPorts { secured, frames } = io;
        let outward = self.send(frames, from);
        let inward = async {
            loop {
                let silent = async {
                    sleep(SILENCE).await;
                    Err(Ending::Ours(Closing::Silent))
                };
                let next = match or(async { Ok(secured.next().await) }, silent).await {
                    Ok(next) => next,
                    Err(ending) => return ending,
                };
                let Some(Secured::Frame(bytes)) = next else {
                    return Ending::Gone;
                };
                if let Err(ending) = self.receive(&mut session, &bytes).await {
                    return ending;
                }
                let pause = session.pause(now());
                if !pause.is_zero() {
                    sleep(pause).await;
                }
            }
        };
        or(outward, inward).await
    }

    async fn send(&self, frames: &Outbox<Bytes>, mut from: FromNode) -> Ending {
        enum Next {
            Close(Option<Closing>),
            Frame(Option<Frame>),
            Ping,
        }
        let mut next_ping = now();
        loop {
            let close = async { Next::Close(from.closes.next().await) };
            let frame = async { Next::Frame(from.frames.next().await) };
            let ping = async {
                sleep(next_ping.saturating_duration_since(now())).await;
                Next::Ping
            };
            let frame = match or(close, or(ping, frame)).await {
                Next::Close(Some(closing)) => return Ending::Ours(closing),
                Next::Close(None) | Next::Frame(None) => return Ending::Gone,
                Next::Frame(Some(frame)) => {
                    from.waiting.fetch_sub(1, Ordering::Relaxed);
                    frame
                }
                Next::Ping => {
                    next_ping = now() + PING;
                    Frame::Ping(self.elapsed())
                }
            };
            let sent = async {
                frames
                    .send(frame.encode())
                    .await
                    .err()
                    .map(|_| Ending::Gone)
            };
            // A peer that does not read is left as fast as any other.
            let close = async { Some(from.closes.next().await.map_or(Ending::Gone, Ending::Ours)) };
            if let Some(ending) = or(close, sent).await {
                return ending;
            }
        }
    }

    /// Microseconds since the link is open.
    fn elapsed(&self) -> u64 {
        let elapsed = now().duration_since(self.start).as_micros();
        u64::try_from(elapsed).unwrap_or(u64::MAX)
    }

    async fn receive(&self, session: &mut Session, bytes: &[u8]) -> Result<(), Ending> {
        let frame = Frame::decode(bytes).map_err(|error| Ending::Ours(error.into()))?;
        let input = match session.receive(frame, now()).map_err(Ending::Ours)? {
            Received::Closed(closing) => return Err(Ending::Theirs(closing)),
            Received::Answer(answer) => {
                // A peer that does not read gets no answer.
                self.answers.send(answer);
                return Ok(());
            }
            Received::Pong(sent) => Input::Rtt {
                link: self.number,
                micros: self.elapsed().saturating_sub(sent),
            },
            Received::Hello(_) => return Err(Ending::Ours(Closing::Unexpected)),
            Received::Pass(frame) => {
                let checked = match frame.messages() {
                    ..=CHECKED_HERE => frame.verify(),
                    _ => compute(move || frame.verify()).await,
                };
                Input::Frame {
                    link: self.number,
                    frame: checked.map_err(|error| Ending::Ours(error.into()))?,
                }
            }
        };
        self.node.send(input).await.map_err(|_| Ending::Gone)
    }
}
