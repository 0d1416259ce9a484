//! The server's own files: its configuration, logs, error pages, keys and application code.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The server's own files. Clients never read, list or write them, even if they lie inside the
/// docroot.
///
/// Each entry is resolved when it is added, so a list must be rebuilt at each reload. A file is
/// identified by its real path and by its device and inode, so that links to it count as well.
/// Every option that names a file which the server reads, runs or writes adds that file here.
///
/// # Examples
///
/// ```
/// use kamea_components::documents::OwnFiles;
/// use kamea_components::server::Site;
///
/// let mut site = Site::new("www");
/// site.files.own = OwnFiles::new().file("www/spidey.toml").folder("www/errors").code("www");
/// ```
#[derive(Debug, Clone, Default)]
pub struct OwnFiles {
    rules: Vec<(Kind, PathBuf)>,
    /// Device and inode.
    identities: HashSet<(u64, u64)>,
}

/// Which files at a path belong to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// The file and the copies beside it, which editors, log rotation and people make.
    File,
    /// Everything in the folder.
    Folder,
    /// The Python code in the folder.
    Code,
}

/// The extensions of files that Python loads as code.
const CODE: [&str; 6] = ["py", "pyc", "pyo", "pyw", "pth", "so"];

/// The folder of compiled Python code.
const COMPILED: &str = "__pycache__";

impl OwnFiles {
    /// No files.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file, which may not exist yet, and its copies: names that begin with its name, such
    /// as `spidey.toml~` and `access.log.1.gz`, or that contain a number or a date, such as
    /// `access-20261129.log`.
    #[must_use]
    pub fn file(mut self, path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        self.identify(path);
        // Both the link and its target.
        if let Ok(target) = fs::canonicalize(path) {
            self.rules.push((Kind::File, target));
        }
        self.rules.push((Kind::File, real_path(path)));
        self
    }

    /// Adds a folder with everything in it. If the docroot itself lies in it, only the
    /// links from outside count.
    #[must_use]
    pub fn folder(mut self, path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        self.identify(path);
        self.identify_linked(path);
        let real = fs::canonicalize(path).unwrap_or_else(|_| real_path(path));
        self.rules.push((Kind::Folder, real));
        self
    }

    /// Adds the Python code in a folder.
    #[must_use]
    pub fn code(mut self, path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        let real = fs::canonicalize(path).unwrap_or_else(|_| real_path(path));
        self.rules.push((Kind::Code, real));
        self
    }

    fn identify(&mut self, path: &Path) {
        if let Ok(metadata) = fs::metadata(path) {
            self.identities.insert((metadata.dev(), metadata.ino()));
        }
    }

    /// Adds the files in a folder that have several names (hard links): the other names may be in
    /// the docroot.
    fn identify_linked(&mut self, folder: &Path) {
        let Ok(entries) = fs::read_dir(folder) else {
            return;
        };
        for entry in entries.filter_map(Result::ok) {
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            if metadata.is_dir() {
                self.identify_linked(&entry.path());
            } else if metadata.is_file() && metadata.nlink() > 1 {
                self.identities.insert((metadata.dev(), metadata.ino()));
            }
        }
    }

    /// The same list, limited to one docroot.
    pub(super) fn beneath(&self, docroot: &Path) -> OwnFilesBeneath {
        let rules = self.rules.iter().filter_map(|(kind, path)| {
            if *kind == Kind::Code && docroot.starts_with(path) {
                return Some((*kind, String::new()));
            }
            let path = path.strip_prefix(docroot).ok()?;
            let is_whole = path.as_os_str().is_empty() && *kind == Kind::Folder;
            let lower = path.to_string_lossy().to_lowercase();
            (!is_whole).then_some((*kind, lower))
        });
        let mut identities = self.identities.clone();
        // The docroot may also be the folder of error pages; it is served nevertheless.
        if let Ok(root) = fs::metadata(docroot) {
            identities.remove(&(root.dev(), root.ino()));
        }
        let mut rules: Vec<_> = rules.collect();
        rules.sort_unstable();
        rules.dedup();
        OwnFilesBeneath { rules, identities }
    }

    /// The first of the added paths of configuration or code that lies in a folder.
    #[must_use]
    pub fn first_beneath(&self, folder: &Path) -> Option<&Path> {
        let folder = fs::canonicalize(folder).ok()?;
        let mut paths = self.rules.iter().map(|(_, path)| path.as_path());
        paths.find(|path| path.starts_with(&folder) && path.exists())
    }
}

/// The server's own files in one docroot: paths relative to it, in lower case, because some file
/// systems do not distinguish `A` and `a`.
#[derive(Debug, Default)]
pub(super) struct OwnFilesBeneath {
    rules: Vec<(Kind, String)>,
    identities: HashSet<(u64, u64)>,
}

impl OwnFilesBeneath {
    /// Whether the file at a path, relative to the docroot, belongs to the server; `identity` is
    /// its device and inode.
    pub(super) fn contain(&self, path: &[u8], identity: Option<(u64, u64)>) -> bool {
        if identity.is_some_and(|identity| self.identities.contains(&identity)) {
            return true;
        }
        if self.rules.is_empty() {
            return false;
        }
        let path = String::from_utf8_lossy(path).to_lowercase();
        let path = path.trim_end_matches('/');
        self.rules
            .iter()
            .any(|(kind, own)| matches(*kind, own, path))
    }
}

fn matches(kind: Kind, own: &str, path: &str) -> bool {
    match kind {
        Kind::Folder => begins_with(path, own),
        Kind::Code => begins_with(path, own) && is_code(path),
        Kind::File => {
            let (own_folder, own) = split(own);
            let (folder, name) = split(path);
            folder == own_folder && is_copy(name, own)
        }
    }
}

/// The folder and the name.
fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

fn begins_with(path: &str, folder: &str) -> bool {
    let rest = path.strip_prefix(folder);
    folder.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn is_code(path: &str) -> bool {
    let extension = split(path)
        .1
        .rsplit_once('.')
        .map(|(_, extension)| extension);
    extension.is_some_and(|extension| CODE.contains(&extension))
        || path.split('/').any(|part| part == COMPILED)
}

/// Whether a name is that of an own file, or of a copy of it. Both are in lower case.
fn is_copy(name: &str, own: &str) -> bool {
    // Editors make `.spidey.toml.swp` and `#spidey.toml#`.
    let bare = name.trim_start_matches(['.', '#']);
    let is_suffix = |rest: &str| !rest.starts_with(char::is_alphanumeric);
    let is_begun = |name: &str| name.strip_prefix(own).is_some_and(is_suffix);
    if is_begun(name) || is_begun(bare) {
        return true;
    }
    // `access-20261129.log`, `access.1.log`, `access_2026-11-29.log.gz`.
    let Some((stem, extension)) = own.rsplit_once('.') else {
        return false;
    };
    let rest = name.strip_prefix(stem);
    let Some(rest) = rest.and_then(|rest| rest.strip_prefix(['-', '.', '_'])) else {
        return false;
    };
    let ending = rest.trim_start_matches(|c: char| c.is_ascii_digit() || "-_.".contains(c));
    let has_number = rest.starts_with(|c: char| c.is_ascii_digit());
    has_number && ending.strip_prefix(extension).is_some_and(is_suffix)
}

/// The absolute path, with the links of its folder resolved. The file need not exist.
fn real_path(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut missing = Vec::new();
    let mut folder = absolute.as_path();
    while let (Some(parent), Some(name)) = (folder.parent(), folder.file_name()) {
        missing.push(name);
        folder = parent;
        if let Ok(real) = fs::canonicalize(folder) {
            return missing
                .iter()
                .rev()
                .fold(real, |path, name| path.join(name));
        }
    }
    absolute
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn own(own: &OwnFilesBeneath, root: &Path, path: &str) -> bool {
        let metadata = fs::metadata(root.join(path)).ok();
        let identity = metadata.map(|metadata| (metadata.dev(), metadata.ino()));
        own.contain(path.as_bytes(), identity)
    }

    #[test]
    fn copies_of_a_file_belong_to_it() {
        for (name, file, expected) in [
            ("spidey.toml", "spidey.toml", true),
            ("spidey.toml~", "spidey.toml", true),
            ("spidey.toml.bak", "spidey.toml", true),
            (".spidey.toml.swp", "spidey.toml", true),
            ("#spidey.toml#", "spidey.toml", true),
            ("spidey.tomlx", "spidey.toml", false),
            ("my-spidey.toml", "spidey.toml", false),
            ("access.log.1", "access.log", true),
            ("access.log-20261129.gz", "access.log", true),
            ("access-20261129.log", "access.log", true),
            ("access_2026-11-29.log.gz", "access.log", true),
            ("access.2.log", "access.log", true),
            ("access-denied.log", "access.log", false),
            ("logo.png", "log", false),
            ("log.1", "log", true),
        ] {
            let copy = is_copy(name, file);
            assert_eq!(copy, expected, "{name} of {file}");
        }
    }

    #[test]
    fn a_file_is_known_by_its_real_path_and_by_its_inode() {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        fs::create_dir_all(root.join("sub/errors")).unwrap();
        fs::write(root.join("secret"), "x").unwrap();
        fs::write(root.join("public"), "x").unwrap();
        fs::write(root.join("sub/errors/404.html"), "x").unwrap();
        fs::hard_link(root.join("secret"), root.join("sub/other")).unwrap();
        fs::hard_link(root.join("sub/errors/404.html"), root.join("page")).unwrap();
        symlink("sub", root.join("link")).unwrap();
        let list = OwnFiles::new()
            .file(root.join("secret"))
            .file(root.join("link/to-come.toml"))
            .folder(root.join("link/errors"))
            .beneath(&root);
        for (path, expected) in [
            ("secret", true),
            ("Secret", true),
            ("sub/other", true),
            ("sub/to-come.toml", true),
            ("sub/errors", true),
            ("sub/errors/404.html", true),
            ("sub/errors/new", true),
            ("page", true),
            ("public", false),
            ("sub", false),
            ("sub/errors2", false),
            ("to-come.toml", false),
        ] {
            assert_eq!(own(&list, &root, path), expected, "{path}");
        }
    }

    #[test]
    fn python_code_belongs_to_the_server_wherever_the_docroot_is() {
        let folder = tempfile::tempdir().unwrap();
        let project = fs::canonicalize(folder.path()).unwrap();
        fs::create_dir_all(project.join("media")).unwrap();
        for docroot in [project.clone(), project.join("media")] {
            let list = OwnFiles::new()
                .code(&project)
                .folder(&docroot)
                .beneath(&docroot);
            for (path, expected) in [
                ("app.py", true),
                ("package/VIEWS.PY", true),
                ("package/__pycache__/x.cpython-313.pyc", true),
                ("style.css", false),
                ("py", false),
            ] {
                assert_eq!(own(&list, &docroot, path), expected, "{path}");
            }
        }
    }
}
