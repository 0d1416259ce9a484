//! What a request knows of its session, without I/O.

use std::collections::BTreeMap;

use kamea_components::http::Fields;
use kamea_components::web::Scheme;

use crate::{Answered, InvalidCookie, SessionId, SessionKey, SessionOptions, StoreCookie};

/// What a request knows of its session.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) phase: Phase,
    /// The values as this request sees them: those that were loaded, and its own changes.
    pub(crate) values: BTreeMap<String, String>,
    pub(crate) user: Option<String>,
    /// The cookie of the session, if the client must get another one; `None` inside removes it.
    id: Option<Option<SessionId>>,
    /// The cookies of the store.
    cookies: Vec<StoreCookie>,
    /// Whether a handler has used the session.
    pub(crate) is_used: bool,
    /// Whether the head of the response has left.
    pub(crate) is_sealed: bool,
}

/// Whether there is a session.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Phase {
    /// The store has not been asked.
    #[default]
    Sent,
    /// There is none. The first value begins one.
    Absent,
    /// There is one.
    Live(SessionKey),
    /// It has ended while this request was running, or has got another name: changes are dropped.
    Gone,
}

impl State {
    /// Notes the cookies of an answer. A later cookie of the same name replaces an earlier one.
    pub(crate) fn note(&mut self, answered: &Answered) {
        for cookie in &answered.cookies {
            self.cookies.retain(|other| other.name != cookie.name);
            self.cookies.push(cookie.clone());
        }
    }

    /// The session has this name now.
    pub(crate) fn begin(&mut self, key: SessionKey, id: SessionId) {
        self.phase = Phase::Live(key);
        self.id = Some(Some(id));
    }

    /// The session has ended.
    pub(crate) fn end(&mut self, phase: Phase) {
        // If somebody else has ended it, the client has got another cookie, or none, from there.
        if phase != Phase::Gone {
            self.id = Some(None);
        }
        self.phase = phase;
        self.values.clear();
        self.user = None;
    }

    /// Adds what the client must know to the fields of the response. Nothing can be added later.
    /// One invalid cookie does not keep the others from the client.
    pub(crate) fn seal(
        &mut self,
        options: &SessionOptions,
        scheme: Scheme,
        fields: &mut Fields,
    ) -> Result<(), InvalidCookie> {
        self.is_sealed = true;
        if !self.is_used {
            return Ok(());
        }
        let (name, mut sealed) = (options.cookie_name(scheme), Ok(()));
        for cookie in std::mem::take(&mut self.cookies) {
            let name = format!("{name}.{}", cookie.name);
            sealed = sealed.and(options.set(fields, scheme, name, cookie.value));
        }
        if let Some(id) = self.id.take() {
            let text = id.map(|id| options.text(&name, &id));
            sealed = sealed.and(options.set(fields, scheme, name, text));
        }
        // The encoder refuses only framing fields and line breaks.
        if !fields.contains("cache-control") {
            let _ = fields.push("Cache-Control", "no-store");
        }
        if !fields.list_contains("vary", "cookie") {
            let _ = fields.push("Vary", "Cookie");
        }
        sealed
    }
}
