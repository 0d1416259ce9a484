//! The file handler: GET and HEAD of what is in the document root.

use std::cell::RefCell;
use std::fs::{File, Metadata};
use std::io::{self, IoSliceMut, Read};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, StatusCode};
use kamea::time::{turn, wall_clock};
use kamea::{Component, unblock};
use rustix::io::{ReadWriteFlags, preadv2};

use super::cache::{Cache, Entry, Identity, LARGEST};
use super::cache_rule::CacheRule;
use super::folder::{View, read_folder};
use super::listing::{Listing, MEDIA_TYPES};
use super::mime::content_type;
use super::representation::Representation;
use super::{Docroot, Found, Refused};
use crate::http::{
    Body, Failure, Fields, FileSlice, HandlerPorts, Piece, Request, Response, ResponseHead,
    preferred_type,
};

/// How files are served.
///
/// # Examples
///
/// ```
/// use kamea_components::http::Site;
///
/// let mut site = Site::new("www");
/// site.files.index = vec!["index.html".into(), "index.htm".into()];
/// site.files.cache_bytes = 64 << 20;
/// assert!(!site.files.hidden);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FileOptions {
    /// Whether names that begin with a dot are served.
    pub hidden: bool,
    /// What a folder is answered with, if it has one of these; the first that it has.
    pub index: Vec<String>,
    /// How many bytes of small files each worker keeps in memory.
    pub cache_bytes: usize,
    /// How long clients may keep files; the first rule that matches counts.
    pub cache_rules: Vec<CacheRule>,
}

impl Default for FileOptions {
    fn default() -> Self {
        Self {
            hidden: false,
            index: vec!["index.html".to_owned()],
            cache_bytes: 32 << 20,
            cache_rules: Vec::new(),
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
            let answer = match files.recall(&request) {
                Some(answer) => answer,
                None => match request.discard_content().await {
                    // Boxed, because what is in memory needs none of it.
                    Ok(()) => Box::pin(files.answer(&request)).await,
                    Err(failure) => Err(failure),
                },
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
    fn recall(&self, request: &Request) -> Option<Result<Response, Failure>> {
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
            let fields = Fields::new().with("Allow", "GET, HEAD, OPTIONS");
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
        self.find(request, path).await
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

    async fn find(&self, request: &Request, path: &[u8]) -> Result<Response, Failure> {
        let found = self.look_up(path).await.map_err(|refused| {
            self.cache.borrow_mut().remove(path);
            failure(request, refused)
        });
        match found? {
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
    ) -> Result<Response, Failure> {
        log::debug!("{} | Handle File", request.exchange.peer);
        let identity = Identity::of(&metadata);
        let known = self.cache.borrow_mut().confirm(key, identity, turn());
        if let Some(entry) = known {
            return from_memory(request, &entry);
        }
        let unreadable = |error| failure(request, Refused::System(error));
        let modified = metadata.modified().map_err(unreadable)?.min(wall_clock());
        let name = Path::new(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(path));
        let content_type = content_type(name);
        let mut fields = Fields::new()
            .with("Content-Type", &content_type)
            .with("Last-Modified", httpdate::fmt_http_date(modified))
            .with("ETag", identity.etag())
            .with("Accept-Ranges", "bytes");
        if let Some(value) = CacheRule::of(&self.options.cache_rules, path, &content_type) {
            fields = fields.with("Cache-Control", value);
        }
        let length = metadata.len();
        if length > LARGEST {
            self.cache.borrow_mut().remove(key);
            let slice = FileSlice {
                file: Arc::new(file),
                offset: 0,
                length,
            };
            let file = Representation {
                fields: &fields,
                etag: &identity.etag(),
                modified,
                content: Piece::File(slice),
            };
            return file.answer(request);
        }
        let content = match read_cached(&file, length) {
            Some(content) => content,
            None => unblock(move || read_whole(file, length))
                .await
                .map_err(unreadable)?,
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
        from_memory(request, &entry)
    }

    async fn folder(
        &self,
        request: &Request,
        path: &[u8],
        folder: File,
    ) -> Result<Response, Failure> {
        for index in &self.options.index {
            let index = [path, index.as_bytes()].concat();
            match self.look_up(&index).await {
                Ok(Found::File(file, metadata)) => {
                    return self.file(request, path, &index, file, metadata).await;
                }
                Ok(Found::Folder(_)) | Err(Refused::NotFound) => {}
                Err(refused) => return Err(failure(request, refused)),
            }
        }
        log::debug!("{} | Handle Directory", request.exchange.peer);
        let media_type = preferred_type(&request.head.fields, &MEDIA_TYPES);
        let view = View::from_query(request.head.target.query().unwrap_or_default());
        let (path, hidden) = (path.to_vec(), self.options.hidden);
        let listing = unblock(move || {
            let entries = read_folder(&folder, hidden)?;
            Ok(Listing::new(&path, view, media_type, entries))
        });
        let unreadable = |error| failure(request, Refused::System(error));
        let listing = listing.await.map_err(unreadable)?;
        let body = listing.into_body();
        let body = body.map_err(|error| unreadable(io::Error::other(error)))?;
        let fields = Fields::new()
            .with("Content-Type", format!("{media_type}; charset=utf-8"))
            .with("Vary", "Accept");
        let head = ResponseHead {
            status: StatusCode::OK,
            fields,
        };
        Ok(Response {
            exchange: request.exchange,
            head,
            body,
        })
    }
}

fn is_read(request: &Request) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD)
}

/// What becomes of a request whose file is not served.
fn failure(request: &Request, refused: Refused) -> Failure {
    let fail = |status, explanation| Failure::new(request.exchange, status, explanation);
    match refused {
        Refused::NotFound => fail(StatusCode::NOT_FOUND, NOTHING),
        Refused::Forbidden => fail(StatusCode::FORBIDDEN, "this may not be read"),
        Refused::System(error) => {
            let (peer, target) = (request.exchange.peer, &request.head.target);
            log::error!("{peer} | {target}: {error}");
            let explanation = "the file could not be read";
            fail(StatusCode::INTERNAL_SERVER_ERROR, explanation)
        }
    }
}

const NOTHING: &str = "there is nothing at this place";

fn from_memory(request: &Request, entry: &Entry) -> Result<Response, Failure> {
    let file = Representation {
        fields: &entry.fields,
        etag: &entry.etag,
        modified: entry.modified,
        content: Piece::Bytes(entry.content.clone()),
    };
    file.answer(request)
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
