//! The world of a simulation: peers that can be killed and started, and the network between them.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use kamea::{Children, Graph, Placement, Sender, Sink, random};
use kamea_components::net::Accepted;
use kamea_components::simulated::{Conditions, Network};
use serde_json::Value;

use super::cut::Cuts;
use crate::{
    Command, Contact, Identity, Input, Log, PeerOptions, ask_node, chat_peer, simulated_random,
};

/// A peer, whether its program runs or not.
pub(super) struct Peer {
    identity: Identity,
    /// The node, while the program runs.
    node: Arc<Mutex<Option<Sender<Input>>>>,
    lives: Sender<bool>,
    /// Keeps the database, whose name it is, while the program does not run.
    _log: Log,
}

pub(super) struct World {
    pub(super) peers: Vec<Peer>,
    pub(super) cuts: Cuts,
    is_lossy: Arc<Mutex<bool>>,
}

fn address(number: usize) -> SocketAddr {
    format!("192.0.2.{}:9000", number + 1).parse().unwrap()
}

/// How a peer begins to live: everything but its database.
#[derive(Clone)]
struct Birth {
    number: usize,
    name: String,
    identity: Identity,
    network: Network,
    cuts: Cuts,
    node: Arc<Mutex<Option<Sender<Input>>>>,
}

impl Birth {
    fn graph(&self) -> Result<Graph, Box<dyn Error>> {
        let log = Log::shared(&self.name, self.identity.key())?;
        let options = PeerOptions {
            identity: self.identity.clone(),
            name: format!("peer{}", self.number).parse()?,
            entropy: simulated_random,
        };
        let (network, cuts, number) = (self.network.clone(), self.cuts.clone(), self.number);
        let connect = async move |to: SocketAddr| -> std::io::Result<Accepted> {
            let other = (0..10).find(|other| address(*other) == to).unwrap();
            if cuts.is_cut(number, other) {
                return Err(std::io::ErrorKind::HostUnreachable.into());
            }
            Ok(cuts.guard(network.dial(to).await?, number, other))
        };
        let accept = self.network.accept(address(self.number));
        let (peer, node) = chat_peer(options, log, accept, connect)?;
        *self.node.lock().unwrap() = Some(node);
        let mut graph = Graph::new("life");
        let peer = graph.add("peer", peer);
        let pages = graph.add("pages", async |io: &mut Sink<Value>| {
            while io.inbox.next().await.is_some() {}
            Ok(())
        });
        graph.link(peer.outbox, pages.inbox);
        Ok(graph)
    }
}

/// Starts and kills the program of a peer. To kill it is to drop its graph: nothing is told to
/// anybody.
fn live(birth: Birth) -> impl kamea::Component<Sink<bool>> + Send {
    async move |io: &mut Sink<bool>| {
        let mut life = Children::new();
        while let Some(lives) = io.inbox.next().await {
            life = Children::new();
            *birth.node.lock().unwrap() = None;
            if lives {
                let graph = birth.graph().map_err(|error| error.to_string());
                life.start(Placement::Any, graph.map_err(kamea::End::fault)?)?;
            }
        }
        drop(life);
        Ok(())
    }
}

impl World {
    pub(super) fn new(count: usize) -> Result<(Self, Graph), Box<dyn Error>> {
        /// Databases of simulations that run side by side.
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let is_lossy = Arc::new(Mutex::new(random::chance(0.5)));
        let lossy = is_lossy.clone();
        let network = Network::new(move || match *lossy.lock().unwrap() {
            true => drawn().and_lost(),
            false => drawn(),
        });
        let cuts = Cuts::default();
        let mut graph = Graph::new("world");
        let mut peers = Vec::new();
        for number in 0..count {
            let secret = u8::try_from(number)? + 1;
            let identity = Identity::from_secret([secret; 32]);
            let database = NUMBER.fetch_add(1, Ordering::Relaxed);
            let birth = Birth {
                number,
                name: format!("world{database}"),
                identity: identity.clone(),
                network: network.clone(),
                cuts: cuts.clone(),
                node: Arc::default(),
            };
            let node = birth.node.clone();
            let log = Log::shared(&birth.name, identity.key())?;
            let life = graph.add(&format!("life{number}"), live(birth));
            let lives = graph.feed(life.inbox);
            peers.push(Peer {
                identity,
                node,
                lives,
                _log: log,
            });
        }
        let world = Self {
            peers,
            cuts,
            is_lossy,
        };
        Ok((world, graph))
    }

    /// From now on no new connection is lost.
    pub(super) fn repair(&self) {
        *self.is_lossy.lock().unwrap() = false;
        self.cuts.heal();
    }

    pub(super) async fn start(&self, number: usize) {
        let peer = &self.peers[number];
        peer.lives.send(true).await.unwrap();
        let node = loop {
            if let Some(node) = peer.node.lock().unwrap().clone() {
                break node;
            }
            kamea::time::sleep(std::time::Duration::from_millis(1)).await;
        };
        let contacts = (0..self.peers.len()).map(|other| Contact {
            key: self.peers[other].identity.key(),
            name: format!("peer{other}").parse().unwrap(),
            addresses: vec![address(other)],
        });
        let contacts = Input::Contacts(contacts.collect());
        node.send(contacts).await.unwrap();
    }

    pub(super) async fn kill(&self, number: usize) {
        self.peers[number].lives.send(false).await.unwrap();
        *self.peers[number].node.lock().unwrap() = None;
    }

    pub(super) fn is_alive(&self, number: usize) -> bool {
        self.peers[number].node.lock().unwrap().is_some()
    }

    /// Asks a peer, if it lives.
    pub(super) async fn ask(&self, number: usize, command: Value) -> Result<Value, String> {
        let node = self.peers[number].node.lock().unwrap().clone();
        let node = node.ok_or("it does not live")?;
        let command: Command = serde_json::from_value(command).unwrap();
        ask_node(&node, command).await
    }
}

/// Any conditions but the very slow ones: they are for tests of a single link.
fn drawn() -> Conditions {
    let drawn = Conditions::drawn();
    match drawn.window {
        ..1024 => Conditions {
            window: 4096,
            ..drawn
        },
        _ => drawn,
    }
}
