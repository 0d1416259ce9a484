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
///
/// [`Templates`](crate::Templates) are checked when the program starts. With the crate `askama`,
/// the compiler checks a template and its values:
///
/// ```
/// use askama::Template;
/// use kamea_app::{App, Call, Html, Problem};
///
/// #[derive(Template)]
/// #[template(source = "<h1>Hello, {{ name }}!</h1>", ext = "html")]
/// struct Greeting {
///     name: String,
/// }
///
/// async fn greet(call: Call<String>) -> Result<Html<String>, Problem> {
///     let greeting = Greeting { name: call.params };
///     Ok(Html(greeting.render()?))
/// }
///
/// # kamea::testing::block_on(async {
/// let app = App::new().get("/hello/{name}", greet).test();
/// assert_eq!(app.get("/hello/%3Cyou%3E").send().await.text(), "<h1>Hello, &#60;you&#62;!</h1>");
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct Html<T>(pub T);

impl<T: Into<Bytes>> Answer for Html<T> {
    fn into_reply(self) -> Reply {
        Reply::html(self.0)
    }
}
