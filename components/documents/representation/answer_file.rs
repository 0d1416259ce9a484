//! The answer of a program that sends a file: with the conditions, ranges and entity tags of a file
//! of the site.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::path::Path;
use std::sync::Arc;

use kamea::time::wall_clock;

use super::{Description, Representation};
use crate::documents::cache::Identity;
use crate::documents::mime::content_type;
use crate::file::FileSlice;
use crate::http::Fields;
use crate::web::{Failure, Piece, Request, Response};

/// Answers GET or HEAD by an open file: all of it, the requested ranges, or that it is unchanged
/// (RFC 9110 sections 13 and 14). Its media type is that of its name; `fields` may name another.
///
/// # Examples
///
/// ```
/// use std::path::Path;
/// use kamea_components::documents::answer_file;
/// use kamea_components::http::Fields;
/// use kamea_components::web::{Failure, Request, Response};
///
/// fn manual(request: &Request) -> Result<Response, Failure> {
///     let path = Path::new("/usr/share/doc/manual.pdf");
///     let not_found = |_| request.refuse(http::StatusCode::NOT_FOUND, "there is no manual");
///     let file = std::fs::File::open(path).map_err(not_found)?;
///     let metadata = file.metadata().map_err(not_found)?;
///     answer_file(request, path, file, &metadata, Fields::new())
/// }
/// # let _ = manual;
/// ```
///
/// # Errors
///
/// A [`Failure`] with 412 or 416, if the conditions or the ranges of the request require it.
pub fn answer_file(
    request: &Request,
    name: &Path,
    file: File,
    metadata: &Metadata,
    mut fields: Fields,
) -> Result<Response, Failure> {
    let etag = Identity::of(metadata).etag();
    let now = wall_clock();
    let modified = metadata
        .modified()
        .map_or(now, |modified| modified.min(now));
    if !fields.contains("content-type") {
        fields = fields.with("Content-Type", content_type(name, &HashMap::new()));
    }
    let fields = fields
        .with("Last-Modified", httpdate::fmt_http_date(modified))
        .with("ETag", &etag)
        .with("Accept-Ranges", "bytes");
    let description = Description {
        fields,
        etag,
        modified: Some(modified),
        has_codings: false,
    };
    let slice = FileSlice {
        file: Arc::new(file.into()),
        offset: 0,
        length: metadata.len(),
    };
    let representation = Representation {
        description: &description,
        content: Piece::File(slice),
    };
    representation.answer(request)
}
