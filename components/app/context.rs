//! One request on its way through an application: what layers see, and what extraction takes from.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use http::Method;
use kamea_components::http::RequestHead;
use kamea_components::web::{Content, ErrorForm, Remark, Request, Scheme};

/// One request on its way through an application.
///
/// Layers see it and may add values to it, which handlers take as an
/// [`Extract`](crate::Extract)ed part.
#[derive(Debug)]
pub struct Context {
    pub(crate) request: Request,
    pub(crate) captures: Vec<(Arc<str>, String)>,
    pub(crate) pattern: Option<Arc<str>>,
    /// The limit of a body in memory, in bytes.
    pub(crate) body_limit: usize,
    /// When the request had come.
    pub(crate) since: Instant,
    /// Where its routing is told, if it is to be explained.
    pub(crate) explained: Option<Arc<OnceLock<Remark>>>,
}

impl Context {
    pub(crate) fn new(mut request: Request, body_limit: usize, since: Instant) -> Self {
        if prefers_json(&request) {
            request.exchange.error_form = ErrorForm::Json;
        }
        Self {
            request,
            captures: Vec::new(),
            pattern: None,
            body_limit,
            since,
            explained: None,
        }
    }

    /// The request line and the header fields.
    #[must_use]
    pub fn head(&self) -> &RequestHead {
        &self.request.head
    }

    /// The same, to change it: before the routing, a layer may change the method or the fields.
    pub fn head_mut(&mut self) -> &mut RequestHead {
        &mut self.request.head
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.request.head.method
    }

    /// The path, as it was sent.
    #[must_use]
    pub fn path(&self) -> &str {
        self.request.head.target.path()
    }

    /// The value of a header field, if it is text.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        str::from_utf8(self.request.head.fields.get(name)?).ok()
    }

    /// The address of the peer.
    #[must_use]
    pub fn peer(&self) -> SocketAddr {
        self.request.exchange.peer
    }

    /// Whether the client uses TLS: see [`trust_proxies`](kamea_components::web::trust_proxies) for
    /// clients behind a proxy.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.request.exchange.scheme
    }

    /// The pattern of the route that matches, such as `/users/{id}`; `None` before the routing, and
    /// if nothing matches.
    #[must_use]
    pub fn pattern(&self) -> Option<&str> {
        self.pattern.as_deref()
    }

    /// The value of a capture of the route.
    #[must_use]
    pub fn capture(&self, name: &str) -> Option<&str> {
        let found = self.captures.iter().find(|(own, _)| **own == *name);
        found.map(|(_, value)| value.as_str())
    }

    /// Takes the body; `None` if there is none, or it was taken.
    pub fn take_content(&mut self) -> Option<Box<Content>> {
        self.request.content.take()
    }

    /// The limit of a body that is read into memory, in bytes.
    #[must_use]
    pub fn body_limit(&self) -> usize {
        self.body_limit
    }

    /// Sets the limit of a body that is read into memory, in bytes.
    pub fn set_body_limit(&mut self, bytes: usize) {
        self.body_limit = bytes;
    }

    /// Adds a value for the layers and the handler that follow. One of the same type is replaced.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_app::{Context, Next, Reply};
    ///
    /// #[derive(Clone)]
    /// struct Visitor(String);
    ///
    /// async fn recognise(mut context: Context, next: Next) -> Reply {
    ///     let name = context.field("x-visitor").unwrap_or("somebody").to_owned();
    ///     context.insert(Visitor(name));
    ///     next.run(context).await
    /// }
    /// # let _ = kamea_app::App::new().layer(recognise);
    /// ```
    pub fn insert<T: Clone + Send + Sync + 'static>(&mut self, value: T) {
        self.request.extensions.insert(value);
    }

    /// The value of this type that a layer, or a filter of the server, has added.
    #[must_use]
    pub fn value<T: Clone + Send + Sync + 'static>(&self) -> Option<&T> {
        self.request.extensions.get()
    }
}

/// Whether errors are best told in JSON although `Accept` does not say so: the request itself is
/// JSON, or the peer knows problem details.
fn prefers_json(request: &Request) -> bool {
    let fields = &request.head.fields;
    match fields.get("accept") {
        None | Some(b"*/*") => fields
            .get("content-type")
            .is_some_and(|media_type| is_json(&String::from_utf8_lossy(media_type))),
        Some(accept) => accept
            .windows(b"problem+json".len())
            .any(|window| window.eq_ignore_ascii_case(b"problem+json")),
    }
}

/// Whether a media type is JSON: `application/json`, or a type with the suffix `+json` (RFC 6839
/// section 3.1).
pub(crate) fn is_json(media_type: &str) -> bool {
    let essence = essence(media_type);
    essence.eq_ignore_ascii_case("application/json")
        || essence.len() > 5
            && essence.is_char_boundary(essence.len() - 5)
            && essence[essence.len() - 5..].eq_ignore_ascii_case("+json")
}

/// A media type without its parameters.
pub(crate) fn essence(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or_default().trim()
}
