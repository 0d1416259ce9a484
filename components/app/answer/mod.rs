//! What a handler may return.

mod events;
mod file;
mod html;
mod redirect;
mod templates;

use std::convert::Infallible;

use bytes::Bytes;
use http::StatusCode;

pub use events::{Event, Events};
pub use file::SendFile;
pub(crate) use file::{Source, folder_endpoint, open};
pub use html::Html;
pub use redirect::Redirect;
pub use templates::{TemplateError, Templates};

use crate::{Problem, Reply};

/// What a handler may return: text, bytes, a page, JSON, a redirect, a status, a status with one of
/// these, a [`Reply`], a [`Problem`], an `Option` or a `Result` of them.
///
/// # Examples
///
/// ```
/// use kamea_app::{Answer, Reply};
///
/// struct Csv(Vec<[u32; 2]>);
///
/// impl Answer for Csv {
///     fn into_reply(self) -> Reply {
///         let lines: String = self.0.iter().map(|[a, b]| format!("{a},{b}\n")).collect();
///         Reply::typed("text/csv", lines)
///     }
/// }
/// # let _ = kamea_app::App::new().get("/", async || Csv(vec![[1, 2]]));
/// ```
#[diagnostic::on_unimplemented(
    message = "a handler cannot return `{Self}`",
    label = "not an answer",
    note = "a handler returns text, bytes, `Html`, `Json`, `Redirect`, `SendFile`, `Events`, a status, `(StatusCode, one of these)`, a `Reply`, or an `Option` or a `Result<_, Problem>` of them",
    note = "to fail with any error, return `Result<_, Problem>`: `?` makes a `Problem` of it",
    note = "to send a value as JSON, return `Json(value)`; for a type of your own, implement `Answer`"
)]
pub trait Answer {
    /// Makes the reply.
    fn into_reply(self) -> Reply;
}

impl Answer for () {
    /// 204 (No Content).
    fn into_reply(self) -> Reply {
        Reply::new(StatusCode::NO_CONTENT)
    }
}

impl Answer for Infallible {
    fn into_reply(self) -> Reply {
        match self {}
    }
}

impl Answer for StatusCode {
    /// The status alone; an error status gets a body by the error component.
    fn into_reply(self) -> Reply {
        match self.is_client_error() || self.is_server_error() {
            true => Problem::new(self, "").into(),
            false => Reply::new(self),
        }
    }
}

impl Answer for &'static str {
    fn into_reply(self) -> Reply {
        Reply::text(self)
    }
}

impl Answer for String {
    fn into_reply(self) -> Reply {
        Reply::text(self)
    }
}

impl Answer for Bytes {
    fn into_reply(self) -> Reply {
        Reply::typed("application/octet-stream", self)
    }
}

impl Answer for Vec<u8> {
    fn into_reply(self) -> Reply {
        Bytes::from(self).into_reply()
    }
}

impl Answer for Problem {
    fn into_reply(self) -> Reply {
        self.into()
    }
}

/// The status, instead of that of the answer.
impl<A: Answer> Answer for (StatusCode, A) {
    fn into_reply(self) -> Reply {
        let (status, answer) = self;
        answer.into_reply().status(status)
    }
}

/// `None` is a 404.
impl<A: Answer> Answer for Option<A> {
    fn into_reply(self) -> Reply {
        match self {
            Some(answer) => answer.into_reply(),
            None => Problem::not_found("there is nothing at this place").into(),
        }
    }
}

impl<A: Answer, E: Answer> Answer for Result<A, E> {
    fn into_reply(self) -> Reply {
        match self {
            Ok(answer) => answer.into_reply(),
            Err(error) => error.into_reply(),
        }
    }
}
