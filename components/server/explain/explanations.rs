//! Which requests are explained, and who gets the explanation.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::StatusCode;
use kamea::{Receiver, Sender, link};
use subtle::ConstantTimeEq as _;

use super::explanation::Explanation;
use crate::http::RequestHead;
use crate::web::{Request, Response, Route};

/// The requests of a server to explain: those whose field `Kamea-Explain` has the
/// [secret](Self::secret), and those that a caller [picks](Self::pick).
///
/// Clones share their state.
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
#[derive(Clone)]
pub struct Explanations(Arc<Picks>);

/// The secret is not shown.
impl fmt::Debug for Explanations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Explanations")
            .field("picks", &self.0.picks)
            .finish_non_exhaustive()
    }
}

impl Default for Explanations {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Debug)]
struct Picks {
    /// What a client must send to get its own request explained. An address would not be enough:
    /// behind a proxy all clients have the same one.
    secret: String,
    /// The number of picks: to check it costs a request almost nothing.
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
    /// How many picks may wait at the same time.
    pub const LIMIT: usize = 16;

    /// Explains nothing yet. The secret is random.
    #[must_use]
    pub fn new() -> Self {
        Self::with_secret(format!("{:032x}", kamea::random::token()))
    }

    /// Explains nothing yet. The secret is the given one.
    #[must_use]
    pub fn with_secret(secret: impl Into<String>) -> Self {
        Self(Arc::new(Picks {
            secret: secret.into(),
            count: AtomicUsize::new(0),
            picks: Mutex::default(),
            next: AtomicUsize::new(0),
        }))
    }

    /// The value of the field `Kamea-Explain` with which a client gets its request explained.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.0.secret
    }

    /// Explains the next request whose decoded path matches a pattern (`*` stands for any
    /// characters, `?` for one), from any client; the client does not notice. `None` if
    /// [`LIMIT`](Self::LIMIT) picks are already waiting.
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

    /// The receiver of this request's explanation.
    pub(in crate::server) fn wanted(&self, request: &Request) -> Option<Asked> {
        if self.asks(&request.head) && !request.exchange.is_head {
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

impl Explanations {
    /// Whether a client asks for an explanation, and is allowed to.
    fn asks(&self, head: &RequestHead) -> bool {
        let shown = head.fields.get("kamea-explain");
        shown.is_some_and(|shown| shown.ct_eq(self.0.secret.as_bytes()).into())
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

/// A pattern whose next request will be explained. Drop it to cancel.
#[derive(Debug)]
pub struct Picked {
    id: usize,
    explanation: Receiver<Explanation>,
    picks: Arc<Picks>,
}

impl Picked {
    /// Waits for the explanation, once the request is answered; `None` if its connection ended
    /// before.
    pub async fn explanation(&mut self) -> Option<Explanation> {
        self.explanation.next().await
    }
}

impl Drop for Picked {
    fn drop(&mut self) {
        self.picks.take(|pick| pick.id == self.id);
    }
}

/// The receiver of an explanation.
#[derive(Debug)]
pub(in crate::server) enum Asked {
    /// The client: it gets the explanation instead of the response.
    Client,
    /// A caller that picked the request.
    Other(Sender<Explanation>),
}

impl Asked {
    /// Delivers the explanation; returns the response for the client.
    pub(super) fn tell(self, explanation: Explanation, response: Response) -> Response {
        match self {
            Self::Other(to) => {
                // A caller that has stopped waiting needs no explanation.
                let _ = to.try_send(explanation);
                response
            }
            Self::Client => {
                let text = format!("{:#}\n", explanation.to_json());
                Response::new(StatusCode::OK)
                    .with("Content-Type", "application/json")
                    .with("Cache-Control", "no-store")
                    .with_body(text)
                    .to(response.exchange)
            }
        }
    }
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
    fn only_a_client_that_knows_the_secret_may_ask() {
        let explanations = Explanations::new();
        let secret = explanations.secret();
        assert!(secret.len() == 32 && !format!("{explanations:?}").contains(secret));
        for (value, expected) in [
            (secret, true),
            (&secret[1..], false),
            ("1", false),
            ("", false),
        ] {
            let asked = explanations.asks(&head("/", &format!("Kamea-Explain: {value}\r\n")));
            assert_eq!(asked, expected, "{value}");
        }
        assert!(!explanations.asks(&head("/", "")));
    }

    #[test]
    fn a_pick_is_for_one_request_and_may_be_taken_back() {
        let explanations = Explanations::new();
        let request = |path| {
            let exchange = crate::web::Exchange::new(0, "192.0.2.1:7".parse().unwrap());
            Request::new(exchange, Box::new(head(path, "")), None)
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
