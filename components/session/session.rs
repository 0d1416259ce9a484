//! The session of a request.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kamea_components::http::Fields;
use kamea_components::web::{Request, Scheme};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::login::FORM_TOKEN;
use crate::state::{Phase, State};
use crate::{
    Answer, Command, Cookies, InvalidCookie, SessionError, SessionId, SessionKey, Sessions,
    StoreError,
};

/// The session of a request. A clone is the same session.
///
/// Reading takes no time: the store is asked once, by [`of`](Self::of). A change goes to the store
/// at once, and the call returns when the store has applied it. If the session has ended meanwhile,
/// by a logout in another request, changes are dropped without an error.
///
/// A session begins with the first value, or with a login.
///
/// # Examples
///
/// ```
/// use kamea_components::web::Request;
/// use kamea_session::{Session, SessionError};
///
/// /// Puts an article into the cart.
/// async fn add(request: Request) -> Result<String, SessionError> {
///     let session = Session::of(&request).await?;
///     let cart = session.update("cart", |cart: Option<Vec<String>>| {
///         let mut cart = cart.unwrap_or_default();
///         cart.push("apple".to_owned());
///         cart
///     });
///     Ok(format!("{} articles\n", cart.await?.len()))
/// }
/// ```
#[derive(Clone)]
pub struct Session(Arc<Inner>);

/// How often a login begins a session, if each one ends before it has its new name.
const LOGIN_TRIES: usize = 3;

struct Inner {
    sessions: Sessions,
    scheme: Scheme,
    /// The name that the client has sent.
    id: Option<SessionId>,
    /// The cookies of the store that the client has sent.
    cookies: Vec<(String, String)>,
    state: Mutex<State>,
    /// Changes of one request happen one after another.
    turn: tokio::sync::Mutex<()>,
}

impl Session {
    /// The limit of values in a session.
    pub const MOST_VALUES: usize = 100;

    /// The limit of a value, in bytes of JSON.
    pub const LONGEST_VALUE: usize = 64 * 1024;

    /// Returns the session of a request, and asks the store for it if that has not happened yet.
    ///
    /// # Errors
    ///
    /// [`SessionError`], if the server has no sessions, or the store is not available.
    pub async fn of(request: &Request) -> Result<Self, SessionError> {
        let session = request.extensions.get::<Self>();
        let session = session.ok_or(SessionError::NoSessions)?.clone();
        session.load().await?;
        Ok(session)
    }

    /// The session that the fields of a request name. The store is not asked.
    pub(crate) fn sent(sessions: Sessions, scheme: Scheme, fields: &Fields) -> Self {
        let (mut id, mut own) = (None, Vec::new());
        if fields.contains("cookie") {
            let cookies = Cookies::of(fields);
            let name = sessions.options.cookie_name(scheme);
            id = cookies
                .only(&name)
                .and_then(|text| sessions.options.id(&name, text));
            let owned = cookies.iter().filter_map(|(other, value)| {
                let rest = other.strip_prefix(&name)?.strip_prefix('.')?;
                Some((rest.to_owned(), value.to_owned()))
            });
            own = owned.collect();
        }
        Self(Arc::new(Inner {
            sessions,
            scheme,
            id,
            cookies: own,
            state: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        }))
    }

    /// Asks the store for the session, unless that has happened.
    pub(crate) async fn load(&self) -> Result<(), SessionError> {
        let _turn = self.0.turn.lock().await;
        self.state().is_used = true;
        if self.state().phase != Phase::Sent {
            return Ok(());
        }
        let Some(id) = self.0.id.clone() else {
            self.state().phase = Phase::Absent;
            return Ok(());
        };
        let cookies = self.0.cookies.clone();
        let answered = self.0.sessions.ask(Command::Load { id, cookies }).await?;
        let mut state = self.state();
        state.note(&answered);
        match answered.answer {
            Answer::Loaded(Some(loaded)) => {
                state.phase = Phase::Live(loaded.key);
                state.values = loaded.values;
                state.user = loaded.user;
            }
            Answer::Retired => state.phase = Phase::Gone,
            _ => state.phase = Phase::Absent,
        }
        Ok(())
    }

    /// Returns a value; `None` if there is none of this name.
    ///
    /// # Errors
    ///
    /// [`SessionError::Value`], if the value is not of this type.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, SessionError> {
        let state = self.state();
        let value = state.values.get(name).map(|text| read(name, text));
        value.transpose()
    }

    /// Sets a value.
    ///
    /// # Errors
    ///
    /// [`SessionError`], if the value is invalid or too long, or the store has not set it.
    pub async fn set<T: Serialize + ?Sized>(
        &self,
        name: &str,
        value: &T,
    ) -> Result<(), SessionError> {
        let value = write(name, value)?;
        let _turn = self.0.turn.lock().await;
        self.check(name)?;
        let Some(key) = self.key().await? else {
            return Ok(());
        };
        let command = Command::Set {
            key,
            name: name.to_owned(),
            value: value.clone(),
        };
        if self.change(command).await? != Answer::Ended {
            self.state().values.insert(name.to_owned(), value);
        }
        Ok(())
    }

    /// Computes a value from the present one, and sets it. If another request has changed it
    /// meanwhile, it is computed again from that value, so that no change is lost. Returns the new
    /// value.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get) and [`set`](Self::set).
    pub async fn update<T: Serialize + DeserializeOwned>(
        &self,
        name: &str,
        mut compute: impl FnMut(Option<T>) -> T,
    ) -> Result<T, SessionError> {
        let _turn = self.0.turn.lock().await;
        self.check(name)?;
        loop {
            let old = self.state().values.get(name).cloned();
            let present = old.as_deref().map(|text| read(name, text)).transpose()?;
            let computed = compute(present);
            let new = write(name, &computed)?;
            let Some(key) = self.key().await? else {
                return Ok(computed);
            };
            let command = Command::Replace {
                key,
                name: name.to_owned(),
                old,
                new: new.clone(),
            };
            match self.change(command).await? {
                Answer::Differs(Some(other)) => {
                    self.state().values.insert(name.to_owned(), other);
                }
                Answer::Differs(None) => drop(self.state().values.remove(name)),
                Answer::Ended => return Ok(computed),
                _ => {
                    self.state().values.insert(name.to_owned(), new);
                    return Ok(computed);
                }
            }
        }
    }

    /// Removes a value. Returns whether this call has removed it: of two requests that remove the
    /// same value, only one gets `true`.
    ///
    /// # Errors
    ///
    /// [`SessionError`], if the store has not removed it.
    pub async fn remove(&self, name: &str) -> Result<bool, SessionError> {
        let _turn = self.0.turn.lock().await;
        let Phase::Live(key) = self.state().phase.clone() else {
            return Ok(false);
        };
        let name = name.to_owned();
        self.state().values.remove(&name);
        Ok(self.change(Command::Remove { key, name }).await? == Answer::Applied)
    }

    /// The user who has logged in.
    #[must_use]
    pub fn user(&self) -> Option<String> {
        self.state().user.clone()
    }

    /// Notes that a user has logged in. The session gets a new name, so that a client that knew the
    /// old one is not logged in too (session fixation), and a new [`form_token`](Self::form_token).
    /// The values of an anonymous session stay. If another user was logged in, that session ends,
    /// and a new one begins.
    ///
    /// # Errors
    ///
    /// [`SessionError`], if the store has not done it.
    pub async fn log_in(&self, user: &str) -> Result<(), SessionError> {
        let _turn = self.0.turn.lock().await;
        if self.state().is_sealed {
            return Err(SessionError::TooLate);
        }
        let former = self.state().user.clone();
        if former.is_some_and(|former| former != user) {
            self.end().await?;
        }
        // The session may end before it has its new name. A login does not depend on that.
        let mut key = None;
        for _ in 0..LOGIN_TRIES {
            if self.state().phase == Phase::Gone {
                self.state().phase = Phase::Absent;
            }
            key = self.rename(Some(user)).await?;
            if key.is_some() {
                break;
            }
        }
        let ended = || StoreError::Unavailable("sessions end before the login".to_owned());
        let (key, name) = (key.ok_or_else(ended)?, FORM_TOKEN.to_owned());
        // Somebody else may know the token of the anonymous session.
        self.state().values.remove(&name);
        self.change(Command::Remove { key, name }).await?;
        Ok(())
    }

    /// Gives the session a new name.
    ///
    /// # Errors
    ///
    /// [`SessionError`], if the store has not done it.
    pub async fn rotate(&self) -> Result<(), SessionError> {
        let _turn = self.0.turn.lock().await;
        if self.state().is_sealed {
            return Err(SessionError::TooLate);
        }
        self.rename(None).await?;
        Ok(())
    }

    /// Gives the session a new name, and a user. `None` if it has ended.
    async fn rename(&self, user: Option<&str>) -> Result<Option<SessionKey>, SessionError> {
        let Some(key) = self.key().await? else {
            return Ok(None);
        };
        let user = user.map(str::to_owned);
        let command = Command::Rotate {
            key,
            user: user.clone(),
        };
        let Answer::Named { key, id } = self.change(command).await? else {
            return Ok(None);
        };
        let mut state = self.state();
        state.begin(key.clone(), id);
        state.user = user.or(state.user.take());
        Ok(Some(key))
    }

    /// Ends the session. The values are lost, and changes by requests that still run are dropped. A
    /// value that this request sets later begins a new session.
    ///
    /// # Errors
    ///
    /// [`SessionError`], if the store has not done it.
    pub async fn log_out(&self) -> Result<(), SessionError> {
        let _turn = self.0.turn.lock().await;
        self.end().await
    }

    /// Ends the session at the store and here.
    async fn end(&self) -> Result<(), SessionError> {
        let phase = self.state().phase.clone();
        if let Phase::Live(key) = phase {
            let answered = self.0.sessions.ask(Command::End { key }).await?;
            self.state().note(&answered);
        }
        self.state().end(Phase::Absent);
        Ok(())
    }

    /// Ends all sessions of its user. This one ends first, so that the user is logged out here even
    /// if the store cannot reach the others.
    ///
    /// # Errors
    ///
    /// [`SessionError`], if the store has not done it.
    pub async fn log_out_everywhere(&self) -> Result<(), SessionError> {
        let user = self.user();
        self.log_out().await?;
        match user {
            Some(user) => self.0.sessions.end_all(&user).await,
            None => Ok(()),
        }
    }

    /// Whether the session has ended while this request was running.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.state().phase == Phase::Gone
    }

    /// The names of all values.
    pub(crate) fn names(&self) -> Vec<String> {
        self.state().values.keys().cloned().collect()
    }

    /// Adds what the client must know to a response.
    pub(crate) fn seal(&self, fields: &mut Fields) -> Result<(), InvalidCookie> {
        let options = &self.0.sessions.options;
        self.state().seal(options, self.0.scheme, fields)
    }

    /// The key of the session; a new session if there is none, and `None` if it has ended.
    async fn key(&self) -> Result<Option<SessionKey>, SessionError> {
        let phase = self.state().phase.clone();
        match phase {
            Phase::Live(key) => return Ok(Some(key)),
            Phase::Gone => return Ok(None),
            Phase::Sent | Phase::Absent => {}
        }
        if self.state().is_sealed {
            return Err(SessionError::TooLate);
        }
        let Answer::Named { key, id } = self.change(Command::Create).await? else {
            return Ok(None);
        };
        self.state().begin(key.clone(), id);
        Ok(Some(key))
    }

    /// Sends a change to the store.
    async fn change(&self, command: Command) -> Result<Answer, SessionError> {
        let answered = self.0.sessions.ask(command).await?;
        let mut state = self.state();
        if state.is_sealed && !answered.cookies.is_empty() {
            return Err(SessionError::TooLate);
        }
        state.note(&answered);
        if answered.answer == Answer::Ended {
            state.end(Phase::Gone);
        }
        Ok(answered.answer)
    }

    /// Whether there may be a value of this name.
    fn check(&self, name: &str) -> Result<(), SessionError> {
        if !is_value_name(name) {
            return Err(SessionError::Name(name.to_owned()));
        }
        let state = self.state();
        if state.values.len() >= Self::MOST_VALUES && !state.values.contains_key(name) {
            return Err(SessionError::TooMany);
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Values and names are not shown.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

/// Whether a value may have this name.
pub(crate) fn is_value_name(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=64).contains(&name.len()) && name.bytes().all(is_part)
}

fn read<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, SessionError> {
    serde_json::from_str(text).map_err(|error| SessionError::Value {
        name: name.to_owned(),
        error,
    })
}

fn write<T: Serialize + ?Sized>(name: &str, value: &T) -> Result<String, SessionError> {
    let text = serde_json::to_string(value).map_err(|error| SessionError::Value {
        name: name.to_owned(),
        error,
    })?;
    match text.len() <= Session::LONGEST_VALUE {
        true => Ok(text),
        false => Err(SessionError::TooLong),
    }
}

#[cfg(test)]
mod tests;
