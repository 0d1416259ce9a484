//! The fields that a client gets.

use http::Version;
use kamea_components::http::{Fields, FieldsBuilder};

use super::hop_by_hop::HopByHop;
use super::{Forwarding, via};

/// Room for the fields that are added to those of a backend, in bytes.
const ADDED: usize = 64;

/// The fields whose values may be rewritten.
const REWRITTEN: [&str; 4] = ["content-location", "location", "refresh", "set-cookie"];

impl Forwarding<'_> {
    /// Returns the fields for the client: those of the response of a backend, which it sent in this
    /// version. `switches` says that the connection continues with another protocol.
    ///
    /// The length of the body is not among them: the server frames it anew.
    ///
    /// # Examples
    /// ```
    /// # use http::{Method, Version};
    /// # use kamea_components::http::{Fields, RequestHead, Target};
    /// # use kamea_proxy::fields::{Forwarding, Inbound};
    /// # use kamea_proxy::plan::{Backend, Route};
    /// # let head = RequestHead {
    /// #     method: Method::GET,
    /// #     target: Target::parse(&Method::GET, "/".into())?,
    /// #     version: Version::HTTP_11,
    /// #     fields: Fields::new().with("Host", "app1.local"),
    /// # };
    /// # let backend = Backend::parse("http://127.0.0.1:9001")?;
    /// # let route = Route::to([backend.clone()]);
    /// # let inbound = Inbound::new("192.0.2.7:5555".parse()?, 8080, "edge");
    /// # let forwarding = Forwarding::new(&head, &inbound, &route, &backend);
    /// let received = Fields::new()
    ///     .with("Location", "http://127.0.0.1:9001/login")
    ///     .with("Connection", "close");
    /// let sent = forwarding.response(&received, Version::HTTP_11, false);
    /// assert_eq!(sent.get("location"), Some(&b"http://app1.local/login"[..]));
    /// assert_eq!(sent.get("connection"), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn response(&self, received: &Fields, version: Version, switches: bool) -> Fields {
        let hop_by_hop = HopByHop::of(received);
        let mut fields = FieldsBuilder::with_capacity(received.as_bytes().len() + ADDED);
        let is_left_out =
            |name: &str| name.eq_ignore_ascii_case("content-length") || hop_by_hop.contains(name);
        let rewrites =
            self.route.rewrite_responses && REWRITTEN.iter().any(|name| received.contains(name));
        if !rewrites {
            fields.extend_if(received, |name, _| !is_left_out(name));
        }
        for (name, value) in received.iter().filter(|_| rewrites) {
            if is_left_out(name) {
                continue;
            }
            // A field that was received is valid; one that was rewritten and is not, is left out.
            let _ = match self.rewritten(name, value) {
                Some(value) => fields.push(name, value),
                None => fields.push(name, value),
            };
        }
        let _ = fields.push_parts("Via", &via::entry(version, self.inbound.name));
        if switches {
            let protocol = received.get("upgrade").unwrap_or_default();
            let _ = fields.push("Upgrade", protocol);
            let _ = fields.push("Connection", "Upgrade");
        }
        fields.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::testing::{Setting, lines};

    #[test]
    fn what_belongs_to_the_connection_of_the_backend_stays_there() {
        let received = Fields::new()
            .with("Content-Type", "text/html")
            .with("Content-Length", "5")
            .with("Connection", "close, X-Own")
            .with("X-Own", "1")
            .with("Keep-Alive", "timeout=5")
            .with("Transfer-Encoding", "chunked")
            .with("Proxy-Authenticate", "Basic")
            .with("Upgrade", "h2c")
            .with("Via", "1.0 inner")
            .with("Set-Cookie", "a=b")
            .with("Set-Cookie", "c=d")
            .with("Trailer", "X-Sum");
        let setting = Setting::new("http://b:1");
        let response = |switches| {
            setting
                .forwarding(|f| lines(&f.response(&received, Version::HTTP_10, switches), |_| true))
        };
        let expected = "\
Content-Type: text/html
Via: 1.0 inner
Set-Cookie: a=b
Set-Cookie: c=d
Trailer: X-Sum
Via: 1.0 edge
";
        assert_eq!(response(false), expected);
        let switched = format!("{expected}Upgrade: h2c\nConnection: Upgrade\n");
        assert_eq!(response(true), switched);
    }
}
