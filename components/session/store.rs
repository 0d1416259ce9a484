//! The messages between sessions and their store, and the handle that sends them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use kamea::{Asker, Call, Component, Graph, Part, Sink};

use crate::{SessionError, SessionId, SessionKey, SessionOptions};

/// The ports of a store of sessions.
pub type StorePorts = Sink<Call<Command, Outcome>>;

/// A store of sessions: a component that answers [`Command`]s. It applies them one by one, in the
/// order of their arrival. It drops changes to a session that has ended, and says so.
pub trait Store: Component<StorePorts> {}

impl<C: Component<StorePorts>> Store for C {}

/// The answer of a store.
pub type Outcome = Result<Answered, StoreError>;

/// A question to a store. Names and values of a session are texts; values are JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// Loads a session, and notes its use: [`Answer::Loaded`].
    Load {
        /// The name that the client has sent.
        id: SessionId,
        /// The cookies of the store itself: see [`StoreCookie`].
        cookies: Vec<(String, String)>,
    },
    /// Creates a session: [`Answer::Named`].
    Create,
    /// Sets a value: [`Answer::Applied`] or [`Answer::Ended`].
    Set {
        /// The session.
        key: SessionKey,
        /// The name of the value.
        name: String,
        /// The value.
        value: String,
    },
    /// Sets a value if it is still `old`: [`Answer::Applied`], [`Answer::Differs`] or
    /// [`Answer::Ended`].
    Replace {
        /// The session.
        key: SessionKey,
        /// The name of the value.
        name: String,
        /// The value as the caller knows it.
        old: Option<String>,
        /// The new value.
        new: String,
    },
    /// Removes a value: [`Answer::Applied`], [`Answer::Differs`] if there is none, or
    /// [`Answer::Ended`].
    Remove {
        /// The session.
        key: SessionKey,
        /// The name of the value.
        name: String,
    },
    /// Gives a session a new [`SessionId`]; the old one is worth nothing from then on:
    /// [`Answer::Named`] or [`Answer::Ended`].
    Rotate {
        /// The session.
        key: SessionKey,
        /// The user who has logged in, if that is the reason.
        user: Option<String>,
    },
    /// Ends a session: [`Answer::Ended`].
    End {
        /// The session.
        key: SessionKey,
    },
    /// Ends all sessions of a user: [`Answer::Ended`].
    EndAll {
        /// The user.
        user: String,
    },
}

/// What a store says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// The session; `None` if there is none of that name, or it has expired.
    Loaded(Option<Box<Loaded>>),
    /// The client that sent this name gets another one at this moment, because it has just logged
    /// in. The request has no session, and cannot begin one.
    Retired,
    /// The session has this name now.
    Named {
        /// The session.
        key: SessionKey,
        /// The name for the client.
        id: SessionId,
    },
    /// It is done.
    Applied,
    /// The value is another one.
    Differs(Option<String>),
    /// The session has ended: nothing was changed.
    Ended,
}

/// A session as it is in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// Its key.
    pub key: SessionKey,
    /// Its values, by name.
    pub values: BTreeMap<String, String>,
    /// The user who has logged in.
    pub user: Option<String>,
}

/// An answer, and the cookies that the client must get with the response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The answer.
    pub answer: Answer,
    /// The store's own cookies.
    pub cookies: Vec<StoreCookie>,
}

/// A cookie in which a store keeps something at the client. Its name begins with the name of the
/// session's cookie and a dot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreCookie {
    /// The rest of its name.
    pub name: String,
    /// Its value; `None` removes it.
    pub value: Option<String>,
}

impl From<Answer> for Answered {
    fn from(answer: Answer) -> Self {
        Self {
            answer,
            cookies: Vec::new(),
        }
    }
}

/// Why a store has not answered a command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database cannot be reached, or has failed.
    #[error("the store of sessions is not available: {0}")]
    Unavailable(String),
    /// A value does not fit into the store.
    #[error("the value is too large for the store of sessions, which takes up to {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The store cannot do this.
    #[error("this store of sessions cannot {0}")]
    Unsupported(&'static str),
}

/// The sessions of a site: where they are stored, and how clients get them.
#[derive(Clone)]
pub struct Sessions {
    asker: Asker<Command, Outcome>,
    pub(crate) options: Arc<SessionOptions>,
}

impl Sessions {
    /// Adds a store to a graph, under the name `sessions`.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea::Graph;
    /// use kamea_session::{MemoryOptions, SessionOptions, Sessions, keep_in_memory};
    ///
    /// let mut graph = Graph::new("sessions");
    /// let store = keep_in_memory(MemoryOptions::default());
    /// let sessions = Sessions::add(&mut graph, store, SessionOptions::default());
    /// # let _ = sessions;
    /// ```
    #[track_caller]
    pub fn add<Kind>(
        graph: &mut Graph,
        store: impl Part<StorePorts, Kind>,
        options: SessionOptions,
    ) -> Self {
        Self::new(graph.ask("sessions", store), options)
    }

    /// The sessions of a store that is already in a graph.
    pub fn new(store: Asker<Command, Outcome>, options: SessionOptions) -> Self {
        Self {
            asker: store,
            options: Arc::new(options),
        }
    }

    /// Ends all sessions of a user, on all devices: after a change of the password, for example.
    ///
    /// # Errors
    ///
    /// [`SessionError`], if the store has not done it.
    pub async fn end_all(&self, user: &str) -> Result<(), SessionError> {
        let user = user.to_owned();
        self.ask(Command::EndAll { user }).await.map(drop)
    }

    pub(crate) async fn ask(&self, command: Command) -> Result<Answered, SessionError> {
        Ok(self.asker.ask(command).await??)
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").finish_non_exhaustive()
    }
}
