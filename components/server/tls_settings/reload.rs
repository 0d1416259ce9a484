//! The reload of certificates: SIGHUP, or a change of their files, puts in force what they have.

use std::time::Duration;

use futures_lite::future::or;
use kamea::time::sleep;
use kamea::{Component, Graph, Sink, unblock};

use super::{FileIdentity, TlsSettings};
use crate::process::{Hangup, hangups};
use crate::tls::ServerTls;

/// How often the files are checked.
const BETWEEN_CHECKS: Duration = Duration::from_millis(500);

/// The graph that reloads the certificates of a server. `read` is what the files were before they
/// were read: a later change is noticed.
pub(in crate::server) fn reload_graph(
    settings: TlsSettings,
    tls: ServerTls,
    read: Vec<FileIdentity>,
) -> Graph {
    let mut graph = Graph::new("certificates");
    let hangups = graph.add("hangups", hangups());
    let reload = graph.add("reload", reload_certificates(settings, tls, read));
    graph.link(hangups.outbox, reload.inbox);
    graph
}

/// Reads the certificates again at each hangup, and when their files have changed. A pair that was
/// read half-written is read again when its other half has come; until then, the last good one
/// stays in force.
fn reload_certificates(
    settings: TlsSettings,
    tls: ServerTls,
    read: Vec<FileIdentity>,
) -> impl Component<Sink<Hangup>> + Send {
    let mut known = read;
    async move |io: &mut Sink<Hangup>| {
        loop {
            let hangup = async { Some(io.inbox.next().await.is_some()) };
            let check = async {
                sleep(BETWEEN_CHECKS).await;
                None
            };
            let is_asked_for = match or(hangup, check).await {
                Some(false) => return Ok(()),
                Some(true) => true,
                None => false,
            };
            let files = settings.clone();
            let found = unblock(move || files.identities()).await;
            if !is_asked_for && found == known {
                continue;
            }
            // Says so once.
            known = found;
            let (files, tls) = (settings.clone(), tls.clone());
            match unblock(move || files.reload(&tls)).await {
                Ok(()) => log::info!("Reloaded the certificates: new connections get the new ones"),
                Err(error) => {
                    log::error!("Not reloaded, the certificates stay as they were: {error}");
                }
            }
        }
    }
}
