//! The body while it arrives.

use bytes::Bytes;
use kamea_components::web::Content;

use super::FromBody;
use crate::Problem;
use crate::context::Context;

/// The body while it arrives, in chunks. A handler that does not read slows the peer
/// (backpressure). The limit is that of the server: [`kamea_components::http::Limits::body`].
///
/// # Examples
///
/// ```
/// use kamea_app::{App, Call, Problem, Stream};
///
/// async fn count(mut call: Call<(), Stream>) -> Result<String, Problem> {
///     let mut bytes = 0;
///     while let Some(chunk) = call.body.next().await? {
///         bytes += chunk.len();
///     }
///     Ok(format!("{bytes} bytes\n"))
/// }
/// # App::new().put("/count", count).check().unwrap();
/// ```
#[derive(Debug)]
pub struct Stream(pub(super) Option<Box<Content>>);

impl Stream {
    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    ///
    /// A [`Problem`], if the body breaks off or is too large.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        match &mut self.0 {
            Some(content) => Ok(content.next().await?),
            None => Ok(None),
        }
    }
}

impl FromBody for Stream {
    async fn from_body(context: &mut Context) -> Result<Self, Problem> {
        Ok(Self(context.take_content()))
    }
}
