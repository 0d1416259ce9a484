//! The body of a request, as a type.

mod form;
mod json;
mod multipart;
mod stream;

use std::future::Future;

use bytes::Bytes;
use http::StatusCode;

pub use form::Form;
pub(crate) use form::{parse as parse_form, read_fields};
pub use json::Json;
pub use multipart::{
    FormData, Multipart, MultipartDecoder, MultipartError, MultipartEvent, PartHead, Upload,
};
pub use stream::Stream;

use crate::Problem;
use crate::context::{Context, essence};

/// A type that the body of a request is read as.
///
/// `()` leaves the body unread. `String`, [`Bytes`], [`Json`] and [`Form`] read it into memory, up
/// to the limit of the application, beyond which the answer is 413. [`FormData`] stores the files
/// of a form; [`Stream`] and [`Multipart`] are a body while it arrives.
#[diagnostic::on_unimplemented(
    message = "the body of a request cannot be read as `{Self}`",
    label = "not a body",
    note = "a body is `Json<T>`, `Form<T>`, `FormData<T>`, `Multipart`, `String`, `Bytes`, `Stream`, or `()` for none",
    note = "a request has one body, so a tuple of bodies is not a body",
    note = "for a type of your own, implement `FromBody`"
)]
pub trait FromBody: Sized {
    /// Reads it, or says why it cannot be read.
    fn from_body(context: &mut Context) -> impl Future<Output = Result<Self, Problem>>;
}

#[diagnostic::do_not_recommend]
impl FromBody for () {
    async fn from_body(_: &mut Context) -> Result<Self, Problem> {
        Ok(())
    }
}

impl FromBody for Bytes {
    async fn from_body(context: &mut Context) -> Result<Self, Problem> {
        let limit = context.body_limit();
        let declared = context.field("content-length");
        let declared = declared.and_then(|length| length.parse::<u64>().ok());
        if declared.is_some_and(|length| length > limit as u64) {
            let detail = format!("the body is too large: at most {limit} bytes are taken here");
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
        }
        match context.take_content() {
            Some(mut content) => Ok(content.read_to_end(limit).await?),
            None => Ok(Self::new()),
        }
    }
}

impl FromBody for String {
    async fn from_body(context: &mut Context) -> Result<Self, Problem> {
        let bytes = Bytes::from_body(context).await?;
        let text = Self::from_utf8(bytes.into());
        text.map_err(|_| Problem::bad_request("the body is not text in UTF-8"))
    }
}

/// Checks the media type of a body: 415 if it is another one, with those that are accepted (RFC
/// 9110 section 15.5.16).
pub(crate) fn require_type(
    context: &Context,
    accepted: &'static str,
    is_accepted: impl Fn(&str) -> bool,
) -> Result<(), Problem> {
    let media_type = context.field("content-type");
    if media_type.is_some_and(is_accepted) {
        return Ok(());
    }
    let detail = match media_type.map(essence) {
        Some(other) => format!("the body must be {accepted}, and this one is {other}"),
        None => format!("the body must be {accepted}, and its Content-Type is missing"),
    };
    let problem = Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail);
    Err(problem.field("Accept", accepted))
}
