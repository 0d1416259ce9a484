//! A peer as a program: its folder, its node, its page and its tracker, on one scheduler.

use std::fs::{DirBuilder, File, TryLockError};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use http::StatusCode;
use kamea::{Graph, GraphError, Scheduler, Sender};
use kamea_chat::{
    Identity, Input, Log, LogError, PageEvents, PageToken, PeerName, PeerOptions, TrackerOptions,
    chat_peer, connect_tcp, page_fields, page_server, system_random, track_peers,
};
use kamea_components::gateway::{Reply, serve_handler};
use kamea_components::http::Url;
use kamea_components::net::{accept, bind};
use kamea_components::server::{Listening, Site, StartError};
use kamea_components::tls::{Certificate, CertificateError, ClientTls, TlsError};
use kamea_components::web::{Request, Response};

const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The parts of the page: path, media type, content.
const PARTS: [(&str, &str, &str); 9] = [
    (
        "/",
        "text/html; charset=utf-8",
        include_str!("../../www/chat/index.html"),
    ),
    ("/chat.css", STYLE, include_str!("../../www/chat/chat.css")),
    ("/chat.js", SCRIPT, include_str!("../../www/chat/chat.js")),
    (
        "/dialogs.js",
        SCRIPT,
        include_str!("../../www/chat/dialogs.js"),
    ),
    (
        "/favicon.svg",
        "image/svg+xml",
        include_str!("../../www/chat/favicon.svg"),
    ),
    ("/link.js", SCRIPT, include_str!("../../www/chat/link.js")),
    ("/log.js", SCRIPT, include_str!("../../www/chat/log.js")),
    (
        "/notify.js",
        SCRIPT,
        include_str!("../../www/chat/notify.js"),
    ),
    ("/text.js", SCRIPT, include_str!("../../www/chat/text.js")),
];

/// Returns the part of the page that a request is for.
fn part(request: &Request) -> Reply {
    let path = request.head.target.path();
    match PARTS.iter().find(|(name, ..)| *name == path) {
        Some((_, media_type, content)) => Response::typed(media_type, *content)
            .with("Cache-Control", "no-cache")
            .into(),
        None => Reply::failure(StatusCode::NOT_FOUND, "the page has no such part"),
    }
}

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
    /// The tracker.
    pub tracker: Option<Url>,
    /// The file of the authorities that the certificate of a tracker over https must be from;
    /// `None` for those of the system.
    pub tracker_ca: Option<PathBuf>,
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
    /// The authorities of the tracker cannot be read.
    #[error("--tracker-ca: {0}")]
    Authorities(#[from] CertificateError),
    /// A tracker over https cannot be trusted.
    #[error("cannot trust a tracker over https: {0}")]
    Tls(#[from] TlsError),
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

/// Makes a folder that nobody else reads, and whose lock nobody else holds.
fn make_private(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

impl PeerSetup {
    /// Whom the peer trusts to be its tracker, if that speaks TLS.
    fn tracker_tls(&self) -> Result<Option<ClientTls>, PeerError> {
        let is_https = self.tracker.as_ref().is_some_and(Url::is_https);
        let tls = match &self.tracker_ca {
            _ if !is_https => return Ok(None),
            Some(file) => ClientTls::trusting_all(&Certificate::read_authorities(file)?)?,
            None => ClientTls::trusting_system()?,
        };
        Ok(Some(tls.protocols(&["http/1.1"])))
    }

    /// Starts the peer.
    ///
    /// # Errors
    ///
    /// [`PeerError`]; nothing runs then.
    pub fn run(self, scheduler: &Scheduler) -> Result<RunningPeer, PeerError> {
        let tracker_tls = self.tracker_tls()?;
        let folder = |error| PeerError::Folder {
            path: self.data.display().to_string(),
            error,
        };
        make_private(&self.data).map_err(folder)?;
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
                tls: tracker_tls,
                addresses: vec![address],
                identity: identity.clone(),
                name: self.name,
            };
            graph.add("tracker", track_peers(options, node.clone()));
        }
        // The page is a part of the program.
        let mut site = Site::without_files();
        site.fields = page_fields();
        let server = page_server(site, token.clone(), &node, &events)
            .files(serve_handler("page", async |request: Request| {
                part(&request)
            }));
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let page = server.run(scheduler, &[SocketAddr::new(loopback, self.page_port)])?;
        scheduler.run(graph)?;
        let shown = page.addresses().first().copied();
        let shown = shown.unwrap_or(SocketAddr::new(loopback, self.page_port));
        Ok(RunningPeer {
            address,
            page: format!("http://{shown}/#token={}", token.as_str()),
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

    use super::*;

    #[test]
    fn every_file_of_the_page_is_in_the_program() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../www/chat");
        for entry in std::fs::read_dir(folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let path = match name.as_str() {
                "index.html" => "/".to_owned(),
                name => format!("/{name}"),
            };
            let is_part = PARTS.iter().any(|(part, ..)| *part == path);
            assert!(is_part, "{name} is not in PARTS");
        }
    }

    #[test]
    fn a_folder_has_one_program() {
        let folder = tempfile::tempdir().unwrap();
        let first = lock(folder.path()).unwrap();
        assert!(matches!(lock(folder.path()), Err(PeerError::Busy(_))));
        drop(first);
        assert!(lock(folder.path()).is_ok());
    }
}
