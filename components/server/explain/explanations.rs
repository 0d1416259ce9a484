//! Which requests are explained, and to whom.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::StatusCode;
use kamea::{Receiver, Sender, link};

use super::explanation::Explanation;
use crate::http::{Fields, RequestHead, ResponseHead};
use crate::web::{Body, Request, Response, Route};

/// Which requests of a server are to be explained: those with the field `Kamea-Explain: 1` that come from this machine, and those that somebody
/// [picks](Self::pick).
///
/// A clone is the same.
///
/// # Examples
///
/// ```
/// use kamea_components::server::{Explanations, Site, WebServer};
///
/// let explanations = Explanations::new();
/// let picked = explanations.pick("/songs/*");
/// let server = WebServer::new(Site::new(".")).explain(explanations);
/// # server.check()?;
/// # Ok::<(), kamea_components::server::StartError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Explanations(Arc<Picks>);

#[derive(Debug, Default)]
struct Picks {
    /// How many there are: a look costs a request next to nothing.
    count: AtomicUsize,
    picks: Mutex<Vec<Pick>>,
    next: AtomicUsize,
}

#[derive(Debug)]
struct Pick {
    id: usize,
    route: Route,
    to: Sender<Explanation>,
}

impl Explanations {
    /// How many may be waited for at once.
    pub const LIMIT: usize = 16;

    /// None are wanted.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Has the next request explained whose path, decoded, matches a pattern (`*` stands for any characters, `?` for one), whoever it comes from; its client
    /// notices nothing. `None` if [`LIMIT`](Self::LIMIT) are waited for already.
    #[must_use]
    pub fn pick(&self, path: &str) -> Option<Picked> {
        let mut picks = self.0.picks();
        if picks.len() >= Self::LIMIT {
            return None;
        }
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        let (to, explanation) = link(1);
        let route = Route::path(path);
        picks.push(Pick { id, route, to });
        self.0.count.store(picks.len(), Ordering::Relaxed);
        let picks = self.0.clone();
        Some(Picked {
            id,
            explanation,
            picks,
        })
    }

    /// Who wants this request explained.
    pub(in crate::server) fn wanted(&self, request: &Request) -> Option<Asked> {
        if asks(&request.head, request.exchange.peer) && !request.exchange.is_head {
            return Some(Asked::Client);
        }
        if self.0.count.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let matches = |pick: &Pick| pick.route.matches(&request.head);
        let pick = self.0.take(matches)?;
        Some(Asked::Other(pick.to))
    }
}

impl Picks {
    fn picks(&self) -> MutexGuard<'_, Vec<Pick>> {
        self.picks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, is_wanted: impl Fn(&Pick) -> bool) -> Option<Pick> {
        let mut picks = self.picks();
        let index = picks.iter().position(is_wanted)?;
        let pick = picks.remove(index);
        self.count.store(picks.len(), Ordering::Relaxed);
        Some(pick)
    }
}

/// A request that has been picked to be explained, before it has come. Dropping it takes that back.
#[derive(Debug)]
pub struct Picked {
    id: usize,
    explanation: Receiver<Explanation>,
    picks: Arc<Picks>,
}

impl Picked {
    /// Its explanation, once it has been answered; `None` if it never was, because its connection ended.
    pub async fn explanation(&mut self) -> Option<Explanation> {
        self.explanation.next().await
    }
}

impl Drop for Picked {
    fn drop(&mut self) {
        self.picks.take(|pick| pick.id == self.id);
    }
}

/// Who wants a request explained.
#[derive(Debug)]
pub(in crate::server) enum Asked {
    /// Its client: in the place of the response.
    Client,
    /// Somebody else.
    Other(Sender<Explanation>),
}

impl Asked {
    /// Tells who has asked; gives the response that the client gets.
    pub(super) fn tell(self, explanation: Explanation, response: Response) -> Response {
        match self {
            Self::Other(to) => {
                // Who does not wait any more need not be told.
                let _ = to.try_send(explanation);
                response
            }
            Self::Client => {
                let text = format!("{:#}\n", explanation.to_json());
                let fields = Fields::new()
                    .with("Content-Type", "application/json")
                    .with("Cache-Control", "no-store");
                Response {
                    exchange: response.exchange,
                    head: ResponseHead {
                        status: StatusCode::OK,
                        fields,
                    },
                    body: Body::Bytes(text.into()),
                }
            }
        }
    }
}

/// Whether a client on this machine asks for an explanation. What a proxy has passed on comes from somewhere else.
fn asks(head: &RequestHead, peer: SocketAddr) -> bool {
    head.fields.get("kamea-explain") == Some(b"1")
        && peer.ip().to_canonical().is_loopback()
        && !["via", "forwarded", "x-forwarded-for"]
            .iter()
            .any(|name| head.fields.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Event, Limits, RequestDecoder};

    fn head(path: &str, lines: &str) -> RequestHead {
        let mut decoder = RequestDecoder::new(Limits::default());
        decoder.feed(format!("GET {path} HTTP/1.1\r\nHost: a\r\n{lines}\r\n").into());
        let Ok(Some(Event::Head(head, _))) = decoder.next() else {
            unreachable!("a request: {lines}")
        };
        head
    }

    #[test]
    fn only_a_client_on_this_machine_may_ask() {
        let asked = "Kamea-Explain: 1\r\n";
        for (peer, lines, expected) in [
            ("127.0.0.1:7", asked, true),
            ("[::1]:7", asked, true),
            ("[::ffff:127.0.0.1]:7", asked, true),
            ("192.0.2.1:7", asked, false),
            ("127.0.0.1:7", "", false),
            ("127.0.0.1:7", "Kamea-Explain: 0\r\n", false),
            (
                "127.0.0.1:7",
                "Kamea-Explain: 1\r\nVia: 1.1 proxy\r\n",
                false,
            ),
            (
                "127.0.0.1:7",
                "Kamea-Explain: 1\r\nX-Forwarded-For: 192.0.2.1\r\n",
                false,
            ),
            (
                "127.0.0.1:7",
                "Kamea-Explain: 1\r\nForwarded: for=192.0.2.1\r\n",
                false,
            ),
        ] {
            assert_eq!(
                asks(&head("/", lines), peer.parse().unwrap()),
                expected,
                "{peer} {lines}"
            );
        }
    }

    #[test]
    fn a_pick_is_for_one_request_and_may_be_taken_back() {
        let explanations = Explanations::new();
        let request = |path| Request {
            exchange: crate::web::Exchange::new(0, "192.0.2.1:7".parse().unwrap()),
            head: Box::new(head(path, "")),
            content: None,
        };
        let picked = explanations.pick("/a*").unwrap();
        assert!(explanations.wanted(&request("/b")).is_none());
        assert!(explanations.wanted(&request("/%61b")).is_some());
        assert!(
            explanations.wanted(&request("/ab")).is_none(),
            "it was for one request"
        );
        drop(picked);
        drop(explanations.pick("/a*"));
        assert!(
            explanations.wanted(&request("/a")).is_none(),
            "it was taken back"
        );
        let all: Vec<_> = (0..Explanations::LIMIT)
            .map(|_| explanations.pick("*").unwrap())
            .collect();
        assert!(explanations.pick("*").is_none());
        drop(all);
        assert!(explanations.pick("*").is_some());
    }
}
