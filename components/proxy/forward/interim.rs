//! Interim responses of a backend (RFC 9110 section 15.2): "A proxy MUST forward 1xx responses
//! unless the proxy itself requested the generation of the 1xx response."

use std::cell::Cell;

use http::Version;
use kamea::Outbox;
use kamea_components::http::{ReceivedHead, ResponseHead};
use kamea_components::web::{Exchange, Notice};

use crate::fields::Forwarding;

/// How many interim responses are passed on each time a request is sent to a backend. No backend
/// keeps its client busy with more.
const MOST: u32 = 16;

/// Passes the interim responses of one attempt on to the client.
pub(super) struct Interim<'a> {
    exchange: Exchange,
    notices: Option<&'a Outbox<Notice>>,
    forwarding: &'a Forwarding<'a>,
    sent: Cell<u32>,
}

impl<'a> Interim<'a> {
    pub(super) const fn new(
        exchange: Exchange,
        notices: Option<&'a Outbox<Notice>>,
        forwarding: &'a Forwarding<'a>,
    ) -> Self {
        Self {
            exchange,
            notices,
            forwarding,
            sent: Cell::new(0),
        }
    }

    /// Passes one on, unless the client speaks HTTP/1.0 or has got enough of them.
    pub(super) fn pass_on(&self, head: &ReceivedHead) {
        let Some(notices) = self.notices else { return };
        if self.exchange.version == Version::HTTP_10 || self.sent.get() >= MOST {
            return;
        }
        self.sent.set(self.sent.get() + 1);
        let fields = self.forwarding.response(&head.fields, head.version, false);
        let head = Box::new(ResponseHead {
            fields,
            is_forwarded: true,
            ..ResponseHead::new(head.status)
        });
        let exchange = self.exchange;
        // They are hints: one for which the encoder has no room is left out.
        let _ = notices.try_send(Notice::Interim { exchange, head });
    }
}
