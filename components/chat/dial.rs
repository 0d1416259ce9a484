//! Connects to peers, and connects again after a while when that fails.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_lite::future::or;
use kamea::time::sleep;
use kamea::{
    Children, Component, Graph, Inbox, Outbox, Placement, Ports, Receiver, Sender, link, random,
    stopping,
};
use kamea_components::net::Accepted;

use crate::PeerKey;
use crate::node::{Contact, DialNews};

/// The ports of [`dial_peers`].
#[derive(Debug, Ports)]
pub struct DialPeersPorts {
    /// Whom to connect to, and which links there are.
    pub news: Inbox<DialNews>,
    /// Connections that were opened.
    pub dialed: Outbox<Accepted>,
}

/// The first pause after a failed attempt; each further pause is twice as long.
const PAUSE: Duration = Duration::from_millis(500);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How long an attempt may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a connection may take to become a link.
const HANDSHAKE: Duration = Duration::from_secs(12);

/// How many new connections may wait.
const CONNECTIONS: usize = 16;

/// Keeps a connection to each contact. `connect` opens one: [`connect_tcp`], or one of a simulated
/// network. After a failed attempt it waits longer each time, with jitter.
pub fn dial_peers<Connect>(connect: Connect) -> impl Component<DialPeersPorts> + Send
where
    Connect: AsyncFn(SocketAddr) -> io::Result<Accepted> + Clone + Send + Sync + 'static,
{
    async move |io: &mut DialPeersPorts| {
        let mut tasks: BTreeMap<PeerKey, Known> = BTreeMap::new();
        let mut children = Children::new();
        let (dialed, mut connections) = link::<Accepted>(CONNECTIONS);
        loop {
            let stop = async {
                stopping().await;
                Ok(None)
            };
            let news = async { Ok(io.news.next().await) };
            let connection = async { Err(connections.next().await) };
            let news = match or(stop, or(news, connection)).await {
                Ok(Some(news)) => news,
                Err(Some(connection)) => {
                    io.dialed.send(connection).await?;
                    continue;
                }
                Ok(None) | Err(None) => return Ok(()),
            };
            let key = match &news {
                DialNews::Contact(contact) => contact.key,
                DialNews::Up(key) | DialNews::Down(key) | DialNews::Forget(key) => *key,
            };
            // A peer without addresses is not dialed: of one that has gone, nothing is kept.
            let is_over = match news {
                DialNews::Forget(_) => true,
                DialNews::Down(_) => !tasks.get(&key).is_some_and(Known::has_contact),
                _ => false,
            };
            if is_over {
                tasks.remove(&key);
                continue;
            }
            let known = match tasks.entry(key) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(place) => {
                    let (wake, woken) = link(1);
                    let state: Arc<Mutex<State>> = Arc::default();
                    let mut graph = Graph::new("dial_peer");
                    let task = dial_one(connect.clone(), state.clone(), woken, dialed.clone());
                    graph.add("dial_peer", task);
                    children.start(Placement::Any, graph)?;
                    place.insert(Known { state, wake })
                }
            };
            known.learn(news);
        }
    }
}

/// The task of one peer, as [`dial_peers`] sees it. It never waits for the task.
struct Known {
    state: Arc<Mutex<State>>,
    wake: Sender<()>,
}

/// What is known of one peer.
#[derive(Debug, Default)]
struct State {
    contact: Option<Contact>,
    is_up: bool,
    /// Whether something has changed since the task has looked.
    is_new: bool,
}

impl Known {
    fn has_contact(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.contact.is_some()
    }

    fn learn(&self, news: DialNews) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match news {
            DialNews::Contact(contact) => state.contact = Some(contact),
            DialNews::Up(_) => state.is_up = true,
            DialNews::Down(_) | DialNews::Forget(_) => state.is_up = false,
        }
        state.is_new = true;
        // If it is full, the task will look anyway.
        let _ = self.wake.try_send(());
    }
}

/// No ports: all that a task needs it was given.
#[derive(Debug, Ports)]
struct NoPorts {}

fn dial_one<Connect>(
    connect: Connect,
    state: Arc<Mutex<State>>,
    mut woken: Receiver<()>,
    dialed: Sender<Accepted>,
) -> impl Component<NoPorts> + Send
where
    Connect: AsyncFn(SocketAddr) -> io::Result<Accepted> + Send + Sync + 'static,
{
    async move |_: &mut NoPorts| {
        let mut task = Task::default();
        loop {
            let is_wanted = task.look(&state);
            let due = async {
                match is_wanted {
                    true => sleep(task.pause).await,
                    false => pending().await,
                }
                Next::Due
            };
            match or(next(&mut woken), due).await {
                Next::Gone => return Ok(()),
                Next::Woken => continue,
                Next::Due => {}
            }
            let late = async {
                sleep(PATIENCE).await;
                Err(io::ErrorKind::TimedOut.into())
            };
            let attempt = or(task.attempt(&connect), late).await;
            if let Ok(connection) = attempt {
                dialed.send(connection).await?;
                let late = async {
                    sleep(HANDSHAKE).await;
                    Next::Due
                };
                // The news that there is a link, if all is well.
                if let Next::Gone = or(next(&mut woken), late).await {
                    return Ok(());
                }
            }
            task.wait_longer();
        }
    }
}

enum Next {
    Due,
    Woken,
    Gone,
}

async fn next(woken: &mut Receiver<()>) -> Next {
    match woken.next().await {
        Some(()) => Next::Woken,
        None => Next::Gone,
    }
}

/// The attempts to connect to one peer.
#[derive(Debug, Default)]
struct Task {
    addresses: Vec<SocketAddr>,
    /// The address to try next.
    address: usize,
    attempts: u32,
    pause: Duration,
}

impl Task {
    /// Learns what is new. Returns whether a connection is wanted.
    fn look(&mut self, state: &Mutex<State>) -> bool {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::take(&mut state.is_new) {
            let contact = state.contact.iter();
            self.addresses = contact
                .flat_map(|contact| contact.addresses.clone())
                .collect();
            self.attempts = 0;
            self.pause = random::duration(PAUSE);
        }
        !state.is_up && !self.addresses.is_empty()
    }

    fn wait_longer(&mut self) {
        self.attempts = (self.attempts + 1).min(8);
        let longest = LONGEST_PAUSE.min(PAUSE * 2_u32.pow(self.attempts));
        self.pause = longest / 2 + random::duration(longest / 2);
    }

    async fn attempt(
        &mut self,
        connect: &impl AsyncFn(SocketAddr) -> io::Result<Accepted>,
    ) -> io::Result<Accepted> {
        let address = self.addresses[self.address % self.addresses.len()];
        self.address += 1;
        connect(address).await
    }
}

/// Opens a TCP connection.
///
/// # Errors
///
/// If the peer does not answer, or refuses the connection.
pub async fn connect_tcp(address: SocketAddr) -> io::Result<Accepted> {
    let stream = kamea::unblock(move || {
        let stream = std::net::TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        io::Result::Ok(stream)
    });
    Ok(Accepted {
        stream: stream.await?.into(),
        peer: address,
    })
}
