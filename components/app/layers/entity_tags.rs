//! Entity tags of the answers of handlers.

use std::hash::{DefaultHasher, Hash, Hasher};

use http::{Method, StatusCode};
use kamea_components::http::{Precondition, evaluate_preconditions};

use crate::reply::ReplyContent;
use crate::{Context, Layer, Next, Problem, Reply};

/// Gives the answers to GET an entity tag, made of their bytes, and answers 304 if the client has
/// that already (RFC 9110 section 13.1.2). The handler still runs; only the bytes are not sent.
///
/// # Examples
///
/// ```
/// use kamea_app::{App, EntityTags};
///
/// let app = App::new().get("/", async || "x").layer(EntityTags);
/// # app.check().unwrap();
/// ```
#[derive(Debug, Clone, Copy)]
pub struct EntityTags;

impl Layer for EntityTags {
    async fn around(&self, context: Context, next: Next) -> Reply {
        if !matches!(*context.method(), Method::GET | Method::HEAD) {
            return next.run(context).await;
        }
        let head = context.head().clone();
        let mut reply = next.run(context).await;
        let ReplyContent::Bytes(bytes) = &reply.content else {
            return reply;
        };
        if reply.status != StatusCode::OK {
            return reply;
        }
        if !reply.fields.contains("etag") {
            // Weak: two answers with the same tag are the same in all likelihood, not for certain.
            let mut hasher = DefaultHasher::new();
            bytes.hash(&mut hasher);
            let tag = format!("W/\"{:x}-{:x}\"", bytes.len(), hasher.finish());
            reply = reply.field("ETag", tag);
        }
        let tag = reply.fields.get("etag").map(<[u8]>::to_vec);
        match evaluate_preconditions(&head.method, &head.fields, tag.as_deref(), None) {
            Precondition::Proceed => reply,
            Precondition::NotModified => {
                reply.fields.remove("content-type");
                reply.status(StatusCode::NOT_MODIFIED).body("")
            }
            _ => {
                let detail = "this is no longer what you have in mind";
                Problem::new(StatusCode::PRECONDITION_FAILED, detail).into()
            }
        }
    }
}
