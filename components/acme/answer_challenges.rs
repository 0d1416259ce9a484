//! Shows the authority what it asks for by http (RFC 8555 section 8.3).

use std::path::PathBuf;
use std::sync::Arc;

use http::{Method, StatusCode};
use kamea::{Component, unblock};
use kamea_components::web::{FilterPorts, Request, Response};

use crate::store::read_answer;

/// Where the authority asks.
const PATH: &str = "/.well-known/acme-challenge/";

/// Answers requests for challenges whose answers are in this folder ([`Store::challenges`]). All
/// others pass, so that another program can still answer challenges of its own.
///
/// It goes before a redirect to https: the certificate may not be there yet.
///
/// [`Store::challenges`]: crate::Store::challenges
///
/// # Examples
///
/// ```
/// use kamea_acme::{LETS_ENCRYPT, Store, answer_challenges};
/// use kamea_components::server::{Site, WebServer};
///
/// let store = Store::new("/var/lib/spidey", LETS_ENCRYPT);
/// let challenges = answer_challenges(store.challenges());
/// let server = WebServer::new(Site::new(".")).early_filter("acme", challenges);
/// # let _ = server;
/// ```
pub fn answer_challenges(folder: PathBuf) -> impl Component<FilterPorts> + Clone + Send + Sync {
    let folder: Arc<PathBuf> = folder.into();
    async move |io: &mut FilterPorts| {
        while let Some(mut request) = io.requests.next().await {
            let answer = match token(&request) {
                Some(token) => {
                    let folder = folder.clone();
                    unblock(move || read_answer(&folder, &token)).await
                }
                None => None,
            };
            let Some(answer) = answer else {
                io.passed.send(request).await?;
                continue;
            };
            match request.discard_content().await {
                Ok(()) => {
                    let response = Response::new(StatusCode::OK)
                        .with("Content-Type", "application/octet-stream")
                        .with("Cache-Control", "no-store")
                        .with_body(bytes::Bytes::from(answer));
                    io.responses.send(request.respond(response)).await?;
                }
                Err(failure) => io.failures.send(failure).await?,
            }
        }
        Ok(())
    }
}

/// The token that a request asks for; `None` if it asks for something else.
fn token(request: &Request) -> Option<String> {
    let is_read = [Method::GET, Method::HEAD].contains(&request.head.method);
    let token = request.head.target.path().strip_prefix(PATH)?;
    is_read.then(|| token.to_owned())
}
