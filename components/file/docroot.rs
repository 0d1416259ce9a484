//! The document root: a folder that the operating system itself keeps us inside of.

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;

/// A folder that is served. Nothing outside of it can be opened through it: each path is resolved by openat2(2) with
/// RESOLVE_BENEATH, so that neither `..` nor a link leads out.
#[derive(Debug, Clone)]
pub struct Docroot {
    folder: Arc<OwnedFd>,
}

/// What is found at a path.
#[derive(Debug)]
pub enum Found {
    /// A regular file, open for reading.
    File(File, Metadata),
    /// A folder, open for listing.
    Folder(File),
}

/// Why a path is not served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// There is nothing, or it lies outside of the root, or it is neither file nor folder.
    #[error("there is nothing at this place")]
    NotFound,
    /// The server may not read it.
    #[error("this may not be read")]
    Forbidden,
    /// The system could not say.
    #[error("{0}")]
    System(io::Error),
}

impl From<Errno> for Refused {
    fn from(errno: Errno) -> Self {
        match errno {
            // XDEV is what openat2 says of a path that leaves the root; NXIO, of a socket.
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
    /// If it is missing, no folder, or may not be entered.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self {
            folder: Arc::new(openat(CWD, folder, flags, Mode::empty())?),
        })
    }

    /// Opens what is at `path`, which is relative to the root; empty for the root itself. May wait for the disk.
    ///
    /// # Errors
    ///
    /// [`Refused`] says why it is not served.
    pub fn find(&self, path: &[u8]) -> Result<Found, Refused> {
        // NONBLOCK: opening a FIFO must not wait for whoever writes to it.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let path = if path.is_empty() { b"." } else { path };
        let file = loop {
            match openat2(
                &self.folder,
                OsStr::from_bytes(path),
                flags,
                Mode::empty(),
                resolve,
            ) {
                Ok(file) => break File::from(file),
                // Something was renamed while the path was resolved (openat2(2)).
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        };
        let metadata = file.metadata().map_err(Refused::System)?;
        if metadata.is_file() {
            Ok(Found::File(file, metadata))
        } else if metadata.is_dir() {
            Ok(Found::Folder(file))
        } else {
            Err(Refused::NotFound)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

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
            let found = docroot.find(path.as_bytes());
            assert!(matches!(found, Err(Refused::NotFound)), "{path}: {found:?}");
        }
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
}
