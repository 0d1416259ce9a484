//! The tracker, as a peer uses it: to say where it listens, and to learn where others do. No
//! message passes through it.
//!
//! ```text
//!  every 10 s:  log in ─▶ submit-info ─▶ add-list ─▶ get-list ─▶ connect-peer for each
//!               (once)                   (once)
//! ```
//!
//! What has failed is done again in the next round, in the same order.

mod exchange;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use futures_lite::future::or;
use kamea::time::sleep;
use kamea::{Component, Outbox, Ports, Sender, heeds_stop, random, stopping};
use kamea_components::http::Url;
use kamea_components::tls::ClientTls;
use serde_json::{Value, json};

use crate::codec::to_hex;
use crate::node::{Command, Contact, Input, ask_node};
use crate::{Identity, PeerName};

use exchange::{Answered, Kept, TrackerRequest, exchange};

/// What a peer tells its tracker.
#[derive(Debug, Clone)]
pub struct TrackerOptions {
    /// Its address: `http://host:port`, or `https://host:port`.
    pub url: Url,
    /// Whom to trust, if the tracker speaks TLS.
    pub tls: Option<ClientTls>,
    /// Where this peer listens.
    pub addresses: Vec<SocketAddr>,
    /// The key of this peer.
    pub identity: Identity,
    /// Its name.
    pub name: PeerName,
}

/// A text is not the address of a tracker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the address of a tracker is http://host:port or https://host:port, such as http://127.0.0.1:8001"
)]
pub struct TrackerUrlError;

/// Reads the address of a tracker.
///
/// # Errors
///
/// [`TrackerUrlError`], if it is neither `http://host:port` nor `https://host:port`; a path may
/// follow.
///
/// # Examples
///
/// ```
/// assert!(kamea_chat::tracker_url("http://127.0.0.1:8001").is_ok());
/// assert!(kamea_chat::tracker_url("https://chat.example.org").is_ok_and(|url| url.port() == 443));
/// assert!(kamea_chat::tracker_url("127.0.0.1:8001").is_err());
/// ```
pub fn tracker_url(text: &str) -> Result<Url, TrackerUrlError> {
    match text.starts_with("http://") || text.starts_with("https://") {
        true => text.parse().map_err(|_| TrackerUrlError),
        false => Err(TrackerUrlError),
    }
}

/// The time between two heartbeats.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// The time after a tracker did not answer.
const AWAY: Duration = Duration::from_secs(3);

/// How many contacts are asked for in one round.
const ASKED_FOR: usize = 100;

/// The time before the first new login, after a session has ended.
const LOG_IN_AGAIN: Duration = Duration::from_millis(200);

/// How long the last requests may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// How many rounds a contact is believed: a peer may have come back elsewhere.
const BELIEVED: u32 = 6;

/// The ports of [`track_peers`].
#[derive(Debug, Ports)]
pub struct TrackPorts {
    /// What does not concern the node.
    pub refusals: Option<Outbox<String>>,
}

/// A contact, and for how many rounds it is known.
type Known = BTreeMap<String, (Contact, u32)>;

/// Why a round has ended early.
enum Trouble {
    /// The tracker does not answer.
    Away(String),
    /// The session has ended.
    LoggedOut,
    /// The tracker has refused something.
    Refused(String),
}

/// Keeps this peer on the tracker's list, and tells the node about the other ones there. While the
/// tracker is away it tries again every few seconds.
pub fn track_peers(
    options: TrackerOptions,
    node: Sender<Input>,
) -> impl Component<TrackPorts> + Send {
    heeds_stop(async move |io: &mut TrackPorts| {
        let mut tracker = Tracker {
            options: options.clone(),
            session: None,
            connection: None,
            known: Known::new(),
            links: Vec::new(),
            last: String::new(),
        };
        let mut is_logged_out = false;
        loop {
            let mut round = Box::pin(async {
                tracker.links = links(&node).await;
                Some(tracker.round().await)
            });
            let stop = async {
                stopping().await;
                None
            };
            let Some(done) = or(stop, &mut round).await else {
                // What is on its way must not arrive after the goodbye.
                or(async { drop(round.await) }, sleep(GOODBYE)).await;
                or(tracker.leave(), sleep(GOODBYE)).await;
                return Ok(());
            };
            drop(round);
            let (is_here, pause) = after(&done, is_logged_out);
            is_logged_out = matches!(done, Err(Trouble::LoggedOut));
            if let Err(Trouble::Refused(why) | Trouble::Away(why)) = &done {
                tracker.complain(io, why).await;
            }
            if node.send(Input::Tracker(is_here)).await.is_err() {
                return Ok(());
            }
            if let Ok(contacts) = done {
                tracker.last.clear();
                if node.send(Input::Contacts(contacts)).await.is_err() {
                    return Ok(());
                }
            }
            or(stopping(), sleep(pause + random::duration(pause / 8))).await;
        }
    })
}

/// Whether the tracker is there, and how long to wait, after a round.
fn after<T>(round: &Result<T, Trouble>, was_logged_out: bool) -> (bool, Duration) {
    match round {
        // A tracker that forgets each session at once is asked no more often than any other.
        Err(Trouble::LoggedOut) if !was_logged_out => (true, LOG_IN_AGAIN),
        Ok(_) | Err(Trouble::LoggedOut | Trouble::Refused(_)) => (true, HEARTBEAT),
        Err(Trouble::Away(_)) => (false, AWAY),
    }
}

/// How many connections the tracker is told of.
const MOST_LINKS: usize = 64;

/// The names of the peers that the node is connected to.
async fn links(node: &Sender<Input>) -> Vec<String> {
    let known = ask_node(node, Command::Peers).await.unwrap_or_default();
    let peers = known["peers"].as_array().into_iter().flatten();
    let direct = peers.filter(|peer| peer["state"] == "direct");
    let names = direct.filter_map(|peer| peer["name"].as_str()?.parse::<PeerName>().ok());
    names
        .take(MOST_LINKS)
        .map(|name| name.to_string())
        .collect()
}

/// A login that the tracker has accepted.
struct Session {
    /// `name=value`.
    cookie: String,
    /// Whether the peer is on the list.
    is_listed: bool,
}

struct Tracker {
    options: TrackerOptions,
    session: Option<Session>,
    /// The connection of the last request.
    connection: Option<Kept>,
    known: Known,
    /// The names of the peers that this one is connected to: the tracker draws them.
    links: Vec<String>,
    /// The last complaint, which is made once.
    last: String,
}

impl Tracker {
    async fn complain(&mut self, io: &TrackPorts, why: &str) {
        if self.last == why {
            return;
        }
        why.clone_into(&mut self.last);
        log::warn!("the tracker: {why}");
        if let Some(refusals) = &io.refusals {
            // Nobody needs to listen.
            let _ = refusals.send(why.to_owned()).await;
        }
    }

    async fn round(&mut self) -> Result<Vec<Contact>, Trouble> {
        if self.session.is_none() {
            self.log_in().await?;
        }
        self.post("/submit-info/", &self.info()).await?;
        if !self
            .session
            .as_ref()
            .is_some_and(|session| session.is_listed)
        {
            self.post("/add-list/", &json!({})).await?;
            if let Some(session) = &mut self.session {
                session.is_listed = true;
            }
        }
        let list = self.ask("GET", "/get-list/", None).await?;
        let peers = list["peers"].as_array().cloned().unwrap_or_default();
        let names = peers.iter().filter_map(|peer| peer["name"].as_str());
        let names: Vec<_> = names
            .filter(|name| *name != self.options.name.as_str())
            .map(str::to_owned)
            .collect();
        self.known.retain(|name, _| names.contains(name));
        let mut asked = 0;
        for name in names {
            if let Some((_, rounds)) = self.known.get_mut(&name)
                && *rounds > 0
            {
                *rounds -= 1;
                continue;
            }
            if asked == ASKED_FOR {
                break;
            }
            asked += 1;
            match self.post("/connect-peer/", &json!({"name": name})).await {
                Ok(answer) => {
                    if let Some(contact) = contact(&answer) {
                        let rounds = BELIEVED / 2 + random_rounds();
                        self.known.insert(name, (contact, rounds));
                    }
                }
                // It has just left.
                Err(Trouble::Refused(_)) => {}
                Err(other) => return Err(other),
            }
        }
        let known = self.known.values();
        Ok(known.map(|(contact, _)| contact.clone()).collect())
    }

    fn info(&self) -> Value {
        let addresses = self.options.addresses.iter().map(ToString::to_string);
        json!({"addresses": addresses.collect::<Vec<_>>(), "links": self.links})
    }

    /// Tells the tracker that this peer goes.
    async fn leave(&mut self) {
        if self.session.is_some() {
            // A tracker that does not hear it notices after the lease.
            let _ = self.post("/submit-info/", &json!({"addresses": []})).await;
        }
    }

    /// Proves the key: signs a nonce of the tracker.
    async fn log_in(&mut self) -> Result<(), Trouble> {
        let TrackerOptions { identity, name, .. } = &self.options;
        let (name, key) = (name.to_string(), identity.key().to_string());
        let who = json!({"name": name, "key": key});
        let (asked, _) = self.exchange("POST", "/login/", Some(&who)).await?;
        let nonce = asked["nonce"].as_str().unwrap_or_default();
        let signed = format!("kamea-chat login 1\n{nonce}\n{name}\n{key}\n");
        let signature = to_hex(&self.options.identity.sign(signed.as_bytes()));
        let proof = json!({"name": name, "key": key, "nonce": nonce, "signature": signature});
        // Only this answer has a session that is logged in.
        let (_, cookie) = self.exchange("POST", "/login/", Some(&proof)).await?;
        let cookie = cookie.ok_or_else(|| Trouble::Refused("it gives no session".into()))?;
        self.session = Some(Session {
            cookie,
            is_listed: false,
        });
        Ok(())
    }

    async fn post(&mut self, path: &str, body: &Value) -> Result<Value, Trouble> {
        self.ask("POST", path, Some(body)).await
    }

    /// Sends a request of the session.
    async fn ask(
        &mut self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Trouble> {
        let (answer, cookie) = self.exchange(method, path, body).await?;
        if let (Some(session), Some(cookie)) = (&mut self.session, cookie) {
            session.cookie = cookie;
        }
        Ok(answer)
    }

    /// Sends a request. Returns the answer, and the cookie that came with it.
    async fn exchange(
        &mut self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(Value, Option<String>), Trouble> {
        let url = &self.options.url;
        let cookie = self.session.as_ref().map(|session| session.cookie.as_str());
        let asked = TrackerRequest {
            url,
            tls: self.options.tls.as_ref(),
            method,
            path,
            cookie,
            body,
        };
        let answered = exchange(&mut self.connection, asked).await;
        let Answered {
            status,
            cookie,
            body,
        } = answered.map_err(|error| Trouble::Away(format!("{}: {error}", url.authority())))?;
        match status {
            200..=299 => Ok((body, cookie)),
            401 => {
                self.session = None;
                Err(Trouble::LoggedOut)
            }
            502..=504 => Err(Trouble::Away(format!(
                "{} answers {status}",
                url.authority()
            ))),
            _ => {
                let why = body["detail"].as_str().unwrap_or("it gives no reason");
                Err(Trouble::Refused(format!(
                    "{path} is refused ({status}): {why}"
                )))
            }
        }
    }
}

fn random_rounds() -> u32 {
    u32::try_from(random::u64(0..=u64::from(BELIEVED))).unwrap_or_default()
}

/// Reads the answer to `/connect-peer/`.
fn contact(answer: &Value) -> Option<Contact> {
    let addresses = answer["addresses"].as_array()?;
    let addresses = addresses.iter().take(8);
    Some(Contact {
        key: answer["key"].as_str()?.parse().ok()?,
        name: answer["name"].as_str()?.parse().ok()?,
        addresses: addresses
            .filter_map(|address| address.as_str()?.parse().ok())
            .collect(),
    })
}
