//! The file handler: GET and HEAD of what is in the document root.

use std::cell::RefCell;
use std::fs::{File, Metadata};
use std::io::{self, IoSliceMut, Read};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use http::{Method, StatusCode};
use kamea::time::{turn, wall_clock};
use kamea::{Component, unblock};
use rustix::io::{ReadWriteFlags, preadv2};

use super::cache::{Cache, Entry, Identity, LARGEST};
use super::listing::listing;
use super::mime::content_type;
use super::{Docroot, Found, Refused};
use crate::http::{
    Body, Failure, Fields, FileSlice, HandlerPorts, Precondition, Request, RequestHead, Response,
    ResponseHead, evaluate_preconditions,
};

/// How files are served.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FileOptions {
    /// Whether names that begin with a dot are served.
    pub hidden: bool,
    /// What a folder is answered with, if it has one of these; the first that it has.
    pub index: Vec<String>,
    /// How many bytes of small files each worker keeps in memory.
    pub cache_bytes: usize,
}

impl Default for FileOptions {
    fn default() -> Self {
        Self {
            hidden: false,
            index: vec!["index.html".to_owned()],
            cache_bytes: 32 << 20,
        }
    }
}

/// The files of a site, as one worker knows them.
pub struct Files {
    docroot: Docroot,
    options: FileOptions,
    cache: RefCell<Cache>,
}

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Files")
            .field("docroot", &self.docroot)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Files {
    /// The files below a folder.
    ///
    /// # Errors
    ///
    /// If the folder is missing, no folder, or may not be entered.
    pub fn open(docroot: &Path, options: &FileOptions) -> io::Result<Self> {
        let cache = RefCell::new(Cache::new(options.cache_bytes));
        Ok(Self {
            docroot: Docroot::open(docroot)?,
            options: options.clone(),
            cache,
        })
    }
}

/// Serves GET and HEAD from files.
pub fn serve_files(files: Rc<Files>) -> impl Component<HandlerPorts> {
    async move |io: &mut HandlerPorts| {
        while let Some(mut request) = io.requests.next().await {
            if let Some(response) = files.recall(&request) {
                io.responses.send(response).await?;
                continue;
            }
            let answer = match request.discard_content().await {
                // Boxed, because what is in memory needs none of it.
                Ok(()) => Box::pin(files.answer(&request)).await,
                Err(failure) => Err(failure),
            };
            match answer {
                Ok(response) => io.responses.send(response).await?,
                Err(failure) => io.failures.send(failure).await?,
            }
        }
        Ok(())
    }
}

impl Files {
    /// The answer, if it is in memory: then nothing has to be waited for. Only what may be served gets there.
    fn recall(&self, request: &Request) -> Option<Response> {
        if !is_read(request) || request.content.is_some() {
            return None;
        }
        let path = request.head.target.decoded_path().ok()?;
        let path = path.strip_prefix(b"/")?;
        let entry = self.cache.borrow_mut().fresh(path, turn())?;
        log::debug!("{} | Handle File", request.exchange.peer);
        Some(from_memory(request, &entry))
    }

    async fn answer(&self, request: &Request) -> Result<Response, Failure> {
        let fail = |status, explanation| Failure::new(request.exchange, status, explanation);
        if !is_read(request) {
            let fields = Fields::new().with("Allow", "GET, HEAD");
            return Err(Failure {
                fields,
                ..fail(StatusCode::METHOD_NOT_ALLOWED, "this can only be read")
            });
        }
        let path = request.head.target.decoded_path();
        let path = path.map_err(|_| fail(StatusCode::BAD_REQUEST, "the path is not valid"))?;
        let path = self
            .relative(&path)
            .ok_or_else(|| fail(StatusCode::NOT_FOUND, NOTHING))?;
        self.find(request, path)
            .await
            .map_err(|refused| match refused {
                Refused::NotFound => fail(StatusCode::NOT_FOUND, NOTHING),
                Refused::Forbidden => fail(StatusCode::FORBIDDEN, "this may not be read"),
                Refused::System(error) => {
                    log::error!(
                        "{} | {}: {error}",
                        request.exchange.peer,
                        request.head.target
                    );
                    fail(
                        StatusCode::INTERNAL_SERVER_ERROR,
                        "the file could not be read",
                    )
                }
            })
    }

    /// The path relative to the root, if it may be served at all.
    fn relative<'p>(&self, path: &'p [u8]) -> Option<&'p [u8]> {
        let path = path.strip_prefix(b"/")?;
        let is_doubled = path.starts_with(b"/") || path.windows(2).any(|pair| pair == b"//");
        let has_hidden = || {
            path.split(|byte| *byte == b'/')
                .any(|segment| segment.starts_with(b"."))
        };
        (!is_doubled && (self.options.hidden || !has_hidden())).then_some(path)
    }

    async fn find(&self, request: &Request, path: &[u8]) -> Result<Response, Refused> {
        let found = self.look_up(path).await;
        let found = found.inspect_err(|_| self.cache.borrow_mut().remove(path))?;
        match found {
            Found::File(file, metadata) => self.file(request, path, path, file, metadata).await,
            Found::Folder(_) if !path.is_empty() && !path.ends_with(b"/") => {
                Ok(to_the_slash(request))
            }
            Found::Folder(folder) => self.folder(request, path, folder).await,
        }
    }

    /// Looks into the docroot; if the disk has to be waited for, on a thread that may.
    async fn look_up(&self, path: &[u8]) -> Result<Found, Refused> {
        if let Some(found) = self.docroot.find_cached(path)? {
            return Ok(found);
        }
        let (docroot, path) = (self.docroot.clone(), path.to_vec());
        unblock(move || docroot.find(&path)).await
    }

    async fn file(
        &self,
        request: &Request,
        key: &[u8],
        path: &[u8],
        file: File,
        metadata: Metadata,
    ) -> Result<Response, Refused> {
        log::debug!("{} | Handle File", request.exchange.peer);
        let identity = Identity::of(&metadata);
        let known = self.cache.borrow_mut().confirm(key, identity, turn());
        if let Some(entry) = known {
            return Ok(from_memory(request, &entry));
        }
        let modified = metadata
            .modified()
            .map_err(Refused::System)?
            .min(wall_clock());
        let name = Path::new(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(path));
        let fields = Fields::new()
            .with("Content-Type", content_type(name))
            .with("Last-Modified", httpdate::fmt_http_date(modified))
            .with("ETag", identity.etag());
        let length = metadata.len();
        if length > LARGEST {
            self.cache.borrow_mut().remove(key);
            let head = Validated {
                fields: &fields,
                etag: &identity.etag(),
                modified,
            };
            let body = Body::File(FileSlice {
                file: Arc::new(file),
                offset: 0,
                length,
            });
            return Ok(head.answer(request, body));
        }
        let content = match read_cached(&file, length) {
            Some(content) => content,
            None => unblock(move || read_whole(file, length))
                .await
                .map_err(Refused::System)?,
        };
        let entry = Rc::new(Entry::new(
            fields,
            identity,
            modified,
            content,
            wall_clock(),
        ));
        // Shorter than it said: it is changing just now, and not to be kept.
        if entry.content.len() as u64 == length {
            self.cache.borrow_mut().insert(key, entry.clone(), turn());
        }
        Ok(from_memory(request, &entry))
    }

    async fn folder(
        &self,
        request: &Request,
        path: &[u8],
        folder: File,
    ) -> Result<Response, Refused> {
        for index in &self.options.index {
            let index = [path, index.as_bytes()].concat();
            match self.look_up(&index).await {
                Ok(Found::File(file, metadata)) => {
                    return self.file(request, path, &index, file, metadata).await;
                }
                Ok(Found::Folder(_)) | Err(Refused::NotFound) => {}
                Err(refused) => return Err(refused),
            }
        }
        log::debug!("{} | Handle Directory", request.exchange.peer);
        let (path, hidden) = (path.to_vec(), self.options.hidden);
        let page = unblock(move || listing(&folder, &path, hidden))
            .await
            .map_err(Refused::System)?;
        let fields = Fields::new().with("Content-Type", "text/html; charset=utf-8");
        let head = ResponseHead {
            status: StatusCode::OK,
            fields,
        };
        Ok(Response {
            exchange: request.exchange,
            head,
            body: Body::Bytes(page.into()),
        })
    }
}

fn is_read(request: &Request) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD)
}

const NOTHING: &str = "there is nothing at this place";

fn from_memory(request: &Request, entry: &Entry) -> Response {
    let head = Validated {
        fields: &entry.fields,
        etag: &entry.etag,
        modified: entry.modified,
    };
    head.answer(request, Body::Bytes(entry.content.clone()))
}

/// What is known of a file before its content is looked at.
struct Validated<'a> {
    fields: &'a Fields,
    etag: &'a str,
    modified: SystemTime,
}

impl Validated<'_> {
    /// The whole file, or that it has not changed (RFC 9110 section 13).
    fn answer(&self, request: &Request, body: Body) -> Response {
        let RequestHead { method, fields, .. } = &*request.head;
        let (status, body) = match evaluate_preconditions(
            method,
            fields,
            Some(self.etag.as_bytes()),
            Some(self.modified),
        ) {
            Precondition::Proceed => (StatusCode::OK, body),
            Precondition::NotModified => (StatusCode::NOT_MODIFIED, Body::Empty),
            Precondition::Failed => (StatusCode::PRECONDITION_FAILED, Body::Empty),
        };
        let head = ResponseHead {
            status,
            fields: self.fields.clone(),
        };
        Response {
            exchange: request.exchange,
            head,
            body,
        }
    }
}

/// A folder is found behind its slash, so that links in its pages lead where they should.
fn to_the_slash(request: &Request) -> Response {
    let target = &request.head.target;
    let query = target
        .query()
        .map_or(String::new(), |query| format!("?{query}"));
    let location = format!("{}/{query}", target.path());
    let head = ResponseHead {
        status: StatusCode::MOVED_PERMANENTLY,
        fields: Fields::new().with("Location", location),
    };
    Response {
        exchange: request.exchange,
        head,
        body: Body::Empty,
    }
}

/// The content of a file, if the system has all of it in memory (`RWF_NOWAIT`, preadv2(2)).
fn read_cached(file: &File, length: u64) -> Option<Bytes> {
    let mut content = vec![0; usize::try_from(length).ok()?];
    let into = &mut [IoSliceMut::new(&mut content)];
    let read = preadv2(file, into, 0, ReadWriteFlags::NOWAIT).ok()?;
    (read == content.len()).then(|| content.into())
}

fn read_whole(mut file: File, length: u64) -> io::Result<Bytes> {
    let mut content = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    file.by_ref().take(length).read_to_end(&mut content)?;
    Ok(content.into())
}
