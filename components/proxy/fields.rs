//! How the header fields of requests and responses change on their way through a proxy.
//!
//! ```text
//!  request  ──▶ without fields of one connection ──▶ Host, Via, Forwarded, X-Forwarded-*
//!                                                      ──▶ fields of the configuration ──▶ backend
//!  client   ◀── Location, Refresh, Set-Cookie as the client sees them ◀── Via
//!                                  ◀── without fields of one connection ◀── response
//! ```
//!
//! [`Forwarding`] does both. What a backend gets is written anew: nothing is copied that says where
//! a message ends, or that belongs to the connection of the client.

mod cookies;
mod forwarded;
mod hop_by_hop;
mod inbound;
mod path;
mod render;
mod request;
mod response;
mod rewrite;
mod template;
#[cfg(test)]
mod testing;
mod via;

pub(crate) use cookies::cookie;
pub use inbound::{Inbound, random_name};
pub use request::FieldsError;
pub(crate) use request::remove;
pub use template::{FieldTemplate, TemplateError};

use kamea_components::http::RequestHead;

use crate::plan::{Backend, Route};
use crate::policy::{Asked, sticky_cookie};

/// A request on its way to a backend, and the response on its way back.
///
/// # Examples
/// ```
/// use http::{Method, Version};
/// use kamea_components::http::{Fields, RequestHead, Target};
/// use kamea_proxy::fields::{Forwarding, Inbound};
/// use kamea_proxy::plan::{Backend, Route};
///
/// let head = RequestHead {
///     method: Method::GET,
///     target: Target::parse(&Method::GET, "/".into())?,
///     version: Version::HTTP_11,
///     fields: Fields::new().with("Host", "app1.local").with("Connection", "keep-alive"),
/// };
/// let backend = Backend::parse("http://127.0.0.1:9001")?;
/// let route = Route::to([backend.clone()]);
/// let inbound = Inbound::new("192.0.2.7:5555".parse()?, 8080, "edge");
/// let forwarding = Forwarding::new(&head, &inbound, &route, &backend);
/// let request = forwarding.request(false)?;
/// assert_eq!(request.fields.get("host"), Some(&b"app1.local"[..]));
/// assert_eq!(request.fields.get("connection"), None);
/// assert_eq!(request.fields.get("via"), Some(&b"1.1 edge"[..]));
/// assert_eq!(request.fields.get("x-forwarded-for"), Some(&b"192.0.2.7"[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Forwarding<'a> {
    /// The head of the request, as the client sent it.
    pub(crate) head: &'a RequestHead,
    pub(crate) inbound: &'a Inbound<'a>,
    pub(crate) route: &'a Route,
    pub(crate) backend: &'a Backend,
}

impl<'a> Forwarding<'a> {
    /// Creates the way of a request to this backend.
    #[must_use]
    pub const fn new(
        head: &'a RequestHead,
        inbound: &'a Inbound<'a>,
        route: &'a Route,
        backend: &'a Backend,
    ) -> Self {
        Self {
            head,
            inbound,
            route,
            backend,
        }
    }

    /// The cookie that keeps the client at the backend with this key, if the route has one and the
    /// request does not have it.
    pub(crate) fn sticky_cookie(&self, key: u64) -> Option<String> {
        let name = self.route.sticky.as_ref()?;
        let asked = Asked::new(self.head, self.inbound.peer.ip());
        sticky_cookie(name, key, &asked, self.inbound.is_tls)
    }

    /// Returns the host that the client asked for; empty if it named none.
    fn authority(&self) -> &'a [u8] {
        self.head.authority().unwrap_or_default()
    }
}
