//! The files of a site, as one worker sees them: what is at a path, and what is cached.

use std::borrow::Cow;
use std::cell::{RefCell, RefMut};
use std::fs::{File, Metadata};
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::SystemTime;

use http::StatusCode;
use kamea::time::turn;
use kamea::unblock;
use tokio::sync::Semaphore;

use super::cache::{Cache, Entry, Identity, Origin};
use super::kept_back::{KeptBack, has_hidden_segment};
use super::mime::{by_content, content_type, depends_on_content};
use super::representation::Description;
use super::snapshots::Snapshots;
use super::thumbnail::has_thumbnail;
use super::{CacheRule, CodingRule, Compression, Docroot, FileOptions, Found, Refused, Thumbnails};
use crate::coding::{AcceptedCodings, Coding};
use crate::http::Fields;
use crate::web::{Failure, Request};

/// The files of a site, as one worker sees them.
pub struct Files {
    docroot: Docroot,
    options: FileOptions,
    kept_back: Arc<KeptBack>,
    cache: RefCell<Cache>,
    thumbnails: Thumbnails,
    snapshots: RefCell<Snapshots>,
    /// How many folders may be read at the same time.
    listers: Semaphore,
}

/// How many folders a worker reads at the same time.
const LISTERS: usize = 4;

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Files")
            .field("docroot", &self.docroot)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Files {
    /// The files below a document root.
    pub fn new(docroot: Docroot, options: &FileOptions, thumbnails: Thumbnails) -> Self {
        let mut options = options.clone();
        if cfg!(not(feature = "codings")) && options.compression == Compression::Made {
            options.compression = Compression::Stored;
        }
        Self {
            kept_back: Arc::new(KeptBack::new(&docroot, &options)),
            cache: RefCell::new(Cache::new(options.cache_bytes)),
            docroot,
            options,
            thumbnails,
            snapshots: RefCell::default(),
            listers: Semaphore::new(LISTERS),
        }
    }

    pub(super) fn snapshots(&self) -> RefMut<'_, Snapshots> {
        self.snapshots.borrow_mut()
    }

    pub(super) fn listers(&self) -> &Semaphore {
        &self.listers
    }

    pub(crate) fn docroot(&self) -> &Docroot {
        &self.docroot
    }

    pub(crate) fn options(&self) -> &FileOptions {
        &self.options
    }

    /// Which files are hidden from clients.
    pub(crate) fn kept_back(&self) -> &Arc<KeptBack> {
        &self.kept_back
    }

    pub(super) fn thumbnails(&self) -> &Thumbnails {
        &self.thumbnails
    }

    /// The cached entry of a key, if it is still trusted.
    pub(super) fn recall(&self, key: &[u8]) -> Option<Rc<Entry>> {
        let mut cache = self.cache.borrow_mut();
        cache.begin_generation(self.docroot.changes());
        cache.fresh(key, turn())
    }

    /// The cached entry of a key, if it was made from the given source.
    pub(super) fn confirm(&self, key: &[u8], found: Origin) -> Option<Rc<Entry>> {
        self.cache.borrow_mut().confirm(key, found, turn())
    }

    pub(super) fn remember(&self, key: &[u8], entry: Rc<Entry>) {
        self.cache.borrow_mut().insert(key, entry, turn());
    }

    pub(super) fn forget(&self, key: &[u8]) {
        self.cache.borrow_mut().remove(key);
    }

    /// The path of a request relative to the root, if it may be served at all.
    pub(crate) fn path<'r>(&self, request: &'r Request) -> Result<Cow<'r, [u8]>, Failure> {
        let path = request.head.target.decoded_path();
        let path =
            path.map_err(|_| request.refuse(StatusCode::BAD_REQUEST, "the path is not valid"))?;
        let relative = match path {
            Cow::Borrowed(path) => path.strip_prefix(b"/").map(Cow::Borrowed),
            Cow::Owned(path) => path
                .strip_prefix(b"/")
                .map(|path| Cow::Owned(path.to_vec())),
        };
        relative
            .filter(|path| self.may_be_served(path))
            .ok_or_else(|| request.refuse(StatusCode::NOT_FOUND, NOTHING))
    }

    fn may_be_served(&self, path: &[u8]) -> bool {
        self.options.hidden || !has_hidden_segment(path)
    }

    /// Finds the file or folder at the path of a request.
    pub(super) async fn find(&self, request: &Request) -> Result<Found, Failure> {
        let path = self.path(request)?;
        let found = self.look_up(&path).await;
        found.map_err(|refused| failure(request, refused))
    }

    /// Looks into the docroot; on a thread that may wait, if the disk must be read. Every handler
    /// of files calls this: it hides the same files from all of them.
    pub(super) async fn look_up(&self, path: &[u8]) -> Result<Found, Refused> {
        let opened = match self.docroot.open_file_cached(path)? {
            Some(opened) => opened,
            None => {
                let (docroot, path) = (self.docroot.clone(), path.to_vec());
                unblock(move || docroot.open_file(&path)).await?
            }
        };
        let real = opened.real.as_deref();
        self.kept_back.check(path, real, &opened.metadata)?;
        Ok(opened.found)
    }

    /// Whether a request is for an image that may have a thumbnail, by its name.
    pub(super) fn is_image(&self, request: &Request) -> bool {
        let path = self.path(request).unwrap_or_default();
        has_thumbnail(&self.content_type(&path))
    }

    fn content_type(&self, path: &[u8]) -> String {
        content_type(path_of(path), &self.options.types)
    }

    /// The media type of a file, by its name, and by its content if the name is ambiguous. A file
    /// whose name has the extension of a coding gets the media type of its decoded content.
    pub(super) async fn media_type(&self, path: &[u8], file: &File) -> io::Result<String> {
        let path = match CodingRule::of(&self.options.codings, path) {
            Some(_) => CodingRule::uncoded(path),
            None => path,
        };
        let by_name = self.content_type(path);
        if !depends_on_content(path_of(path), &self.options.types) {
            return Ok(by_name);
        }
        let file = file.try_clone()?;
        let by_content = unblock(move || by_content(&file)).await;
        Ok(by_content.map_or(by_name, str::to_owned))
    }

    /// The header fields of the file at a path.
    pub(super) fn describe(
        &self,
        path: &[u8],
        content_type: String,
        etag: String,
        modified: SystemTime,
    ) -> Description {
        let coding = CodingRule::of(&self.options.codings, path);
        let has_codings = coding.is_none()
            && self.options.compression != Compression::Off
            && is_compressible(&content_type);
        let mut fields = Fields::new()
            .with("Content-Type", &content_type)
            .with("Last-Modified", httpdate::fmt_http_date(modified))
            .with("ETag", &etag)
            .with("Accept-Ranges", "bytes");
        if has_codings {
            fields = fields.with("Vary", "Accept-Encoding");
        }
        let is_sandboxed = self.options.writable && self.options.sandboxes_uploads;
        if is_sandboxed && runs_scripts(&content_type) {
            fields = fields.with("Content-Security-Policy", "sandbox");
        }
        if let Some(coding) = coding {
            fields = fields.with("Content-Encoding", coding.name());
        }
        if let Some(value) = CacheRule::of(&self.options.cache_rules, path, &content_type) {
            fields = fields.with("Cache-Control", value);
        }
        Description {
            fields,
            etag,
            modified: Some(modified),
            has_codings,
        }
    }

    /// The file beside the one at `path` that holds its encoded form, in the most preferred of the
    /// accepted codings. A file that is older than the original is out of date, and ignored.
    pub(super) async fn find_coded(
        &self,
        path: &[u8],
        accepted: AcceptedCodings,
        file: Identity,
    ) -> Option<(Coding, File, Metadata)> {
        for coding in accepted.iter() {
            let beside = [path, coding.extension().as_bytes()].concat();
            if let Ok(Found::File(coded, metadata)) = self.look_up(&beside).await
                && !Identity::of(&metadata).is_older_than(&file)
            {
                return Some((coding, coded, metadata));
            }
        }
        None
    }
}

/// Whether a browser runs scripts in a document of this type: HTML, and XML of any kind.
fn runs_scripts(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    essence == "text/html" || essence.ends_with("/xml") || essence.ends_with("+xml")
}

fn path_of(path: &[u8]) -> &Path {
    Path::new(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(path))
}

/// Whether content of this type shrinks in a content coding: text, and formats that are written as
/// text.
fn is_compressible(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.starts_with("text/")
        || essence.ends_with("+xml")
        || essence.ends_with("+json")
        || matches!(
            essence,
            "application/javascript"
                | "application/json"
                | "application/xml"
                | "application/wasm"
                | "application/x-tar"
                | "application/vnd.ms-fontobject"
                | "font/ttf"
                | "font/otf"
                | "image/bmp"
                | "image/x-icon"
                | "image/vnd.microsoft.icon"
        )
}

/// The failure of a request whose file is not served.
pub(super) fn failure(request: &Request, refused: Refused) -> Failure {
    match refused {
        Refused::NotFound => request.refuse(StatusCode::NOT_FOUND, NOTHING),
        Refused::Forbidden => request.refuse(StatusCode::FORBIDDEN, "this may not be read"),
        Refused::System(error) => {
            let (peer, target) = (request.exchange.peer, &request.head.target);
            log::error!("{peer} | {target}: {error}");
            let explanation = "the file could not be read";
            request.refuse(StatusCode::INTERNAL_SERVER_ERROR, explanation)
        }
    }
}

/// The failure of a request during which the system reported an error.
pub(super) fn system_failure(request: &Request) -> impl Fn(io::Error) -> Failure {
    move |error| failure(request, Refused::System(error))
}

const NOTHING: &str = "there is nothing at this place";
