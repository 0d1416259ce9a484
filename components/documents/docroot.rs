//! The document root: a folder that the operating system itself does not let a request leave.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;

/// A folder to serve. It gives access to nothing outside of it: each path is resolved by openat2(2)
/// with RESOLVE_BENEATH, so that neither `..` nor a link leads out. An absolute link to a file
/// inside the folder works.
///
/// # Examples
///
/// ```
/// use kamea_components::documents::{Docroot, Found, Refused};
///
/// let folder = tempfile::tempdir()?;
/// std::fs::write(folder.path().join("hello.txt"), "hello")?;
/// let docroot = Docroot::open(folder.path())?;
/// assert!(matches!(docroot.find(b"hello.txt"), Ok(Found::File(..))));
/// assert!(matches!(docroot.find(b"../../etc/passwd"), Err(Refused::NotFound)));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Docroot {
    folder: Arc<OwnedFd>,
    /// How often files have been changed through this server.
    changes: Arc<AtomicU64>,
    /// Held while a file is moved to its final name, or removed.
    change: Arc<Mutex<()>>,
}

/// The kind of what is at a path.
#[derive(Debug)]
pub enum Found {
    /// A regular file, open for reading.
    File(File, Metadata),
    /// A folder, open for listing.
    Folder(File),
}

/// A file or folder that was opened.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) found: Found,
    pub(super) metadata: Metadata,
    /// Its path relative to the root, if a link led to another path than the requested one.
    pub(super) real: Option<Vec<u8>>,
}

/// A file or folder that was located, but not opened for reading.
#[derive(Debug)]
pub struct Located {
    file: File,
    metadata: Metadata,
    real: Option<Vec<u8>>,
}

/// The flags to open a file for reading. NONBLOCK: opening a FIFO must not wait for its writer.
const READING: OFlags = OFlags::RDONLY
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// The flags to locate something without opening it for reading.
const LOCATING: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

impl Located {
    fn new((descriptor, real): (OwnedFd, Option<Vec<u8>>)) -> Result<Self, Refused> {
        let file = File::from(descriptor);
        let metadata = existing(&file, real.as_deref())?;
        Ok(Self {
            file,
            metadata,
            real,
        })
    }

    /// Its path relative to the root, if a link led to another path than the requested one.
    pub(crate) fn real_path(&self) -> Option<&[u8]> {
        self.real.as_deref()
    }

    /// The descriptor: it refers to the file itself, even if its name changes.
    pub(crate) fn into_descriptor(self) -> OwnedFd {
        self.file.into()
    }

    /// The metadata from the system.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Its absolute path, without links.
    ///
    /// # Errors
    ///
    /// If the system cannot tell.
    pub fn path(&self) -> io::Result<PathBuf> {
        path_of(&self.file)
    }
}

/// The metadata of a file. A file that was removed meanwhile no longer has a real path.
fn existing(file: &File, real: Option<&[u8]>) -> Result<Metadata, Refused> {
    let metadata = file.metadata().map_err(Refused::System)?;
    if real.is_some() && metadata.nlink() == 0 {
        return Err(Refused::NotFound);
    }
    Ok(metadata)
}

/// The path of an open descriptor (proc(5)).
fn path_of(file: &impl AsRawFd) -> io::Result<PathBuf> {
    std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

/// Why a path is not served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// There is nothing, or it lies outside of the root, or it is neither file nor folder.
    #[error("there is nothing at this place")]
    NotFound,
    /// The server has no permission to read it.
    #[error("this may not be read")]
    Forbidden,
    /// The system reported another error.
    #[error("{0}")]
    System(io::Error),
}

impl From<Errno> for Refused {
    fn from(errno: Errno) -> Self {
        match errno {
            // openat2 returns XDEV for a path that leaves the root, and NXIO for a socket.
            Errno::NOENT
            | Errno::NOTDIR
            | Errno::LOOP
            | Errno::XDEV
            | Errno::NAMETOOLONG
            | Errno::INVAL
            | Errno::NXIO => Self::NotFound,
            Errno::ACCESS | Errno::PERM => Self::Forbidden,
            other => Self::System(other.into()),
        }
    }
}

impl Docroot {
    /// Opens the folder.
    ///
    /// # Errors
    ///
    /// If it is missing, is not a folder, or may not be entered, or if the system has no openat2(2)
    /// (Linux 5.6).
    pub fn open(folder: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = openat(CWD, folder, flags, Mode::empty())?;
        // Without openat2 nothing could be served: it is better to fail now.
        match openat2(&folder, ".", flags, Mode::empty(), ResolveFlags::BENEATH) {
            Err(Errno::NOSYS) => {
                let needed = "the system has no openat2(2), which Linux has had since 5.6";
                return Err(io::Error::new(io::ErrorKind::Unsupported, needed));
            }
            outcome => drop(outcome?),
        }
        Ok(Self {
            folder: Arc::new(folder),
            changes: Arc::default(),
            change: Arc::default(),
        })
    }

    /// How often files have been changed through this docroot or a clone of it.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Changes files under a lock: `change` may first check that the file to replace is still the
    /// same. Only a success counts: each change empties the caches of all workers. Fails only if
    /// nothing was changed.
    pub(super) fn change<T, E>(&self, change: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let _guard = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = change()?;
        self.changes.fetch_add(1, Ordering::Release);
        Ok(outcome)
    }

    /// Opens a folder, to change names in it. May wait for the disk.
    pub(super) fn open_folder(&self, path: &[u8]) -> rustix::io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        loop {
            match self.open_real(path, flags, ResolveFlags::empty()) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                outcome => return outcome.map(|(folder, _)| folder),
            }
        }
    }

    /// Opens the file or folder at `path`, which is relative to the root; empty for the root
    /// itself. May wait for the disk.
    ///
    /// # Errors
    ///
    /// [`Refused`] says why it is not served.
    pub fn find(&self, path: &[u8]) -> Result<Found, Refused> {
        self.open_file(path).map(|opened| opened.found)
    }

    /// Like [`find`](Self::find), with the real path.
    pub(super) fn open_file(&self, path: &[u8]) -> Result<Opened, Refused> {
        loop {
            match self.open_real(path, READING, ResolveFlags::empty()) {
                // Something was renamed during the resolution of the path (openat2(2)).
                Err(Errno::AGAIN | Errno::INTR) => {}
                outcome => return Opened::new(outcome?),
            }
        }
    }

    /// Like [`find`](Self::find), but does not wait for the disk: `None` if the system does not
    /// have the whole path in memory.
    ///
    /// # Errors
    ///
    /// [`Refused`] says why it is not served.
    pub fn find_cached(&self, path: &[u8]) -> Result<Option<Found>, Refused> {
        let opened = self.open_file_cached(path)?;
        Ok(opened.map(|opened| opened.found))
    }

    /// Like [`find_cached`](Self::find_cached), with the real path.
    pub(super) fn open_file_cached(&self, path: &[u8]) -> Result<Option<Opened>, Refused> {
        match self.open_real(path, READING, ResolveFlags::CACHED) {
            // INVAL: the system does not know this flag, or the path is invalid and `find` reports
            // that better. XDEV: a link may lead back into the root.
            Err(Errno::AGAIN | Errno::INTR | Errno::INVAL | Errno::XDEV) => Ok(None),
            outcome => Opened::new(outcome?).map(Some),
        }
    }

    /// Locates the file or folder at `path`, relative to the root, even if it is not readable. May
    /// wait for the disk.
    ///
    /// # Errors
    ///
    /// [`Refused`] says why it is not available.
    pub fn locate(&self, path: &[u8]) -> Result<Located, Refused> {
        loop {
            match self.open_real(path, LOCATING, ResolveFlags::empty()) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                outcome => return Located::new(outcome?),
            }
        }
    }

    /// Like [`locate`](Self::locate), but does not wait for the disk: `None` if the system does not
    /// have the whole path in memory.
    ///
    /// # Errors
    ///
    /// [`Refused`] says why it is not available.
    pub fn locate_cached(&self, path: &[u8]) -> Result<Option<Located>, Refused> {
        match self.open_real(path, LOCATING, ResolveFlags::CACHED) {
            Err(Errno::AGAIN | Errno::INTR | Errno::INVAL | Errno::XDEV) => Ok(None),
            outcome => Located::new(outcome?).map(Some),
        }
    }

    /// The absolute path of the root, without links.
    ///
    /// # Errors
    ///
    /// If the system cannot tell.
    pub fn path(&self) -> io::Result<PathBuf> {
        path_of(&*self.folder)
    }

    /// Opens a path; also returns its real path, if there is a link on it. Most paths contain no
    /// link, and cost one system call.
    fn open_real(
        &self,
        path: &[u8],
        flags: OFlags,
        how: ResolveFlags,
    ) -> rustix::io::Result<(OwnedFd, Option<Vec<u8>>)> {
        match self.open_beneath(path, flags, how | ResolveFlags::NO_SYMLINKS) {
            Err(Errno::LOOP) => {
                let descriptor = match self.open_beneath(path, flags, how) {
                    Err(Errno::XDEV) if !how.contains(ResolveFlags::CACHED) => {
                        self.open_by_links_from_outside(path, flags, how)
                    }
                    opened => opened,
                }?;
                let real = self.relative_path_of(&descriptor)?;
                Ok((descriptor, Some(real)))
            }
            opened => Ok((opened?, None)),
        }
    }

    /// Opens a path whose links lead through folders outside of the root, but back into it, such as
    /// absolute links. The system then opens the real path beneath the root, without any link, so a
    /// link that changes meanwhile cannot lead out.
    fn open_by_links_from_outside(
        &self,
        path: &[u8],
        flags: OFlags,
        how: ResolveFlags,
    ) -> rustix::io::Result<OwnedFd> {
        let has_parent_segment = path.split(|&byte| byte == b'/').any(|part| part == b"..");
        if has_parent_segment || path.starts_with(b"/") {
            return Err(Errno::XDEV);
        }
        let errno = |error| Errno::from_io_error(&error).unwrap_or(Errno::NOENT);
        let root = self.path().map_err(errno)?;
        let real = fs::canonicalize(root.join(OsStr::from_bytes(path))).map_err(errno)?;
        let relative = real.strip_prefix(root).map_err(|_| Errno::XDEV)?;
        let relative = relative.as_os_str().as_bytes();
        self.open_beneath(relative, flags, how | ResolveFlags::NO_SYMLINKS)
    }

    /// The path of an open file, relative to the root and without links.
    pub(super) fn relative_path_of(&self, file: &impl AsRawFd) -> rustix::io::Result<Vec<u8>> {
        let errno = |error| Errno::from_io_error(&error).unwrap_or(Errno::NOENT);
        let (root, path) = (self.path().map_err(errno)?, path_of(file).map_err(errno)?);
        // The root itself may have been moved in between: then the path is unknown.
        let relative = path.strip_prefix(root).map_err(|_| Errno::XDEV)?;
        Ok(relative.as_os_str().as_bytes().to_vec())
    }

    fn open_beneath(
        &self,
        path: &[u8],
        flags: OFlags,
        how: ResolveFlags,
    ) -> rustix::io::Result<OwnedFd> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | how;
        let path = OsStr::from_bytes(if path.is_empty() { b"." } else { path });
        openat2(&self.folder, path, flags, Mode::empty(), resolve)
    }
}

impl Opened {
    fn new((descriptor, real): (OwnedFd, Option<Vec<u8>>)) -> Result<Self, Refused> {
        let file = File::from(descriptor);
        let metadata = existing(&file, real.as_deref())?;
        let found = if metadata.is_file() {
            Found::File(file, metadata.clone())
        } else if metadata.is_dir() {
            Found::Folder(file)
        } else {
            return Err(Refused::NotFound);
        };
        Ok(Self {
            found,
            metadata,
            real,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_changes_that_were_made_count() {
        let root = tempfile::tempdir().unwrap();
        let docroot = Docroot::open(root.path()).unwrap();
        assert_eq!(docroot.change(|| Err::<(), _>("refused")), Err("refused"));
        assert_eq!(docroot.changes(), 0);
        assert_eq!(docroot.change(|| Ok::<_, ()>(7)), Ok(7));
        assert_eq!(docroot.clone().changes(), 1);
    }

    #[test]
    fn nothing_outside_of_the_root_can_be_opened() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret"), "secret").unwrap();
        let root = outside.path().join("root");
        fs::create_dir_all(root.join("folder")).unwrap();
        fs::write(root.join("file"), "public").unwrap();
        symlink("/etc/passwd", root.join("absolute")).unwrap();
        symlink("../secret", root.join("relative")).unwrap();
        symlink("..", root.join("up")).unwrap();
        symlink("relative", root.join("chain")).unwrap();
        symlink("/proc/self/root", root.join("magic")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        symlink("file", root.join("inside")).unwrap();
        rustix::fs::mkfifoat(CWD, root.join("fifo"), Mode::RUSR | Mode::WUSR).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();

        let docroot = Docroot::open(&root).unwrap();
        for path in [
            "..",
            "../secret",
            "folder/../../secret",
            "/etc/passwd",
            "absolute",
            "relative",
            "up",
            "up/secret",
            "chain",
            "magic",
            "magic/etc/passwd",
            "loop",
            "fifo",
            "socket",
            "missing",
            "file/",
            "file/x",
        ] {
            for found in [
                docroot.find(path.as_bytes()).map(Some),
                docroot.find_cached(path.as_bytes()),
            ] {
                let is_refused = matches!(found, Err(Refused::NotFound) | Ok(None));
                assert!(is_refused, "{path}: {found:?}");
            }
        }
        // It was opened just before, so that the system has the path in memory.
        assert!(matches!(
            docroot.find_cached(b"file"),
            Ok(Some(Found::File(..)))
        ));
        assert!(
            matches!(docroot.find(b"inside"), Ok(Found::File(..))),
            "a link that stays inside is followed"
        );
        assert!(matches!(docroot.find(b"folder/"), Ok(Found::Folder(_))));
        assert!(matches!(docroot.find(b""), Ok(Found::Folder(_))));
        assert!(matches!(
            docroot.find(&[b'x'; 5000]),
            Err(Refused::NotFound)
        ));
    }

    #[test]
    fn a_link_may_lead_back_into_the_root() {
        let outside = tempfile::tempdir().unwrap();
        let root = outside.path().join("root");
        fs::create_dir_all(root.join("folder")).unwrap();
        fs::write(root.join("folder/file"), "public").unwrap();
        fs::write(outside.path().join("secret"), "secret").unwrap();
        symlink("root", outside.path().join("alias")).unwrap();
        symlink(outside.path().join("secret"), root.join("out")).unwrap();
        let links = [
            ("file", root.join("folder/file")),
            ("folder-link", root.join("folder")),
            ("by-alias", outside.path().join("alias/folder/file")),
            ("by-parent", PathBuf::from("../alias/folder/file")),
            ("chain", root.join("by-alias")),
            ("root-itself", root.clone()),
        ];
        for (name, target) in &links {
            symlink(target, root.join(name)).unwrap();
        }
        let docroot = Docroot::open(&root).unwrap();
        for (path, real) in [
            ("file", "folder/file"),
            ("folder-link/file", "folder/file"),
            ("by-alias", "folder/file"),
            ("by-parent", "folder/file"),
            ("chain", "folder/file"),
            ("root-itself/folder-link/file", "folder/file"),
        ] {
            let opened = docroot.open_file(path.as_bytes()).unwrap();
            assert!(matches!(opened.found, Found::File(..)), "{path}");
            assert_eq!(opened.real.as_deref(), Some(real.as_bytes()), "{path}");
            let located = docroot.locate(path.as_bytes()).unwrap();
            assert_eq!(located.real_path(), Some(real.as_bytes()), "{path}");
            // The system does not say so without asking the disk.
            assert!(matches!(docroot.find_cached(path.as_bytes()), Ok(None)));
        }
        assert!(matches!(
            docroot.find(b"folder-link/"),
            Ok(Found::Folder(_))
        ));
        assert!(docroot.open_folder(b"folder-link").is_ok());
        for path in [
            "out",
            "root-itself/out",
            "folder-link/../../secret",
            "folder-link/../../root/folder/file",
            "file/",
            "folder-link/missing",
        ] {
            let found = docroot.find(path.as_bytes());
            assert!(matches!(found, Err(Refused::NotFound)), "{path}: {found:?}");
        }
    }
}
