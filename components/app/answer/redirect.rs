//! Redirects.

use http::StatusCode;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::{Answer, Reply};

/// A redirect to another location.
///
/// # Examples
///
/// ```
/// use kamea_app::{App, Call, Redirect};
///
/// async fn sign(_: Call<(), String>) -> Redirect {
///     // ... and after a form, the page is read again (RFC 9110 section 15.4.4).
///     Redirect::to("/guests")
/// }
/// let app = App::new()
///     .post("/guests", sign)
///     .get("/old", async || Redirect::permanent("/new"));
/// # app.check().unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct Redirect {
    status: StatusCode,
    location: String,
}

/// What a field value cannot contain, and what a URL must not (RFC 3986 section 2).
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'\\');

impl Redirect {
    /// 303 (See Other): the client reads the location with GET, after any method.
    #[must_use]
    pub fn to(location: &str) -> Self {
        Self::new(StatusCode::SEE_OTHER, location)
    }

    /// 307 (Temporary Redirect): the client repeats the same request there.
    #[must_use]
    pub fn temporary(location: &str) -> Self {
        Self::new(StatusCode::TEMPORARY_REDIRECT, location)
    }

    /// 308 (Permanent Redirect): the same, for ever.
    #[must_use]
    pub fn permanent(location: &str) -> Self {
        Self::new(StatusCode::PERMANENT_REDIRECT, location)
    }

    fn new(status: StatusCode, location: &str) -> Self {
        let location = utf8_percent_encode(location, ENCODED).to_string();
        Self { status, location }
    }
}

impl Answer for Redirect {
    fn into_reply(self) -> Reply {
        Reply::new(self.status).field("Location", self.location)
    }
}
