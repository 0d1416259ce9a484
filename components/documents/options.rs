//! How files are served.

use std::collections::HashMap;

use super::{CacheRule, CodingRule, OwnFiles, Programs};

/// How files are served.
///
/// # Examples
///
/// ```
/// use kamea_components::documents::Compression;
/// use kamea_components::server::Site;
///
/// let mut site = Site::new("www");
/// site.files.index = vec!["index.html".into(), "index.htm".into()];
/// site.files.cache_bytes = 64 << 20;
/// site.files.compression = Compression::Stored;
/// site.files.types.insert("wasm".into(), "application/wasm".into());
/// assert!(!site.files.hidden && !site.files.writable);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FileOptions {
    /// Whether names that begin with a dot are served.
    pub hidden: bool,
    /// The names of index files: a folder is answered with the first one that it contains.
    pub index: Vec<String>,
    /// How many bytes of small files each worker keeps in memory.
    pub cache_bytes: usize,
    /// How long clients may cache files; the first matching rule wins.
    pub cache_rules: Vec<CacheRule>,
    /// Media types by extension, in lower case and without the dot, in addition to the known ones.
    pub types: HashMap<String, String>,
    /// The content codings of files and listings.
    pub compression: Compression,
    /// Which files are stored in a content coding, by their names, in addition to `*.svgz`; the
    /// first matching rule wins.
    pub codings: Vec<CodingRule>,
    /// Whether listings show thumbnails of images.
    pub thumbnails: bool,
    /// The paths that a filter protects, such as those that need a password: relative to the root,
    /// without slashes at the ends. An archive of a folder above leaves them out, and forms neither
    /// make, rename nor remove them or a folder above them: the filter sees only the path of a
    /// request, and would not notice.
    pub protected: Vec<Vec<u8>>,
    /// Whether files may be written, by PUT and DELETE, and by the forms of listings.
    pub writable: bool,
    /// Whether pages get `Content-Security-Policy: sandbox` if files may be written: a client may
    /// have written them, and their scripts would act in the name of the site.
    pub sandboxes_uploads: bool,
    /// Which files are programs, which are never sent.
    pub programs: Programs,
    /// The server's own files, which clients never see.
    pub own: OwnFiles,
}

/// How files are encoded for clients that accept a content coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// None.
    Off,
    /// Only encoded files that are stored beside the file: `app.js.br`, `app.js.zst`, `app.js.gz`.
    Stored,
    /// Stored encoded files; other files are encoded while they are sent.
    Made,
}

impl Default for FileOptions {
    fn default() -> Self {
        Self {
            hidden: false,
            index: vec!["index.html".to_owned()],
            cache_bytes: 32 << 20,
            cache_rules: Vec::new(),
            types: HashMap::new(),
            compression: Compression::Made,
            codings: Vec::new(),
            thumbnails: true,
            protected: Vec::new(),
            writable: false,
            sandboxes_uploads: true,
            programs: Programs::default(),
            own: OwnFiles::new(),
        }
    }
}
