//! Compression of the answers of handlers.

use http::StatusCode;
use kamea::compute;
use kamea_components::coding::{AcceptedCodings, Encoder};

use crate::context::essence;
use crate::reply::ReplyContent;
use crate::{Context, Layer, Next, Reply};

/// Compresses the answers of handlers for clients that accept it (RFC 9110 section 12.5.3): text,
/// JSON and the like of at least 1 KiB. Streams and files are sent as they are.
///
/// A page that shows a secret beside data of the request should not be compressed: its length tells
/// about the secret.
///
/// # Examples
///
/// ```
/// use kamea_app::{App, Compress};
///
/// let app = App::new().get("/", async || "x".repeat(10_000)).layer(Compress);
/// # app.check().unwrap();
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Compress;

/// Shorter answers, in bytes, are not compressed.
const SHORTEST: usize = 1024;

/// Longer answers, in bytes, are compressed on a thread of their own.
const LONG: usize = 64 * 1024;

impl Layer for Compress {
    async fn around(&self, context: Context, next: Next) -> Reply {
        let accepted = AcceptedCodings::of(&context.head().fields);
        let mut reply = next.run(context).await;
        let media_type = reply.fields.get("content-type").unwrap_or_default();
        let is_text = is_compressible(&String::from_utf8_lossy(media_type));
        let ReplyContent::Bytes(bytes) = &reply.content else {
            return reply;
        };
        let is_whole = reply.status != StatusCode::PARTIAL_CONTENT;
        if !is_text
            || !is_whole
            || bytes.len() < SHORTEST
            || reply.fields.contains("content-encoding")
        {
            return reply;
        }
        let bytes = bytes.clone();
        reply = reply.field("Vary", "Accept-Encoding");
        let Some(coding) = accepted.first() else {
            return reply;
        };
        let encoded = match bytes.len() < LONG {
            true => Encoder::encode_whole(coding, &bytes),
            false => compute(move || Encoder::encode_whole(coding, &bytes)).await,
        };
        match encoded {
            Ok(encoded) => {
                weaken(&mut reply);
                reply.body(encoded).field("Content-Encoding", coding.name())
            }
            Err(error) => {
                log::error!("an answer could not be compressed: {error}");
                reply
            }
        }
    }
}

/// Another coding is another representation: a strong entity tag must differ (RFC 9110 section
/// 8.8.3.3), and a weak one need not.
fn weaken(reply: &mut Reply) {
    if let Some(tag) = reply.fields.get("etag")
        && tag.starts_with(b"\"")
    {
        let weak = [b"W/", tag].concat();
        // The same tag was valid before.
        let _ = reply.fields.set("ETag", weak);
    }
}

fn is_compressible(media_type: &str) -> bool {
    let essence = essence(media_type).to_ascii_lowercase();
    essence != "text/event-stream"
        && (essence.starts_with("text/")
            || essence.ends_with("+json")
            || essence.ends_with("+xml")
            || [
                "application/json",
                "application/javascript",
                "application/xml",
            ]
            .contains(&essence.as_str()))
}
