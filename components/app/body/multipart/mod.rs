//! Forms with files: `multipart/form-data`.

mod decode;
mod form_data;
mod head;
#[cfg(test)]
mod tests;
mod upload;

use bytes::{Bytes, BytesMut};
use http::StatusCode;

pub use decode::{MultipartDecoder, MultipartError, MultipartEvent};
pub use form_data::FormData;
pub use head::PartHead;
pub use upload::Upload;

use super::{FromBody, Stream, require_type};
use crate::Problem;
use crate::context::{Context, essence};

/// The parts of a form, one after another, while they arrive. Nothing is kept in memory: a handler
/// that stores each chunk uses as much for a large file as for a small one.
///
/// [`FormData`] reads the whole form.
///
/// # Examples
///
/// ```
/// use kamea_app::{App, Call, Multipart, Problem};
///
/// async fn sizes(mut call: Call<(), Multipart>) -> Result<String, Problem> {
///     let mut lines = String::new();
///     while let Some(part) = call.body.next().await? {
///         let mut bytes = 0;
///         while let Some(chunk) = call.body.chunk().await? {
///             bytes += chunk.len();
///         }
///         lines.push_str(&format!("{}: {bytes} bytes\n", part.name));
///     }
///     Ok(lines)
/// }
/// # App::new().post("/sizes", sizes).check().unwrap();
/// ```
#[derive(Debug)]
pub struct Multipart {
    stream: Stream,
    decoder: MultipartDecoder,
    /// Whether the content of a part is unread.
    is_in_part: bool,
    /// The limit of what is kept in memory, in bytes.
    limit: usize,
    /// How much of that is kept already.
    kept: usize,
}

/// The media type of such a form.
const MEDIA_TYPE: &str = "multipart/form-data";

impl FromBody for Multipart {
    async fn from_body(context: &mut Context) -> Result<Self, Problem> {
        let is_form = |given: &str| essence(given).eq_ignore_ascii_case(MEDIA_TYPE);
        require_type(context, MEDIA_TYPE, is_form)?;
        let boundary = context.field("content-type").and_then(head::boundary);
        let boundary = boundary.ok_or_else(|| {
            let detail = "the boundary in the Content-Type is missing or invalid";
            Problem::bad_request(detail)
        })?;
        Ok(Self {
            decoder: MultipartDecoder::new(&boundary),
            is_in_part: false,
            limit: context.body_limit(),
            kept: 0,
            stream: Stream::from_body(context).await?,
        })
    }
}

impl Multipart {
    /// The head of the next part; `None` at the end of the form. What was not read of the part
    /// before is skipped.
    ///
    /// # Errors
    ///
    /// A [`Problem`], if the form is invalid or breaks off.
    pub async fn next(&mut self) -> Result<Option<PartHead>, Problem> {
        while self.is_in_part {
            self.chunk().await?;
        }
        loop {
            match self.event().await? {
                MultipartEvent::Part(head) => {
                    self.is_in_part = true;
                    return Ok(Some(head));
                }
                MultipartEvent::End => {
                    // What follows the last boundary is ignored.
                    while self.stream.next().await?.is_some() {}
                    return Ok(None);
                }
                MultipartEvent::Data(_) | MultipartEvent::EndOfPart => {}
            }
        }
    }

    /// The next bytes of the current part; `None` at its end.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next).
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Problem> {
        if !self.is_in_part {
            return Ok(None);
        }
        match self.event().await? {
            MultipartEvent::Data(bytes) => Ok(Some(bytes)),
            _ => {
                self.is_in_part = false;
                Ok(None)
            }
        }
    }

    /// The rest of the current part, in memory.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next); 413, if it is larger than the limit of the application.
    pub async fn bytes(&mut self) -> Result<Bytes, Problem> {
        let mut all = BytesMut::new();
        while let Some(bytes) = self.chunk().await? {
            self.check_room(all.len() + bytes.len())?;
            all.extend_from_slice(&bytes);
        }
        Ok(all.freeze())
    }

    /// Notes that bytes of the form stay in memory.
    fn keep(&mut self, count: usize) -> Result<(), Problem> {
        self.check_room(count)?;
        self.kept += count;
        Ok(())
    }

    /// Whether more bytes fit into the limit: 413 if not.
    fn check_room(&self, count: usize) -> Result<(), Problem> {
        if count <= self.limit.saturating_sub(self.kept) {
            return Ok(());
        }
        let detail = format!(
            "the form has more than {} bytes without its files",
            self.limit
        );
        Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail))
    }

    async fn event(&mut self) -> Result<MultipartEvent, Problem> {
        loop {
            if let Some(event) = self.decoder.next().map_err(invalid)? {
                return Ok(event);
            }
            match self.stream.next().await? {
                Some(bytes) => self.decoder.feed(&bytes),
                None => {
                    self.decoder.finish().map_err(invalid)?;
                    return Ok(MultipartEvent::End);
                }
            }
        }
    }
}

fn invalid(error: MultipartError) -> Problem {
    let status = match error {
        MultipartError::HeadTooLarge | MultipartError::TooManyParts => {
            StatusCode::PAYLOAD_TOO_LARGE
        }
        _ => StatusCode::BAD_REQUEST,
    };
    Problem::new(status, format!("the multipart form is invalid: {error}"))
}
