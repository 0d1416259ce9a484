//! The listing of a folder as a response.

use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::rc::Rc;
use std::sync::LazyLock;

use http::StatusCode;
use kamea::time::wall_clock;
use kamea::{compute, unblock};

use super::Compression;
use super::cache::{Entry, Identity, Origin};
use super::files::{Files, system_failure};
use super::folder::{View, read_folder};
use super::listing::{Listing, MEDIA_TYPES};
use super::representation::Description;
use super::serve::{accepted_codings, from_memory};
use crate::coding::{AcceptedCodings, Encoder, encode_body};
use crate::http::{Failure, Fields, Request, Response, ResponseHead, preferred_type};

/// The longest query, in bytes, with which a listing is kept in memory.
const LONGEST_QUERY: usize = 64;

/// What a listing may load and do in a browser: show its own pictures, play its own songs, and nothing else.
const POLICY: &str = "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; form-action 'self'; \
    base-uri 'none'; frame-ancestors 'self'";

impl Files {
    /// Lists a folder: a short listing from memory, for as long as it is trusted there, a long one while it is made.
    pub(super) async fn list(
        &self,
        request: &Request,
        path: &[u8],
        folder: File,
    ) -> Result<Response, Failure> {
        log::debug!("{} | Handle Directory", request.exchange.peer);
        let media_type = preferred_type(&request.head.fields, &MEDIA_TYPES);
        let query = request.head.target.query().unwrap_or_default();
        let accepted = match self.options().compression {
            Compression::Made => accepted_codings(request),
            _ => AcceptedCodings::default(),
        };
        let kind = format!("\0{media_type}?{query}").into_bytes();
        let key = [path, &kind, &[0, accepted.key()]].concat();
        if let Some(entry) = self.recall(&key) {
            return from_memory(request, &entry);
        }
        let failed = system_failure(request);
        let metadata = folder.metadata().map_err(&failed)?;
        let origin = Origin::of(Identity::of(&metadata));
        let made = {
            let (path, view) = (path.to_vec(), View::from_query(query));
            let options = self.options().clone();
            unblock(move || {
                let entries = read_folder(&folder, &options)?;
                let listing = Listing::new(&path, view, media_type, options.thumbnails, entries);
                listing.into_whole().map_err(io::Error::other)
            })
        };
        let mut description = describe(media_type);
        let listing = match made.await.map_err(&failed)? {
            Ok(whole) => {
                let content = match accepted.first() {
                    Some(coding) => {
                        let content =
                            compute(move || Encoder::encode_whole(coding, whole.as_bytes()));
                        content.await.map_err(&failed)?
                    }
                    None => whole.into(),
                };
                static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);
                let etag = format!("W/\"{:016x}\"", HASHER.hash_one(&content));
                description.fields = description.fields.with("ETag", &etag);
                description.etag = etag;
                if let Some(coding) = accepted.first() {
                    description.fields = description.fields.with("Content-Encoding", coding.name());
                }
                let entry = Rc::new(Entry::new(description, content, origin, true, wall_clock()));
                if query.len() <= LONGEST_QUERY {
                    self.remember(&key, entry.clone());
                }
                return from_memory(request, &entry);
            }
            Err(long) => long,
        };
        let mut body = listing.into_stream();
        if let Some(coding) = accepted.first() {
            description.fields = description.fields.with("Content-Encoding", coding.name());
            body = encode_body(body, coding).await.map_err(&failed)?;
        }
        let head = ResponseHead {
            status: StatusCode::OK,
            fields: description.fields,
        };
        Ok(Response {
            exchange: request.exchange,
            head,
            body,
        })
    }
}

fn describe(media_type: &str) -> Description {
    let fields = Fields::new()
        .with("Content-Type", format!("{media_type}; charset=utf-8"))
        .with("Vary", "Accept, Accept-Encoding")
        .with("Cache-Control", "no-cache")
        .with("Content-Security-Policy", POLICY);
    Description {
        fields,
        etag: String::new(),
        modified: None,
        has_codings: false,
    }
}
