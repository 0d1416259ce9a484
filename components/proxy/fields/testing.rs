//! Requests and responses for the tests of fields.

use std::net::SocketAddr;

use kamea_components::http::{Event, Fields, Limits, RequestDecoder, RequestHead};

use super::{FieldsError, Forwarding, Inbound};
use crate::plan::{Backend, Network, Route, SetField};

/// A proxy with one route to one backend.
pub(super) struct Setting {
    pub(super) peer: SocketAddr,
    pub(super) is_tls: bool,
    pub(super) trusted: Vec<Network>,
    pub(super) route: Route,
    pub(super) backend: Backend,
}

impl Setting {
    pub(super) fn new(backend: &str) -> Self {
        let backend = Backend::parse(backend).unwrap();
        Self {
            peer: "192.0.2.7:5555".parse().unwrap(),
            is_tls: false,
            trusted: Vec::new(),
            route: Route::to([backend.clone()]),
            backend,
        }
    }

    /// With a field of the configuration.
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.route.set_fields.push(SetField {
            name: name.to_owned(),
            value: value.parse().unwrap(),
        });
        self
    }

    /// What a backend gets for these bytes.
    pub(super) fn request(&self, bytes: &str) -> Result<RequestHead, FieldsError> {
        self.request_and(bytes, |forwarding| forwarding.request(false))
    }

    /// Calls `then` with the forwarding of a request to `http://a.local/`.
    pub(super) fn forwarding<T>(&self, then: impl FnOnce(&Forwarding<'_>) -> T) -> T {
        self.request_and("GET / HTTP/1.1\r\nHost: a.local\r\n\r\n", then)
    }

    pub(super) fn request_and<T>(&self, bytes: &str, then: impl FnOnce(&Forwarding<'_>) -> T) -> T {
        let head = head(bytes);
        let mut inbound = Inbound::new(self.peer, 8080, "edge");
        inbound.is_tls = self.is_tls;
        inbound.trusted = &self.trusted;
        inbound.id = 0xabc;
        then(&Forwarding::new(
            &head,
            &inbound,
            &self.route,
            &self.backend,
        ))
    }
}

pub(super) fn head(bytes: &str) -> RequestHead {
    let mut decoder = RequestDecoder::new(Limits::default());
    decoder.feed(bytes.to_owned().into());
    match decoder.next() {
        Ok(Some(Event::Head(head, _))) => head,
        other => panic!("{bytes}: {other:?}"),
    }
}

/// Shows the fields with a name that `is_shown` accepts.
pub(super) fn lines(fields: &Fields, is_shown: impl Fn(&str) -> bool) -> String {
    let shown = fields.iter().filter(|(name, _)| is_shown(name));
    let lines = shown.map(|(name, value)| format!("{name}: {}\n", String::from_utf8_lossy(value)));
    lines.collect()
}
