//! A rate limit: each client may send three requests at once, and then one every ten seconds.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::StatusCode;
use kamea::Component;
use kamea::time::now;
use kamea_components::server::{Site, WebServer};
use kamea_components::web::FilterPorts;
use kamea_recipes::{Outcome, serve};

const BURST: u32 = 3;
const PAUSE: Duration = Duration::from_secs(10);

/// The time until which each client has used its budget.
#[derive(Clone, Default)]
struct Ledger(Arc<Mutex<HashMap<IpAddr, Instant>>>);

impl Ledger {
    fn admit(&self, client: IpAddr) -> bool {
        let (mut paid, now) = (self.0.lock().unwrap_or_else(PoisonError::into_inner), now());
        paid.retain(|_, until| *until > now);
        let until = paid.get(&client).copied().unwrap_or(now) + PAUSE;
        let fits = until <= now + BURST * PAUSE;
        if fits {
            paid.insert(client, until);
        }
        fits
    }
}

/// The clones of this component, one per connection, share a ledger.
fn limit_rate(ledger: Ledger) -> impl Component<FilterPorts> + Clone + Send + Sync {
    async move |io: &mut FilterPorts| {
        while let Some(request) = io.requests.next().await {
            if ledger.admit(request.exchange.peer.ip()) {
                io.passed.send(request).await?;
            } else {
                let failure = request.refuse(StatusCode::TOO_MANY_REQUESTS, "take a breath");
                let failure = failure.with("Retry-After", PAUSE.as_secs().to_string());
                io.refuse(request, failure).await?;
            }
        }
        Ok(())
    }
}

fn main() -> Outcome {
    serve(WebServer::new(Site::new("www")).filter("rate", limit_rate(Ledger::default())))
}
