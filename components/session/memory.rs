//! A store of sessions in the memory of the process.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, SystemTime};

use kamea::time::wall_clock;
use kamea::{Call, Component};

use crate::{
    Answer, Answered, Command, Digest, Lifetimes, Loaded, SessionId, SessionKey, StorePorts,
};

/// How sessions are kept in memory.
#[derive(Debug, Clone, Copy)]
pub struct MemoryOptions {
    /// How long sessions live.
    pub lifetimes: Lifetimes,
    /// The limit of sessions. With one more, an anonymous session that has not been used for
    /// longest ends, and only without any the session of a user.
    pub most: usize,
}

impl Default for MemoryOptions {
    fn default() -> Self {
        Self {
            lifetimes: Lifetimes::default(),
            most: 100_000,
        }
    }
}

/// For how long an old name of a session is remembered: requests with it that were sent before the
/// client knew the new name must not begin a session of their own.
const RETIRED: Duration = Duration::from_secs(60);

/// Keeps sessions in the memory of the process. They end with it.
///
/// # Examples
///
/// ```
/// use kamea::Graph;
/// use kamea_session::{MemoryOptions, SessionOptions, Sessions, keep_in_memory};
///
/// let mut graph = Graph::new("sessions");
/// let options = MemoryOptions { most: 1000, ..MemoryOptions::default() };
/// let sessions = Sessions::add(&mut graph, keep_in_memory(options), SessionOptions::default());
/// # let _ = sessions;
/// ```
pub fn keep_in_memory(options: MemoryOptions) -> impl Component<StorePorts> + Clone + Send + Sync {
    async move |io: &mut StorePorts| {
        let mut memory = Memory::new(options);
        while let Some(Call { request, reply }) = io.inbox.next().await {
            reply.send(Ok(memory.apply(request, wall_clock())));
        }
        Ok(())
    }
}

/// The sessions of [`keep_in_memory`], without a component: a table that applies commands.
#[derive(Debug)]
pub struct Memory {
    options: MemoryOptions,
    by_key: HashMap<SessionKey, StoredSession>,
    by_id: HashMap<Digest, SessionKey>,
    by_user: HashMap<String, BTreeSet<SessionKey>>,
    /// The sessions in the order in which they would be given up.
    order: BTreeSet<(bool, SystemTime, SessionKey)>,
    /// Old names, with the time until which they are remembered.
    retired: HashMap<Digest, SystemTime>,
    retired_order: BTreeSet<(SystemTime, Digest)>,
}

#[derive(Debug)]
struct StoredSession {
    id: Digest,
    values: BTreeMap<String, String>,
    user: Option<String>,
    created: SystemTime,
    seen: SystemTime,
}

impl Memory {
    /// Makes an empty table.
    #[must_use]
    pub fn new(options: MemoryOptions) -> Self {
        Self {
            options,
            by_key: HashMap::new(),
            by_id: HashMap::new(),
            by_user: HashMap::new(),
            order: BTreeSet::new(),
            retired: HashMap::new(),
            retired_order: BTreeSet::new(),
        }
    }

    /// The number of sessions, those that have expired unnoticed among them.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Whether there is no session.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// Applies a command.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::SystemTime;
    /// use kamea_session::{Answer, Command, Memory, MemoryOptions};
    ///
    /// let now = SystemTime::now();
    /// let mut memory = Memory::new(MemoryOptions::default());
    /// let Answer::Named { key, .. } = memory.apply(Command::Create, now).answer else { panic!() };
    /// memory.apply(Command::End { key: key.clone() }, now);
    /// let set = Command::Set { key, name: "a".into(), value: "1".into() };
    /// assert_eq!(memory.apply(set, now).answer, Answer::Ended);
    /// ```
    pub fn apply(&mut self, command: Command, now: SystemTime) -> Answered {
        let answer = match command {
            Command::Load { id, .. } => self.load(id.digest(), now),
            Command::Create => self.create(now),
            Command::Set { key, name, value } => self.change(&key, now, |values| {
                values.insert(name, value);
                Answer::Applied
            }),
            Command::Replace {
                key,
                name,
                old,
                new,
            } => self.change(&key, now, |values| match values.get(&name) {
                present if present == old.as_ref() => {
                    values.insert(name, new);
                    Answer::Applied
                }
                present => Answer::Differs(present.cloned()),
            }),
            Command::Remove { key, name } => {
                self.change(&key, now, |values| match values.remove(&name) {
                    Some(_) => Answer::Applied,
                    None => Answer::Differs(None),
                })
            }
            Command::Rotate { key, user } => self.rotate(key, user, now),
            Command::End { key } => {
                self.end(&key);
                Answer::Ended
            }
            Command::EndAll { user } => {
                for key in self.by_user.remove(&user).unwrap_or_default() {
                    self.end(&key);
                }
                Answer::Ended
            }
        };
        answer.into()
    }

    fn load(&mut self, id: Digest, now: SystemTime) -> Answer {
        let Some(key) = self.by_id.get(&id).cloned() else {
            let until = self.retired.get(&id);
            return match until.is_some_and(|until| now < *until) {
                true => Answer::Retired,
                false => Answer::Loaded(None),
            };
        };
        if !self.is_live(&key, now) {
            return Answer::Loaded(None);
        }
        self.touch(&key, now);
        Answer::Loaded(self.by_key.get(&key).map(|kept| {
            Box::new(Loaded {
                values: kept.values.clone(),
                user: kept.user.clone(),
                key,
            })
        }))
    }

    fn create(&mut self, now: SystemTime) -> Answer {
        while self.by_key.len() >= self.options.most.max(1) {
            let Some((_, _, first)) = self.order.first().cloned() else {
                break;
            };
            self.end(&first);
        }
        let (key, id) = (SessionKey::random(), SessionId::random());
        let kept = StoredSession {
            id: id.digest(),
            values: BTreeMap::new(),
            user: None,
            created: now,
            seen: now,
        };
        self.by_id.insert(kept.id, key.clone());
        self.order.insert((false, now, key.clone()));
        self.by_key.insert(key.clone(), kept);
        Answer::Named { key, id }
    }

    fn change(
        &mut self,
        key: &SessionKey,
        now: SystemTime,
        change: impl FnOnce(&mut BTreeMap<String, String>) -> Answer,
    ) -> Answer {
        if !self.is_live(key, now) {
            return Answer::Ended;
        }
        let kept = self.by_key.get_mut(key);
        kept.map_or(Answer::Ended, |kept| change(&mut kept.values))
    }

    fn rotate(&mut self, key: SessionKey, user: Option<String>, now: SystemTime) -> Answer {
        if !self.is_live(&key, now) {
            return Answer::Ended;
        }
        let Some(kept) = self.by_key.get_mut(&key) else {
            return Answer::Ended;
        };
        let id = SessionId::random();
        let old = std::mem::replace(&mut kept.id, id.digest());
        self.by_id.remove(&old);
        self.by_id.insert(kept.id, key.clone());
        if let Some(user) = user {
            self.order
                .remove(&(kept.user.is_some(), kept.seen, key.clone()));
            if let Some(former) = kept.user.replace(user.clone()) {
                forget(&mut self.by_user, &former, &key);
            }
            self.order.insert((true, kept.seen, key.clone()));
            self.by_user.entry(user).or_default().insert(key.clone());
        }
        self.retire(old, now);
        Answer::Named { key, id }
    }

    /// Remembers an old name for a while.
    fn retire(&mut self, id: Digest, now: SystemTime) {
        let until = now + RETIRED;
        self.retired.insert(id, until);
        self.retired_order.insert((until, id));
        while let Some(&(until, id)) = self.retired_order.first()
            && (until <= now || self.retired.len() > self.options.most)
        {
            self.retired_order.pop_first();
            self.retired.remove(&id);
        }
    }

    /// Whether a session exists; one that has expired ends here.
    fn is_live(&mut self, key: &SessionKey, now: SystemTime) -> bool {
        let Lifetimes { idle, absolute } = self.options.lifetimes;
        let is_live = self.by_key.get(key).is_some_and(|kept| {
            // A clock that was set back ends nothing.
            let age = now.duration_since(kept.created).unwrap_or_default();
            age < absolute && now.duration_since(kept.seen).unwrap_or_default() < idle
        });
        if !is_live {
            self.end(key);
        }
        is_live
    }

    fn touch(&mut self, key: &SessionKey, now: SystemTime) {
        if let Some(kept) = self.by_key.get_mut(key) {
            self.order
                .remove(&(kept.user.is_some(), kept.seen, key.clone()));
            kept.seen = kept.seen.max(now);
            self.order
                .insert((kept.user.is_some(), kept.seen, key.clone()));
        }
    }

    fn end(&mut self, key: &SessionKey) {
        let Some(kept) = self.by_key.remove(key) else {
            return;
        };
        self.by_id.remove(&kept.id);
        self.order
            .remove(&(kept.user.is_some(), kept.seen, key.clone()));
        if let Some(user) = kept.user {
            forget(&mut self.by_user, &user, key);
        }
    }
}

fn forget(by_user: &mut HashMap<String, BTreeSet<SessionKey>>, user: &str, key: &SessionKey) {
    if let Some(keys) = by_user.get_mut(user) {
        keys.remove(key);
        if keys.is_empty() {
            by_user.remove(user);
        }
    }
}

#[cfg(test)]
mod tests;
