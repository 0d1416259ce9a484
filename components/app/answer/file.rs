//! A file, and a folder of files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::StatusCode;
use kamea::unblock;
use kamea_components::documents::{Docroot, Found, Refused, answer_file};
use kamea_components::http::{Fields, attachment};
use kamea_components::web::Response;

use crate::context::Context;
use crate::reply::ReplyContent;
use crate::{Answer, Problem, Reply};

/// A file, sent without a copy through memory, with entity tag, conditions and ranges (RFC 9110
/// sections 13 and 14).
///
/// The path is one of the program. A path that contains data of a request could lead to any file:
/// use [`App::folder`](crate::App::folder) for that.
///
/// # Examples
///
/// ```
/// use kamea_app::{App, SendFile};
///
/// let app = App::new()
///     .get("/manual", async || SendFile::new("docs/manual.pdf"))
///     .get("/data", async || SendFile::new("/var/lib/data.csv").download("data of today.csv"));
/// # app.check().unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct SendFile {
    path: PathBuf,
    fields: Fields,
}

impl SendFile {
    /// The file at this path. If there is none, the answer is 404.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            fields: Fields::new(),
        }
    }

    /// Sets the media type, instead of that of its name.
    ///
    /// # Panics
    ///
    /// If it contains a line break.
    #[must_use]
    pub fn media_type(self, media_type: &str) -> Self {
        let fields = self.fields.with("Content-Type", media_type);
        Self { fields, ..self }
    }

    /// Lets a browser save it under this name instead of showing it (RFC 6266).
    #[must_use]
    pub fn download(self, name: &str) -> Self {
        let disposition = attachment(name.as_bytes());
        let fields = self.fields.with("Content-Disposition", disposition);
        Self { fields, ..self }
    }
}

impl Answer for SendFile {
    fn into_reply(self) -> Reply {
        Reply {
            content: ReplyContent::File(Source::Path(self.path)),
            fields: self.fields,
            ..Reply::new(StatusCode::OK)
        }
    }
}

/// Where a file is that will be sent.
#[derive(Debug)]
pub(crate) enum Source {
    /// At a path of the program.
    Path(PathBuf),
    /// In a folder, at a path that the request names.
    Below(Docroot, String),
}

/// Opens the file of a reply, and makes its response.
pub(crate) async fn open(context: &Context, source: Source, fields: Fields) -> Reply {
    let opened = unblock(move || match source {
        Source::Path(path) => find(&path).map(|found| (path, found)),
        Source::Below(folder, path) => below(&folder, path),
    });
    match opened.await {
        Ok((path, Found::File(file, metadata))) => {
            match answer_file(&context.request, &path, file, &metadata, fields) {
                Ok(response) => Response {
                    exchange: (),
                    head: response.head,
                    body: response.body,
                }
                .into(),
                Err(failure) => Problem::from(failure).into(),
            }
        }
        Ok((_, Found::Folder(_))) if !context.path().ends_with('/') => to_the_slash(context),
        Ok((_, Found::Folder(_))) | Err(Refused::NotFound) => {
            Problem::not_found("there is nothing at this place").into()
        }
        Err(Refused::Forbidden) => {
            Problem::new(StatusCode::FORBIDDEN, "this may not be read").into()
        }
        Err(error) => Problem::internal(error).into(),
    }
}

/// The URL of a folder ends in a slash, so that relative links in its pages work. It never begins
/// with two: that would lead to another server (RFC 3986 section 4.2).
fn to_the_slash(context: &Context) -> Reply {
    let query = context.head().target.query();
    let query = query.map_or(String::new(), |query| format!("?{query}"));
    let path = context.path().trim_start_matches('/');
    let location = format!("/{path}/{query}");
    Reply::new(StatusCode::PERMANENT_REDIRECT).field("Location", location)
}

fn find(path: &Path) -> Result<Found, Refused> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let name = path.file_name().ok_or(Refused::NotFound)?;
    let folder =
        Docroot::open(folder.unwrap_or(Path::new("."))).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Refused::NotFound,
            _ => Refused::System(error),
        })?;
    folder.find(name.as_encoded_bytes())
}

/// The file at a path in a folder, or the index of the folder that is there. Names that begin with
/// a dot are hidden.
fn below(folder: &Docroot, path: String) -> Result<(PathBuf, Found), Refused> {
    let is_hidden = path.split('/').any(|segment| segment.starts_with('.'));
    if is_hidden || path.contains('\0') {
        return Err(Refused::NotFound);
    }
    let found = folder.find(path.as_bytes())?;
    let is_index = path.is_empty() || path.ends_with('/');
    match found {
        Found::Folder(_) if is_index => {
            let index = format!("{path}index.html");
            let found = folder.find(index.as_bytes())?;
            Ok((index.into(), found))
        }
        found => Ok((path.into(), found)),
    }
}

/// A handler of the files below a folder: see [`App::folder`](crate::App::folder).
pub(crate) fn folder_endpoint(folder: Docroot) -> crate::handler::Endpoint {
    Arc::new(move |context| {
        let folder = folder.clone();
        Box::pin(async move {
            let rest = context.capture("file").unwrap_or_default();
            if rest.is_empty() && !context.path().ends_with('/') {
                return to_the_slash(&context);
            }
            let path = match context.path().ends_with('/') && !rest.is_empty() {
                true => format!("{}/", rest.trim_end_matches('/')),
                false => rest.to_owned(),
            };
            open(&context, Source::Below(folder, path), Fields::new()).await
        })
    })
}
