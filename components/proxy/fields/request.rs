//! The head that a backend gets.

use std::borrow::Cow;

use http::{Method, StatusCode, Version};
use kamea_components::http::{Fields, FieldsBuilder, RequestHead};
use thiserror::Error;

use super::hop_by_hop::HopByHop;
use super::{Forwarding, forwarded, via};

/// Why a request is not passed on.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldsError {
    /// RFC 9110 section 7.6.3: it was here already.
    #[error("the request has passed this proxy already, or too many proxies")]
    Loop,
    /// RFC 9110 section 7.6.2: "the intermediary MUST NOT forward the request; instead, [it] MUST
    /// respond as the final recipient".
    #[error("`Max-Forwards` is 0: this proxy is the last one that the request reaches")]
    MaxForwards,
    /// A path with a dot segment, an encoded slash or an invalid percent sequence, for a backend
    /// that runs scripts.
    #[error("no script can have the path of the request")]
    Script,
}

impl FieldsError {
    /// Returns the status of the response.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Loop => StatusCode::LOOP_DETECTED,
            Self::MaxForwards => StatusCode::NO_CONTENT,
            Self::Script => StatusCode::NOT_FOUND,
        }
    }
}

/// Room for the fields that are added to those of a client, in bytes.
const ADDED: usize = 256;

impl Forwarding<'_> {
    /// Returns the head for the backend. `upgrades` says that the connection may continue with the
    /// protocol that the client asks for.
    ///
    /// # Errors
    /// [`FieldsError`] if the request must not be passed on.
    pub fn request(&self, upgrades: bool) -> Result<RequestHead, FieldsError> {
        let received = &self.head.fields;
        if via::is_loop(received, self.inbound.name) {
            return Err(FieldsError::Loop);
        }
        let mut fields = FieldsBuilder::with_capacity(received.as_bytes().len() + ADDED);
        // A field that was received is valid, so that it can be written too.
        let _ = fields.push("Host", self.host().as_bytes());
        self.copy(&mut fields);
        if let Some(left) = self.max_forwards()? {
            let _ = fields.push("Max-Forwards", left.to_string());
        }
        self.add_client(&mut fields);
        let via = via::entry(self.head.version, self.inbound.name);
        let _ = fields.push_parts("Via", &via);
        let mut fields = fields.finish();
        self.set_authorized(&mut fields);
        self.set_configured(&mut fields);
        self.add_connection(&mut fields, upgrades);
        Ok(RequestHead {
            method: self.head.method.clone(),
            target: self.target(),
            version: Version::HTTP_11,
            fields,
        })
    }

    /// The host that the client asked for (RFC 9112 section 3.2.2: that of an absolute target
    /// replaces `Host`), or else that of the backend.
    fn host(&self) -> Cow<'_, str> {
        match self.authority() {
            [] => self.backend.authority().into(),
            authority => String::from_utf8_lossy(authority),
        }
    }

    /// Copies the fields that are for the backend.
    fn copy(&self, fields: &mut FieldsBuilder) {
        let received = &self.head.fields;
        let hop_by_hop = HopByHop::of(received);
        let is_trusted = self.inbound.is_from_trusted();
        let counts = self.counts_forwards();
        fields.extend_if(received, |name, _| {
            let is_own = name.eq_ignore_ascii_case("host")
                || (counts && name.eq_ignore_ascii_case("max-forwards"))
                || is_rewritten(name);
            let is_claim = !is_trusted && forwarded::is_about_client(name);
            !is_own && !is_claim && !hop_by_hop.contains(name)
        });
    }

    /// Whether `Max-Forwards` counts (RFC 9110 section 7.6.2: for TRACE and OPTIONS).
    fn counts_forwards(&self) -> bool {
        matches!(self.head.method, Method::TRACE | Method::OPTIONS)
    }

    /// Returns the new value of `Max-Forwards`.
    fn max_forwards(&self) -> Result<Option<u64>, FieldsError> {
        if !self.counts_forwards() {
            return Ok(None);
        }
        let value = self.head.fields.get("max-forwards");
        let number = value.and_then(|value| str::from_utf8(value).ok()?.parse::<u64>().ok());
        match number {
            Some(0) => Err(FieldsError::MaxForwards),
            number => Ok(number.map(|number| number - 1)),
        }
    }

    /// Sets the fields of the server that has allowed the request. Those of the client with these
    /// names never pass.
    fn set_authorized(&self, fields: &mut Fields) {
        let auth = self.route.auth.iter();
        for name in auth.flat_map(|auth| &auth.copy_fields) {
            remove(fields, name);
            if let Some(value) = self.inbound.authorized.and_then(|given| given.get(name)) {
                // It was valid when it came in.
                let _ = fields.push(name, value);
            }
        }
    }

    /// Sets the fields of the configuration; a field whose value is empty is not sent.
    fn set_configured(&self, fields: &mut Fields) {
        for field in &self.route.set_fields {
            let value = self.render(&field.value);
            remove(fields, &field.name);
            if !value.is_empty() {
                // A value that cannot be a field is left out.
                let _ = fields.push(&field.name, value);
            }
        }
        if !fields.contains("host") {
            // RFC 9112 section 3.2: each request has `Host`.
            let _ = fields.push("Host", self.backend.authority());
        }
    }

    /// Adds what belongs to the connection to the backend.
    fn add_connection(&self, fields: &mut Fields, upgrades: bool) {
        let mut options = Vec::new();
        if upgrades {
            let protocol = self.head.fields.get("upgrade").unwrap_or_default();
            let _ = fields.push("Upgrade", protocol);
            options.push("Upgrade");
        }
        // Section 10.1.4: trailers are passed on, and "a sender of TE MUST also send a "TE"
        // connection option".
        if self.head.fields.list_contains("te", "trailers") {
            let _ = fields.push("TE", "trailers");
            options.push("TE");
        }
        if !options.is_empty() {
            let _ = fields.push("Connection", options.join(", "));
        }
    }
}

/// Removes a field, also under names that are the same for some programs: with `X_User`, a client
/// could pretend to be the proxy that sets `X-User`.
pub(crate) fn remove(fields: &mut Fields, name: &str) {
    let same = fields.iter().map(|(other, _)| other);
    let same = same.filter(|other| forwarded::is_same_name(other, name));
    let same: Vec<String> = same.map(str::to_owned).collect();
    for name in &same {
        fields.remove(name);
    }
}

/// Whether a field has been replaced by one of [`Forwarding::add_client`], in any case.
fn is_rewritten(name: &str) -> bool {
    const NAMES: [&str; 5] = [
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-prefix",
        "x-forwarded-proto",
    ];
    NAMES.iter().any(|own| forwarded::is_same_name(name, own))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::testing::{Setting, head, lines};

    /// The fields that a backend gets, without those about the client.
    fn sent(setting: &Setting, request: &str) -> String {
        let head = setting.request(request).unwrap();
        lines(&head.fields, |name| !forwarded::is_about_client(name))
    }

    #[test]
    fn fields_of_one_connection_are_not_passed_on() {
        // RFC 9110, 7.6.1: "Intermediaries MUST parse a received Connection header field before a
        // message is forwarded".
        let request = "GET / HTTP/1.1\r\nHost: a\r\nAccept: x\r\nConnection: keep-alive, X-Own\r\n\
                       X-Own: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\n\
                       Proxy-Authorization: Basic x\r\nTE: trailers, gzip\r\n\
                       Upgrade: websocket\r\nCookie: a=b\r\nCookie: c=d\r\n\r\n";
        let expected = "\
Host: a
Accept: x
Cookie: a=b
Cookie: c=d
Via: 1.1 edge
TE: trailers
Connection: TE
";
        assert_eq!(sent(&Setting::new("http://b:1"), request), expected);
    }

    #[test]
    fn what_the_proxy_says_cannot_be_removed_by_the_client() {
        let request = "GET / HTTP/1.1\r\nHost: a\r\n\
                       Connection: host, via, x-forwarded-for, forwarded\r\n\r\n";
        let head = Setting::new("http://b:1").request(request).unwrap();
        for name in ["host", "via", "x-forwarded-for", "forwarded"] {
            assert!(head.fields.contains(name), "{name}");
        }
    }

    #[test]
    fn an_upgrade_is_asked_for_anew() {
        let request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, X\r\nX: y\r\n\
                       Upgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n";
        let sent = Setting::new("http://b:1").request_and(request, |forwarding| {
            let head = forwarding.request(true).unwrap();
            lines(&head.fields, |name| !forwarded::is_about_client(name))
        });
        let expected = "\
Host: a
Sec-WebSocket-Key: k
Via: 1.1 edge
Upgrade: websocket
Connection: Upgrade
";
        assert_eq!(sent, expected);
    }

    #[test]
    fn the_host_is_that_of_the_target() {
        let rows = [
            ("GET / HTTP/1.1\r\nHost: a:8080\r\n\r\n", "Host: a:8080\n"),
            ("GET http://b:2/ HTTP/1.1\r\nHost: a\r\n\r\n", "Host: b:2\n"),
            ("GET / HTTP/1.0\r\n\r\n", "Host: backend:9\n"),
        ];
        for (request, expected) in rows {
            let sent = sent(&Setting::new("http://backend:9"), request);
            assert!(sent.starts_with(expected), "{request}: {sent}");
            assert_eq!(sent.matches("Host:").count(), 1, "{sent}");
        }
    }

    #[test]
    fn fields_of_the_configuration_replace_those_of_the_request() {
        let setting = Setting::new("http://b:1")
            .with("host", "$host")
            .with("X-Own", "a $scheme")
            .with("Cookie", "")
            .with("X-Forwarded-For", "$remote_addr");
        let request = "GET / HTTP/1.1\r\nHost: A.local:8080\r\nx-own: 1\r\nX-OWN: 2\r\n\
                       X_Own: 3\r\nCookie: a=b\r\n\r\n";
        let head = setting.request(request).unwrap();
        let all = |name| head.fields.get_all(name).collect::<Vec<_>>();
        assert_eq!(all("host"), [b"a.local"]);
        assert_eq!(all("x-own"), [b"a http"]);
        assert_eq!(all("x_own").len(), 0);
        assert_eq!(all("cookie").len(), 0);
        assert_eq!(all("x-forwarded-for"), [b"192.0.2.7"]);
        // Without a value there is another one: no request goes without `Host`.
        let setting = Setting::new("http://b:1").with("Host", "$http_none");
        let head = setting.request(request).unwrap();
        assert_eq!(head.fields.get("host"), Some(&b"b:1"[..]));
    }

    #[test]
    fn a_loop_is_refused() {
        let request = "GET / HTTP/1.1\r\nHost: a\r\nVia: 1.1 other, 1.1 edge\r\n\r\n";
        let refused = Setting::new("http://b:1").request(request);
        assert_eq!(refused, Err(FieldsError::Loop));
        assert_eq!(FieldsError::Loop.status(), 508);
    }

    #[test]
    fn forwards_are_counted_down_for_two_methods() {
        // RFC 9110, 7.6.2: "If the received Max-Forwards value is zero, the intermediary MUST NOT
        // forward the request".
        let ask = |method: &str, value: &str| {
            let request =
                format!("{method} / HTTP/1.1\r\nHost: a\r\nMax-Forwards: {value}\r\n\r\n");
            let head = Setting::new("http://b:1").request(&request)?;
            let value = head.fields.get("max-forwards").map(<[u8]>::to_vec);
            Ok(value.map(|value| String::from_utf8(value).unwrap()))
        };
        assert_eq!(ask("OPTIONS", "0"), Err(FieldsError::MaxForwards));
        assert_eq!(ask("TRACE", "3"), Ok(Some("2".to_owned())));
        assert_eq!(ask("OPTIONS", "x"), Ok(None));
        assert_eq!(ask("GET", "0"), Ok(Some("0".to_owned())));
    }

    #[test]
    fn a_head_of_the_largest_size_is_read_in_little_time() {
        let names: Vec<_> = (0..4000).map(|index| format!("x{index}")).collect();
        let mut request = format!(
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: {}\r\n",
            names.join(",")
        );
        for index in 0..90 {
            request.push_str(&format!("y{index}: z\r\n"));
        }
        request.push_str("\r\n");
        let (setting, head) = (Setting::new("http://b:1"), head(&request));
        let began = std::time::Instant::now();
        setting.request(&request).unwrap();
        assert!(began.elapsed() < std::time::Duration::from_secs(2));
        assert_eq!(head.fields.len(), 92);
    }
}
