//! The stamp: passes on what goes through a link, and reports what passed and when.

use std::borrow::Cow;
use std::time::Instant;

use http::StatusCode;
use kamea::time::now;
use kamea::{Component, Inbox, LinkEnds, Message, Outbox, Ports};

use crate::web::{Failure, Remark, Request, Response};

/// The ports of [`stamp`].
#[derive(Debug, Ports)]
pub(super) struct StampPorts<T: Message> {
    /// The messages of the link.
    pub(super) messages: Inbox<T>,
    /// The same messages.
    pub(super) passed: Outbox<T>,
    /// A report of each message.
    pub(super) hops: Outbox<Hop>,
}

/// A message that went through a link.
#[derive(Debug)]
pub(in crate::server) struct Hop {
    pub(super) link: LinkEnds,
    pub(super) what: What,
    pub(super) at: Instant,
}

/// The kind of a message that went through a link.
#[derive(Debug)]
pub(super) enum What {
    Request,
    Failure(StatusCode, Cow<'static, str>),
    Response(StatusCode),
    Remark(Remark),
}

/// A message that a stamp can report.
pub(super) trait Stamped: Message {
    fn what(&self) -> What;

    /// When it was sent.
    fn at(&self) -> Instant {
        now()
    }
}

impl Stamped for Request {
    fn what(&self) -> What {
        What::Request
    }
}

impl Stamped for Failure {
    fn what(&self) -> What {
        What::Failure(self.status, self.explanation.clone())
    }
}

impl Stamped for Response {
    fn what(&self) -> What {
        What::Response(self.head.status)
    }
}

impl Stamped for Remark {
    fn what(&self) -> What {
        What::Remark(self.clone())
    }

    /// Its stamp may come later than that of the message which follows it.
    fn at(&self) -> Instant {
        self.at
    }
}

/// Passes on what goes through a link, and reports it.
pub(super) fn stamp<T: Stamped>(
    link: LinkEnds,
) -> impl Component<StampPorts<T>> + Clone + Send + Sync {
    async move |io: &mut StampPorts<T>| {
        while let Some(message) = io.messages.next().await {
            let hop = Hop {
                link: link.clone(),
                what: message.what(),
                at: message.at(),
            };
            // Report first: otherwise the result of the message could arrive before the report.
            io.hops.send(hop).await?;
            io.passed.send(message).await?;
        }
        Ok(())
    }
}
