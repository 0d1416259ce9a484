//! How an application begins its response.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use http::StatusCode;
use thiserror::Error;

use crate::http::{FieldError, Fields, ResponseHead};

/// How an application begins its response, as in PEP 3333: it must be called before the first chunk
/// that is not empty.
///
/// The head is kept until then. It may be replaced, but only because of an error: see
/// [`restart`](Self::restart).
#[derive(Clone)]
pub struct StartResponse {
    head: Rc<RefCell<Slot>>,
    /// The changes that middleware makes to each head, the innermost first.
    changes: Option<Rc<Change>>,
}

struct Change {
    change: Box<dyn Fn(&mut ResponseHead)>,
    then: Option<Rc<Change>>,
}

#[derive(Debug)]
enum Slot {
    Empty,
    Started(ResponseHead),
    Sent,
}

/// Why a response cannot begin.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartResponseError {
    /// PEP 3333: "it is a fatal error to call `start_response` without the `exc_info` argument if
    /// `start_response` has already been called".
    #[error(
        "the response has been begun already; only an error may replace its head, by `restart`"
    )]
    Started,
    /// A field is invalid.
    #[error(transparent)]
    Field(#[from] FieldError),
}

impl StartResponse {
    pub(super) fn new() -> Self {
        Self {
            head: Rc::new(RefCell::new(Slot::Empty)),
            changes: None,
        }
    }

    /// Begins the response.
    ///
    /// # Errors
    ///
    /// [`StartResponseError::Started`], if the response has already begun.
    pub fn start(&self, status: StatusCode, fields: Fields) -> Result<(), StartResponseError> {
        let mut slot = self.head.borrow_mut();
        match &*slot {
            Slot::Empty => {
                *slot = Slot::Started(self.changed(status, fields));
                Ok(())
            }
            Slot::Started(_) | Slot::Sent => Err(StartResponseError::Started),
        }
    }

    /// Begins the response with 200 (OK) and these fields.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start), and if a field is invalid.
    pub fn ok<'a>(
        &self,
        fields: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<(), StartResponseError> {
        let mut all = Fields::new();
        for (name, value) in fields {
            all.push(name, value)?;
        }
        self.start(StatusCode::OK, all)
    }

    /// Begins the response again because of an error, like `start_response` with `exc_info` in PEP
    /// 3333. The error is logged.
    ///
    /// # Errors
    ///
    /// The same error, if the head has been sent. Pass it on, so that the connection is cut.
    pub fn restart<E: fmt::Display>(
        &self,
        error: E,
        status: StatusCode,
        fields: Fields,
    ) -> Result<(), E> {
        let mut slot = self.head.borrow_mut();
        if let Slot::Sent = *slot {
            return Err(error);
        }
        log::error!("an application begins its response anew: {error}");
        *slot = Slot::Started(self.changed(status, fields));
        Ok(())
    }

    /// A `StartResponse` for the application that a middleware wraps; the middleware changes the
    /// head of its response.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_components::gateway::{Application, BoxError, Chunks, Environ, StartResponse};
    ///
    /// /// Forbids caches to keep what an application responds.
    /// fn uncached(inner: impl Application) -> impl Application {
    ///     async move |environ: Environ, start_response: StartResponse| {
    ///         let start_response = start_response.with(|head| {
    ///             head.fields = std::mem::take(&mut head.fields).with("Cache-Control", "no-store");
    ///         });
    ///         inner.call(environ, start_response).await
    ///     }
    /// }
    /// # let _ = uncached(async |_: Environ, _: StartResponse| Ok::<_, BoxError>(Chunks::none()));
    /// ```
    #[must_use]
    pub fn with(self, change: impl Fn(&mut ResponseHead) + 'static) -> Self {
        let change = Change {
            change: Box::new(change),
            then: self.changes,
        };
        Self {
            changes: Some(Rc::new(change)),
            ..self
        }
    }

    fn changed(&self, status: StatusCode, fields: Fields) -> ResponseHead {
        let mut head = ResponseHead {
            fields,
            ..ResponseHead::new(status)
        };
        let mut next = self.changes.as_deref();
        while let Some(Change { change, then }) = next {
            change(&mut head);
            next = then.as_deref();
        }
        head
    }

    /// The head, which counts as sent from now on.
    pub(super) fn take(&self) -> Option<ResponseHead> {
        match self.head.replace(Slot::Sent) {
            Slot::Started(head) => Some(head),
            Slot::Empty | Slot::Sent => None,
        }
    }
}

impl fmt::Debug for StartResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StartResponse").field(&self.head).finish()
    }
}
