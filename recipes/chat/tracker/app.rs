//! The application of the tracker: the paths of the assignment, with and without a slash at their
//! end.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use kamea::time::now;
use kamea::{Asker, Graph};
use kamea_app::{Call, Context, Json, Problem, RateLimit, Reply, TrailingSlash, WeApRous};
use kamea_chat::from_hex;
use kamea_components::net::client_of;
use kamea_components::web::Network;
use kamea_session::{
    Lifetimes, MemoryOptions, Session, SessionOptions, Sessions, keep_in_memory, load_sessions,
    save_sessions,
};
use rusqlite::Connection;
use serde::Serialize;

use super::answers::Told;
use super::bodies::{AddList, Address, Challenge, Connect, Heartbeat, LogIn, OfChannel, Submit};
use super::keep::to_json;
use super::{
    Answer, ChallengeError, Challenges, Limits, ListChange, PeerName, Question, Refusal,
    Registration, keep_in_sqlite, keep_registry,
};

/// How a tracker behaves.
#[derive(Debug, Clone, Default)]
pub struct TrackerOptions {
    /// The limits of its registry.
    pub limits: Limits,
    /// The proxies that say who their clients are: see [`kamea_app::App::trust_proxies`].
    pub proxies: Vec<Network>,
    /// Believe peers that say they listen at another address than the one that they come from.
    pub trust_addresses: bool,
}

/// The longest body of a request.
const LONGEST_BODY: usize = 16 * 1024;

/// How many addresses a peer may listen at.
const MOST_ADDRESSES: usize = 8;

/// How many connections a peer may name.
const MOST_LINKS: usize = 64;

/// How long a session lasts that sends no heartbeat, and how long any does.
const SESSIONS: Lifetimes = Lifetimes {
    idle: Duration::from_secs(600),
    absolute: Duration::from_secs(7 * 24 * 3600),
};

/// What the handlers share.
#[derive(Clone)]
struct Tracker {
    registry: Asker<Question, Answer>,
    challenges: Arc<Challenges>,
    options: Arc<TrackerOptions>,
}

impl TrackerOptions {
    /// The tracker as an application, and the registry behind it. `database` is what
    /// [`load_registrations`](super::load_registrations) returns; without it, the registrations end
    /// with the process.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_chat_recipes::tracker::TrackerOptions;
    ///
    /// let (app, _registry) = TrackerOptions::default().app(None);
    /// assert_eq!(app.routes()[1].to_string(), "POST         /login/");
    /// ```
    #[must_use]
    pub fn app(
        self,
        database: Option<(Connection, Vec<Registration>)>,
    ) -> (WeApRous, Asker<Question, Answer>) {
        let limits = self.limits;
        let mut graph = Graph::new("tracker");
        let (store, stored) = match database {
            None => (None, Vec::new()),
            Some((database, stored)) => {
                (Some(graph.ask("store", keep_in_sqlite(database))), stored)
            }
        };
        let registry = graph.ask("registry", keep_registry(limits, stored, store));
        let memory = MemoryOptions {
            lifetimes: SESSIONS,
            most: 2 * limits.names,
        };
        let sessions = Sessions::add(
            &mut graph,
            keep_in_memory(memory),
            SessionOptions::default(),
        );
        let (limit, proxies) = (login_limit(&self), self.proxies.clone());
        let tracker = Tracker {
            registry: registry.clone(),
            challenges: Arc::new(Challenges::new(now())),
            options: Arc::new(self),
        };
        let mut app = WeApRous::new();
        tracker.add_routes(&mut app);
        app.configure(|app| {
            let app = match proxies.is_empty() {
                true => app,
                false => app.trust_proxies(proxies),
            };
            app.trailing_slash(TrailingSlash::Ignore)
                .body_limit(LONGEST_BODY)
                .upload_limit(1 << 20)
                .layer(limit)
                .around("sessions", load_sessions(sessions), save_sessions())
                .beside(graph)
        });
        (app, registry)
    }
}

/// A login costs the tracker a check of a signature: an address may try it so often a minute.
fn login_limit(options: &TrackerOptions) -> RateLimit {
    let each_minute = u32::try_from(options.limits.names_by_network.saturating_mul(6));
    let each_minute = each_minute.unwrap_or(u32::MAX).max(60);
    RateLimit::new(each_minute, Duration::from_secs(60)).by_key(move |context: &Context| {
        let is_login = context.path().trim_end_matches('/') == "/login";
        is_login.then(|| client_of(context.peer().ip()).to_string())
    })
}

impl Tracker {
    fn add_routes(&self, app: &mut WeApRous) {
        app.handle("/", &["GET"], async || OVERVIEW);
        let tracker = self.clone();
        app.handle(
            "/login/",
            &["POST"],
            async move |call: Call<(), Json<LogIn>, Session>| tracker.log_in(call).await,
        );
        let tracker = self.clone();
        app.handle(
            "/submit-info/",
            &["POST"],
            async move |call: Call<(), Json<Submit>, Session>| tracker.submit(call).await,
        );
        let tracker = self.clone();
        app.handle(
            "/add-list/",
            &["POST"],
            async move |call: Call<(), Json<AddList>, Session>| tracker.add_list(call).await,
        );
        let tracker = self.clone();
        app.handle(
            "/get-list/",
            &["GET"],
            async move |call: Call<OfChannel>| tracker.get_list(call.params).await,
        );
        let tracker = self.clone();
        app.handle(
            "/connect-peer/",
            &["POST"],
            async move |call: Call<(), Json<Connect>, Session>| {
                user(&call.with)?;
                tracker.ask(Question::Reach(call.body.0.name)).await
            },
        );
    }

    async fn log_in(&self, call: Call<(), Json<LogIn>, Session>) -> Result<Reply, Problem> {
        let Json(LogIn {
            name,
            key,
            nonce,
            signature,
        }) = call.body;
        let (nonce, signature) = match (nonce, signature) {
            (Some(nonce), Some(signature)) => (nonce, signature),
            (None, None) => {
                let expires_seconds = Challenges::LIFETIME.as_secs();
                let nonce = self.challenges.draw(&name, &key, now());
                return Ok(json(&Challenge {
                    nonce,
                    expires_seconds,
                }));
            }
            (Some(_), None) => return Err(Problem::invalid("signature", "it is missing")),
            (None, Some(_)) => return Err(Problem::invalid("nonce", "it is missing")),
        };
        let signature: [u8; 64] = from_hex(&signature)
            .ok_or_else(|| Problem::invalid("signature", "it has 128 hexadecimal digits"))?;
        let checked = self
            .challenges
            .check(&nonce, &signature, &name, &key, now());
        let expires = checked.map_err(forbidden)?;
        let network = client_of(call.peer.ip());
        // Hexadecimal digits can be written in two ways.
        let nonce = nonce.to_ascii_lowercase();
        let question = Question::LogIn {
            name: name.clone(),
            key,
            network,
            nonce,
            expires,
        };
        let reply = self.ask(question).await?;
        call.with.log_in(name.as_str()).await?;
        Ok(reply)
    }

    async fn submit(&self, call: Call<(), Json<Submit>, Session>) -> Result<Reply, Problem> {
        let name = user(&call.with)?;
        let Json(Submit { addresses, links }) = call.body;
        let seen = call.peer.ip().to_canonical();
        if links.len() > MOST_LINKS {
            return Err(Problem::invalid(
                "links",
                format!("at most {MOST_LINKS} are accepted"),
            ));
        }
        let addresses = self.checked_addresses(&addresses, seen)?;
        let question = Question::Submit {
            name,
            addresses,
            links,
        };
        match self.told(question).await? {
            Told::Submitted(submitted) => Ok(json(&Heartbeat { seen, submitted })),
            other => Ok(reply_of(other)),
        }
    }

    /// The addresses of a peer that comes from `seen`. A tracker that gave any address to other
    /// peers would let one peer send all others to a third party.
    fn checked_addresses(
        &self,
        addresses: &[Address],
        seen: IpAddr,
    ) -> Result<Vec<SocketAddr>, Problem> {
        if addresses.len() > MOST_ADDRESSES {
            let why = format!("at most {MOST_ADDRESSES} are accepted");
            return Err(Problem::invalid("addresses", why));
        }
        let addresses = addresses
            .iter()
            .enumerate()
            .map(|(place, Address(address))| {
                let ip = address.ip().to_canonical();
                match ip.is_unspecified() {
                    true => Ok(SocketAddr::new(seen, address.port())),
                    false if ip == seen || self.options.trust_addresses => {
                        Ok(SocketAddr::new(ip, address.port()))
                    }
                    false => {
                        let why = format!("you come from {seen}: say {seen} or 0.0.0.0");
                        Err(Problem::invalid(format!("addresses[{place}]"), why))
                    }
                }
            });
        addresses.collect()
    }

    async fn add_list(&self, call: Call<(), Json<AddList>, Session>) -> Result<Reply, Problem> {
        let name = user(&call.with)?;
        let Json(AddList { channel, remove }) = call.body;
        self.ask(Question::List(name, ListChange { channel, remove }))
            .await
    }

    async fn get_list(&self, OfChannel { channel }: OfChannel) -> Result<Reply, Problem> {
        let reply = self.ask(Question::Peers { channel }).await?;
        Ok(reply.field("Cache-Control", "no-store"))
    }

    async fn ask(&self, question: Question) -> Result<Reply, Problem> {
        Ok(reply_of(self.told(question).await?))
    }

    async fn told(&self, question: Question) -> Result<Told, Problem> {
        self.registry
            .ask(question)
            .await?
            .map_err(|refusal| refused(&refusal))
    }
}

/// The peer that has logged in.
fn user(session: &Session) -> Result<PeerName, Problem> {
    let name = session.user().and_then(|name| name.parse().ok());
    name.ok_or_else(|| not_logged_in("log in first: POST /login/".to_owned()))
}

/// RFC 9110 section 15.5.2: a 401 "MUST send a WWW-Authenticate header field".
fn not_logged_in(why: String) -> Problem {
    let problem = Problem::new(StatusCode::UNAUTHORIZED, why);
    problem.field("WWW-Authenticate", "Session realm=\"tracker\"")
}

fn forbidden(error: ChallengeError) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, error.to_string())
}

fn refused(refusal: &Refusal) -> Problem {
    let why = refusal.to_string();
    match refusal {
        Refusal::NameTaken(_) => Problem::new(StatusCode::CONFLICT, why),
        Refusal::NonceUsed => Problem::new(StatusCode::FORBIDDEN, why),
        Refusal::TooManyNames(_) => Problem::new(StatusCode::TOO_MANY_REQUESTS, why),
        Refusal::Forgotten(_) => not_logged_in(why),
        Refusal::Unknown(_) | Refusal::Away(_) => Problem::not_found(why),
        Refusal::TooManyChannels(_) => Problem::invalid("channel", why),
        Refusal::Full | Refusal::Store => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, why).field("Retry-After", "10")
        }
    }
}

fn reply_of(told: Told) -> Reply {
    match told {
        Told::LoggedIn(answer) => json(&answer),
        Told::Submitted(answer) => json(&answer),
        Told::Lists(answer) => json(&answer),
        Told::Peers(answer) => Reply::typed("application/json", answer),
        Told::Reached(answer) => json(&answer),
        Told::Links(answer) => json(&answer),
    }
}

fn json(value: &impl Serialize) -> Reply {
    Reply::typed("application/json", to_json(value))
}

const OVERVIEW: &str = "The tracker of a chat. Bodies are JSON.

POST /login/         {\"name\", \"key\"}: a nonce; then with \"nonce\" and \"signature\": a session
POST /submit-info/   {\"addresses\": [\"0.0.0.0:9101\"]}: where I listen; again as a heartbeat
POST /add-list/      {} or {\"channel\": \"general\"}: puts me on a list
GET  /get-list/      the peers that are present; ?channel=general for those of a channel
POST /connect-peer/  {\"name\"}: how to reach a peer
";
