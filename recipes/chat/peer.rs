//! A peer as a program: its folder, its node, its page and its tracker, on one scheduler.

use std::fs::{self, File, TryLockError};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use kamea::{Graph, GraphError, Scheduler, Sender};
use kamea_chat::{
    Identity, Input, Log, LogError, PageEvents, PageToken, PeerName, PeerOptions, TrackerOptions,
    chat_peer, connect_tcp, page_fields, page_server, system_random, track_peers,
};
use kamea_components::http::Url;
use kamea_components::net::{accept, bind};
use kamea_components::server::{Listening, Site, StartError};

/// What a peer needs to start.
#[derive(Debug, Clone)]
pub struct PeerSetup {
    /// Its name.
    pub name: PeerName,
    /// Where it keeps its key, its history and the token of its page.
    pub data: PathBuf,
    /// Where it listens for peers.
    pub listen: SocketAddr,
    /// The port of its page on 127.0.0.1; 0 lets the system choose.
    pub page_port: u16,
    /// The folder of the page.
    pub page: PathBuf,
    /// The tracker.
    pub tracker: Option<Url>,
}

/// A peer that runs.
#[derive(Debug)]
pub struct RunningPeer {
    /// Where it listens for peers.
    pub address: SocketAddr,
    /// The address of its page, with the token.
    pub page: String,
    /// Takes commands: see [`ask_node`](kamea_chat::ask_node).
    pub node: Sender<Input>,
    /// Events for pages, and for a terminal.
    pub events: PageEvents,
    /// The secret key.
    pub identity: Identity,
    _page: Listening,
    /// No second program may use the folder.
    _lock: File,
}

/// Why a peer cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PeerError {
    /// Its folder cannot be used.
    #[error("cannot use the folder {path}: {error}")]
    Folder {
        /// The folder.
        path: String,
        /// The reason.
        error: io::Error,
    },
    /// Another program uses its folder.
    #[error(
        "another start_peer uses the folder {0}: a history has one program; give --data another one"
    )]
    Busy(String),
    /// It cannot listen for peers.
    #[error("cannot listen for peers on {address}: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The reason.
        error: io::Error,
    },
    /// The history cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The page cannot be served.
    #[error("cannot serve the page: {0}")]
    Page(#[from] StartError),
    /// The graph has a mistake.
    #[error(transparent)]
    Graph(#[from] GraphError),
}

impl PeerSetup {
    /// Starts the peer.
    ///
    /// # Errors
    ///
    /// [`PeerError`]; nothing runs then.
    pub fn run(self, scheduler: &Scheduler) -> Result<RunningPeer, PeerError> {
        let folder = |error| PeerError::Folder {
            path: self.data.display().to_string(),
            error,
        };
        fs::create_dir_all(&self.data).map_err(folder)?;
        let lock = lock(&self.data)?;
        let identity = Identity::load_or_create(&self.data.join("key")).map_err(folder)?;
        let token = PageToken::load_or_create(&self.data.join("page-token")).map_err(folder)?;
        let log = Log::open(&self.data.join("history.sqlite"), identity.key())?;
        let listen = |error| PeerError::Listen {
            address: self.listen,
            error,
        };
        let listener = bind(self.listen, false).map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let options = PeerOptions {
            identity: identity.clone(),
            name: self.name.clone(),
            entropy: system_random,
        };
        let (peer, node) = chat_peer(options, log, accept(listener), connect_tcp)?;
        let events = PageEvents::default();
        let mut graph = Graph::new("peer");
        let peer = graph.add("chat_peer", peer);
        let publish = graph.add("events", events.publish());
        graph.link(peer.outbox, publish.inbox);
        if let Some(url) = self.tracker {
            let options = TrackerOptions {
                url,
                addresses: vec![address],
                identity: identity.clone(),
                name: self.name,
            };
            graph.add("tracker", track_peers(options, node.clone()));
        }
        let mut site = Site::new(self.page);
        site.fields = page_fields();
        let server = page_server(site, token.clone(), &node, &events);
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let page = server.run(scheduler, &[SocketAddr::new(loopback, self.page_port)])?;
        scheduler.run(graph)?;
        let shown = page.addresses().first().copied();
        let shown = shown.unwrap_or(SocketAddr::new(loopback, self.page_port));
        Ok(RunningPeer {
            address,
            page: format!("http://{shown}/?token={}", token.as_str()),
            node,
            events,
            identity,
            _page: page,
            _lock: lock,
        })
    }
}

/// Takes the folder for this program alone. The system gives it up when the program ends, however
/// it ends.
fn lock(folder: &Path) -> Result<File, PeerError> {
    let shown = || folder.display().to_string();
    let failed = |error| PeerError::Folder {
        path: shown(),
        error,
    };
    let file = File::create(folder.join("lock")).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(PeerError::Busy(shown())),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}
