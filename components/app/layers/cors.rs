//! Requests of other origins (Fetch Standard section 3.2, "CORS protocol").

use std::time::Duration;

use http::{Method, StatusCode};

use crate::{Context, Layer, Next, Reply};

/// Lets pages of other origins use the application. By default none may.
///
/// It answers the preflight requests of browsers, so it belongs around the whole application.
///
/// # Examples
///
/// ```
/// use kamea_app::{App, Cors};
///
/// let cors = Cors::new().origin("https://shop.example").methods(&["PUT"]).fields(&["X-Token"]);
/// let app = App::new().put("/", async || "x").layer(cors);
/// # app.check().unwrap();
/// ```
#[derive(Debug, Clone, Default)]
pub struct Cors {
    origins: Vec<String>,
    is_for_all: bool,
    methods: Vec<String>,
    fields: Vec<String>,
    exposed: Vec<String>,
    has_credentials: bool,
    max_age: Option<Duration>,
}

impl Cors {
    /// Lets no origin in, until some are named.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets pages of this origin in: scheme, host, and port if it is not the default.
    #[must_use]
    pub fn origin(mut self, origin: &str) -> Self {
        self.origins
            .push(origin.trim_end_matches('/').to_ascii_lowercase());
        self
    }

    /// Lets pages of any origin in, without credentials.
    #[must_use]
    pub fn any_origin(self) -> Self {
        Self {
            is_for_all: true,
            ..self
        }
    }

    /// Allows methods beside GET, HEAD and POST.
    #[must_use]
    pub fn methods(mut self, names: &[&str]) -> Self {
        self.methods
            .extend(names.iter().map(|name| (*name).to_owned()));
        self
    }

    /// Allows header fields in requests, such as `Content-Type` for JSON.
    #[must_use]
    pub fn fields(mut self, names: &[&str]) -> Self {
        self.fields
            .extend(names.iter().map(|name| (*name).to_owned()));
        self
    }

    /// Shows header fields of responses to the pages.
    #[must_use]
    pub fn expose(mut self, names: &[&str]) -> Self {
        self.exposed
            .extend(names.iter().map(|name| (*name).to_owned()));
        self
    }

    /// Allows cookies and passwords, for the origins that are named.
    #[must_use]
    pub fn credentials(self) -> Self {
        Self {
            has_credentials: true,
            ..self
        }
    }

    /// Sets how long a browser may remember the answer to a preflight request.
    #[must_use]
    pub fn max_age(self, age: Duration) -> Self {
        Self {
            max_age: Some(age),
            ..self
        }
    }

    /// Whether an origin is one of those that were named.
    fn is_named(&self, origin: &str) -> bool {
        let origin = origin.to_ascii_lowercase();
        self.origins.contains(&origin)
    }

    /// The value of `Access-Control-Allow-Origin` for a request of this origin.
    fn allowed<'o>(&self, origin: &'o str) -> Option<&'o str> {
        match self.is_named(origin) {
            true => Some(origin),
            false => self.is_for_all.then_some("*"),
        }
    }

    fn preflight(&self, reply: Reply) -> Reply {
        let list = |reply: Reply, name, values: &[String]| match values.is_empty() {
            true => reply,
            false => reply.field(name, values.join(", ")),
        };
        let reply = list(reply, "Access-Control-Allow-Methods", &self.methods);
        let reply = list(reply, "Access-Control-Allow-Headers", &self.fields);
        match self.max_age {
            Some(age) => reply.field("Access-Control-Max-Age", age.as_secs().to_string()),
            None => reply,
        }
    }
}

impl Layer for Cors {
    async fn around(&self, context: Context, next: Next) -> Reply {
        let origin = context.field("origin").map(str::to_owned);
        let is_preflight = *context.method() == Method::OPTIONS
            && context.field("access-control-request-method").is_some();
        let allowed = origin.as_deref().and_then(|origin| self.allowed(origin));
        let reply = match (is_preflight, allowed) {
            (true, Some(_)) => self.preflight(Reply::new(StatusCode::NO_CONTENT)),
            _ => next.run(context).await,
        };
        // Caches must not hand the answer for one origin to another.
        let reply = reply.field("Vary", "Origin");
        let Some(allowed) = allowed else {
            return reply;
        };
        // The origin was in the request, so it is a valid value.
        let reply = reply.field("Access-Control-Allow-Origin", allowed);
        let reply = match self.has_credentials && allowed != "*" {
            true => reply.field("Access-Control-Allow-Credentials", "true"),
            false => reply,
        };
        match self.exposed.is_empty() || is_preflight {
            true => reply,
            false => reply.field("Access-Control-Expose-Headers", self.exposed.join(", ")),
        }
    }
}
