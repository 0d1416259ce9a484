//! A representation of a file (RFC 9110 section 8), and the answer to a request for it: all of it,
//! parts, or "not modified".

mod answer_file;

use std::ops::Range;
use std::time::SystemTime;

use http::{StatusCode, Version};
use kamea::random::token;
use kamea::time::wall_clock;

pub use answer_file::answer_file;

use crate::file::FileSlice;
use crate::http::{
    Fields, Precondition, Ranges, RequestHead, Target, attachment, evaluate_preconditions,
    evaluate_range, freshness_lifetime,
};
use crate::web::{Body, Failure, Piece, Request, Response};

/// The query that asks to save a file instead of showing it.
const DOWNLOAD: &str = "download";

/// The metadata of some content: its header fields and validators.
#[derive(Debug, Clone)]
pub(super) struct Description {
    pub(super) fields: Fields,
    pub(super) etag: String,
    pub(super) modified: Option<SystemTime>,
    /// Whether it is also available in content codings.
    pub(super) has_codings: bool,
}

/// Content with its metadata.
pub(super) struct Representation<'a> {
    pub(super) description: &'a Description,
    pub(super) content: Piece,
}

impl Representation<'_> {
    /// Answers GET or HEAD (RFC 9110 sections 13.2.2 and 14.2).
    pub(super) fn answer(self, request: &Request) -> Result<Response, Failure> {
        let RequestHead { method, fields, .. } = &*request.head;
        let Description { etag, modified, .. } = self.description;
        let (etag, modified) = (Some(etag.as_bytes()), *modified);
        let respond = |status, fields, body| {
            let response = Response::new(status).with_fields(fields);
            Ok(request.respond(response.with_body(body)))
        };
        match evaluate_preconditions(method, fields, etag, modified) {
            Precondition::Proceed => {}
            Precondition::NotModified => {
                let fields = of_not_modified(&self.fields(request));
                return respond(StatusCode::NOT_MODIFIED, fields, Body::Empty);
            }
            Precondition::Failed => {
                let explanation = "this is no longer the file that you have in mind";
                return Err(request.refuse(StatusCode::PRECONDITION_FAILED, explanation));
            }
        }
        let length = self.content.length();
        match evaluate_range(method, fields, length, etag, modified) {
            Ranges::Whole => {
                let fields = self.fields(request);
                respond(StatusCode::OK, fields, self.content.into())
            }
            Ranges::Parts(parts) => {
                let (fields, body) = self.partial(self.fields(request), &parts);
                respond(StatusCode::PARTIAL_CONTENT, fields, body)
            }
            Ranges::Unsatisfiable => {
                let explanation = format!("there are only {length} bytes of this");
                let failure = request.refuse(StatusCode::RANGE_NOT_SATISFIABLE, explanation);
                Err(failure.with("Content-Range", format!("bytes */{length}")))
            }
        }
    }

    /// The fields. Adds a file name if the query is [`DOWNLOAD`], and `Expires` for a peer of
    /// HTTP/1.0, which does not know `Cache-Control` (RFC 9111 section 5.3).
    fn fields(&self, request: &Request) -> Fields {
        let fields = self.description.fields.clone();
        let (target, version) = (&request.head.target, request.exchange.version);
        if target.query().is_none() && version != Version::HTTP_10 {
            return fields;
        }
        let fields = match download_name(target) {
            Some(name) => fields.with("Content-Disposition", attachment(&name)),
            None => fields,
        };
        let lifetime = fields.get("cache-control").and_then(freshness_lifetime);
        match lifetime.and_then(|lifetime| wall_clock().checked_add(lifetime)) {
            Some(expires) if version == Version::HTTP_10 => {
                fields.with("Expires", httpdate::fmt_http_date(expires))
            }
            _ => fields,
        }
    }

    /// The fields and the content of a 206 response (RFC 9110 section 15.3.7).
    fn partial(&self, mut fields: Fields, parts: &[Range<u64>]) -> (Fields, Body) {
        if let [part] = parts {
            let range = content_range(part, self.content.length());
            return (
                fields.with("Content-Range", range),
                slice(&self.content, part).into(),
            );
        }
        // A random token, so that no file can contain it on purpose.
        let boundary = format!("{:032x}", token());
        let media_type = fields.get("content-type").unwrap_or_default().to_vec();
        let mut pieces = Vec::with_capacity(2 * parts.len() + 1);
        for part in parts {
            let mut head = format!("\r\n--{boundary}\r\nContent-Type: ").into_bytes();
            head.extend_from_slice(&media_type);
            let range = content_range(part, self.content.length());
            head.extend_from_slice(format!("\r\nContent-Range: {range}\r\n\r\n").as_bytes());
            pieces.push(Piece::Bytes(head.into()));
            pieces.push(slice(&self.content, part));
        }
        pieces.push(Piece::Bytes(format!("\r\n--{boundary}--\r\n").into()));
        fields.remove("content-type");
        let media_type = format!("multipart/byteranges; boundary={boundary}");
        (
            fields.with("Content-Type", media_type),
            Body::Pieces(pieces),
        )
    }
}

/// The fields of a 304: the client knows the others. Some clients would decode the empty body of a
/// response with `Content-Encoding` (RFC 9110 section 15.4.5).
fn of_not_modified(fields: &Fields) -> Fields {
    const KEPT: [&str; 5] = [
        "Cache-Control",
        "Content-Location",
        "ETag",
        "Expires",
        "Vary",
    ];
    let mut kept = Fields::new();
    for name in KEPT {
        for value in fields.get_all(name) {
            kept = kept.with(name, value);
        }
    }
    kept
}

/// The file name for the client, if it asks to save the file.
fn download_name(target: &Target) -> Option<Vec<u8>> {
    if target.query() != Some(DOWNLOAD) {
        return None;
    }
    let path = target.decoded_path().ok()?;
    let name = path.rsplit(|&b| b == b'/').next()?;
    (!name.is_empty()).then(|| name.to_vec())
}

fn content_range(part: &Range<u64>, length: u64) -> String {
    format!("bytes {}-{}/{length}", part.start, part.end - 1)
}

/// Part of some content, within its length.
fn slice(content: &Piece, part: &Range<u64>) -> Piece {
    match content {
        // The length of a body in memory fits.
        Piece::Bytes(bytes) => Piece::Bytes(bytes.slice(part.start as usize..part.end as usize)),
        Piece::File(file) => Piece::File(FileSlice {
            file: file.file.clone(),
            offset: file.offset + part.start,
            length: part.end - part.start,
        }),
    }
}
