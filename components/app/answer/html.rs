//! A page.

use bytes::Bytes;

use crate::{Answer, Reply};

/// A page, in UTF-8. Escape all data from outside first, or use a template.
///
/// # Examples
///
/// ```
/// use kamea_app::{App, Html};
///
/// let app = App::new().get("/", async || Html("<h1>Hello</h1>"));
/// # app.check().unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct Html<T>(pub T);

impl<T: Into<Bytes>> Answer for Html<T> {
    fn into_reply(self) -> Reply {
        Reply::html(self.0)
    }
}
