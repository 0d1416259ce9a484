//! A store of sessions in encrypted cookies, at the client: the server keeps nothing.
//!
//! ```text
//! sid     = encrypted { key of the session, when it began, user }   set by a beginning, a login
//! sid.!   = encrypted time of use                                   set now and then
//! sid.cart, sid.visits, ... = encrypted values                      set one by one
//! ```
//!
//! Each value has a cookie of its own, so that two responses do not overwrite each other's changes:
//! the client is the table of values. Values are encrypted for the key of their session, and the
//! cookie `sid` is set only when a session begins or gets a new name. So a slow response cannot
//! bring a session back that has ended meanwhile.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use kamea::time::wall_clock;
use kamea::{Call, Component};
use serde::{Deserialize, Serialize};

use crate::session::is_value_name;
use crate::{
    Answer, Answered, Command, Keys, Lifetimes, Loaded, Outcome, SessionId, SessionKey,
    StoreCookie, StoreError, StorePorts,
};

/// The longest value, in bytes: encrypted, it must fit into a cookie.
const LONGEST: usize = 2900;

/// The cookie with the time of use. No value has this name.
const USED: &str = "!";

/// Keeps sessions in encrypted cookies: for a few small values, where no server can keep them.
///
/// What only a server can do is missing: a copy of the cookies stays valid until the session's
/// absolute age, also after a logout; nobody logs out everywhere; and if two requests change the
/// same value at the same time, the last response wins.
///
/// # Examples
///
/// ```
/// use kamea::Graph;
/// use kamea_session::{Keys, Lifetimes, SessionOptions, Sessions, keep_in_cookies};
///
/// let keys = Keys::new("a long text from a file that only the server reads")?;
/// let store = keep_in_cookies(keys, Lifetimes::default());
/// let mut graph = Graph::new("sessions");
/// let sessions = Sessions::add(&mut graph, store, SessionOptions::default());
/// # let _ = sessions;
/// # Ok::<(), kamea_session::WeakSecret>(())
/// ```
pub fn keep_in_cookies(
    keys: Keys,
    lifetimes: Lifetimes,
) -> impl Component<StorePorts> + Clone + Send + Sync {
    async move |io: &mut StorePorts| {
        while let Some(Call { request, reply }) = io.inbox.next().await {
            reply.send(apply(request, &keys, lifetimes, wall_clock()));
        }
        Ok(())
    }
}

/// What the server must know of a session in the next command. It is the text of the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Ticket {
    /// What the values are encrypted for.
    family: String,
    /// Milliseconds since 1970.
    created: u64,
    user: Option<String>,
}

impl Ticket {
    fn of(key: &SessionKey) -> Option<Self> {
        serde_json::from_str(key.as_str()).ok()
    }

    fn text(&self) -> String {
        // A struct of texts and numbers can always be written.
        serde_json::to_string(self).unwrap_or_default()
    }

    fn named(&self, keys: &Keys) -> Result<Answer, StoreError> {
        let text = self.text();
        let id = SessionId::parse(&keys.seal("session", &text));
        Ok(Answer::Named {
            key: SessionKey::new(text),
            id: id.ok_or(StoreError::TooLarge { limit: LONGEST })?,
        })
    }

    /// For what a cookie is encrypted: the same value of another session is worth nothing.
    fn purpose(&self, name: &str) -> String {
        format!("{}.{name}", self.family)
    }

    fn is_over(&self, seen: u64, lifetimes: Lifetimes, now: u64) -> bool {
        let since = |moment: u64| u128::from(now.saturating_sub(moment));
        since(self.created) >= lifetimes.absolute.as_millis()
            || since(seen) >= lifetimes.idle.as_millis()
    }

    fn cookie(&self, keys: &Keys, name: &str, value: &str) -> StoreCookie {
        StoreCookie {
            name: name.to_owned(),
            value: Some(keys.seal(&self.purpose(name), value)),
        }
    }
}

fn apply(command: Command, keys: &Keys, lifetimes: Lifetimes, now: SystemTime) -> Outcome {
    let now = now
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis();
    let now = u64::try_from(now).unwrap_or(u64::MAX);
    let live = |key: &SessionKey| {
        // The time of use was checked when the request arrived.
        Ticket::of(key).filter(|ticket| !ticket.is_over(now, lifetimes, now))
    };
    let (key, name, value) = match command {
        Command::Load { id, cookies } => return Ok(load(&id, cookies, keys, lifetimes, now)),
        Command::Create => {
            let ticket = Ticket {
                family: SessionKey::random().as_str().to_owned(),
                created: now,
                user: None,
            };
            return Ok(ticket.named(keys)?.into());
        }
        Command::Rotate { key, user } => {
            let Some(ticket) = live(&key) else {
                return Ok(Answer::Ended.into());
            };
            let user = user.or(ticket.user);
            return Ok(Ticket { user, ..ticket }.named(keys)?.into());
        }
        Command::End { .. } => {
            return Ok(Answered {
                answer: Answer::Ended,
                cookies: vec![removed(USED)],
            });
        }
        Command::EndAll { .. } => {
            return Err(StoreError::Unsupported("end the sessions on other devices"));
        }
        Command::Set { key, name, value } => (key, name, Some(value)),
        Command::Replace { key, name, new, .. } => (key, name, Some(new)),
        Command::Remove { key, name } => (key, name, None),
    };
    let Some(ticket) = live(&key) else {
        return Ok(Answer::Ended.into());
    };
    let cookie = match value {
        Some(value) if value.len() > LONGEST => {
            return Err(StoreError::TooLarge { limit: LONGEST });
        }
        Some(value) => ticket.cookie(keys, &name, &value),
        None => removed(&name),
    };
    Ok(Answered {
        answer: Answer::Applied,
        cookies: vec![cookie],
    })
}

fn load(
    id: &SessionId,
    cookies: Vec<(String, String)>,
    keys: &Keys,
    lifetimes: Lifetimes,
    now: u64,
) -> Answered {
    let text = keys.open("session", id.as_str());
    let ticket = text.and_then(|text| serde_json::from_str::<Ticket>(&text).ok());
    let Some(ticket) = ticket else {
        return Answer::Loaded(None).into();
    };
    let (mut values, mut stale) = (BTreeMap::new(), Vec::new());
    // Nobody else's names: the client would not be able to remove them.
    let is_own = |name: &str| name == USED || is_value_name(name);
    for (name, sealed) in cookies.into_iter().filter(|(name, _)| is_own(name)) {
        match keys.open(&ticket.purpose(&name), &sealed) {
            Some(value) => drop(values.insert(name, value)),
            // Of a session that has ended, or of a key that is no longer known.
            None => stale.push(removed(&name)),
        }
    }
    // Another host of the domain may have set a second cookie of this name.
    stale.retain(|cookie: &StoreCookie| !values.contains_key(&cookie.name));
    let used = values.remove(USED).and_then(|used| used.parse().ok());
    let seen = used.unwrap_or(0).max(ticket.created);
    if ticket.is_over(seen, lifetimes, now) {
        return Answer::Loaded(None).into();
    }
    // Not with each response.
    if u128::from(now.saturating_sub(seen)) >= lifetimes.idle.as_millis() / 50 {
        stale.retain(|cookie| cookie.name != USED);
        stale.push(ticket.cookie(keys, USED, &now.to_string()));
    }
    let key = SessionKey::new(ticket.text());
    let user = ticket.user;
    Answered {
        answer: Answer::Loaded(Some(Box::new(Loaded { key, values, user }))),
        cookies: stale,
    }
}

fn removed(name: &str) -> StoreCookie {
    StoreCookie {
        name: name.to_owned(),
        value: None,
    }
}

#[cfg(test)]
mod tests;
