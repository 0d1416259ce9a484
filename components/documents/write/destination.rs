//! The target of a write in the document root: a folder, and a name in it.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use http::StatusCode;
use rustix::fs::{AtFlags, FileType, fsync, statat};
use rustix::io::Errno;

use crate::coding::Coding;
use crate::documents::cache::Identity;
use crate::documents::files::Files;
use crate::documents::kept_back::KeptBack;
use crate::documents::{Docroot, Found, Refused};
use crate::http::{Fields, Precondition, RequestHead, evaluate_preconditions};
use crate::web::{Failure, Request, is_cross_site};

/// A folder of the document root, and a name in it.
#[derive(Debug)]
pub(super) struct Destination {
    docroot: Docroot,
    kept_back: Arc<KeptBack>,
    /// Relative to the root, without links.
    real: Vec<u8>,
    /// Relative to the root.
    path: Vec<u8>,
    pub(super) folder: OwnedFd,
}

/// Why a target cannot be changed: the status for the peer, and the reason.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unchanged {
    pub(super) status: StatusCode,
    pub(super) explanation: &'static str,
}

const fn unchanged(status: StatusCode, explanation: &'static str) -> Unchanged {
    Unchanged {
        status,
        explanation,
    }
}

impl Unchanged {
    pub(super) const NOTHING: Self =
        unchanged(StatusCode::NOT_FOUND, "there is nothing at this place");
    pub(super) const FULL: Self = unchanged(
        StatusCode::INSUFFICIENT_STORAGE,
        "there is no room left for this",
    );
    const CONDITION: Self = unchanged(
        StatusCode::PRECONDITION_FAILED,
        "this is no longer the file that you have in mind",
    );
    pub(super) const NO_FOLDER: Self = unchanged(
        StatusCode::CONFLICT,
        "the folder that this is to be in does not exist",
    );
    pub(super) const TAKEN: Self = unchanged(
        StatusCode::CONFLICT,
        "there is something of this name already",
    );
    pub(super) const NOT_EMPTY: Self = unchanged(
        StatusCode::CONFLICT,
        "this folder is not empty: delete what it contains first",
    );
    pub(super) const TOO_LARGE: Self = unchanged(
        StatusCode::CONFLICT,
        "this folder contains too many files to be renamed here",
    );
    pub(super) const CROSS_SITE: Self = unchanged(
        StatusCode::FORBIDDEN,
        "a page of another site has sent this: files are changed only from pages of this server",
    );
    const PROTECTED: Self = unchanged(
        StatusCode::FORBIDDEN,
        "access to this path, or to one below it, is restricted: its name stays as it is",
    );
    const NO_FILE: Self = unchanged(StatusCode::CONFLICT, "this is no file, and stays as it is");
    pub(super) const FORBIDDEN: Self = unchanged(StatusCode::FORBIDDEN, "this may not be written");
    const TOO_LONG: Self = unchanged(StatusCode::BAD_REQUEST, "this name is too long");
    const FAILED: Self = unchanged(
        StatusCode::INTERNAL_SERVER_ERROR,
        "the file could not be written",
    );

    /// As a failure of a request.
    pub(super) fn of(self, request: &Request) -> Failure {
        request.refuse(self.status, self.explanation)
    }
}

impl From<Errno> for Unchanged {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::NOSPC | Errno::DQUOT | Errno::FBIG => Self::FULL,
            Errno::NOENT | Errno::NOTDIR => Self::NO_FOLDER,
            Errno::ACCESS | Errno::PERM | Errno::ROFS | Errno::XDEV | Errno::LOOP => {
                Self::FORBIDDEN
            }
            Errno::NAMETOOLONG => Self::TOO_LONG,
            Errno::ISDIR | Errno::NOTEMPTY | Errno::EXIST => Self::NO_FILE,
            other => {
                log::error!("a file could not be written: {other}");
                Self::FAILED
            }
        }
    }
}

impl From<io::Error> for Unchanged {
    fn from(error: io::Error) -> Self {
        Errno::from_io_error(&error).map_or(Self::FAILED, Self::from)
    }
}

/// The state of a target before the change.
#[derive(Debug)]
pub(super) struct Current {
    pub(super) identity: Identity,
    pub(super) mode: u32,
    modified: SystemTime,
}

impl Destination {
    /// The target of a request, if clients may change it. May wait for the disk.
    pub(super) fn open(
        docroot: &Docroot,
        kept_back: &Arc<KeptBack>,
        path: &[u8],
    ) -> Result<Self, Unchanged> {
        let (parent, name) = match path.iter().rposition(|&b| b == b'/') {
            Some(slash) => (&path[..slash], &path[slash + 1..]),
            None => (&b""[..], path),
        };
        if name.is_empty() {
            return Err(Unchanged::NO_FILE);
        }
        let folder = docroot.open_folder(parent)?;
        let real = Path::new(OsStr::from_bytes(&docroot.relative_path_of(&folder)?))
            .join(OsStr::from_bytes(name))
            .into_os_string()
            .into_encoded_bytes();
        if [path, &real]
            .iter()
            .any(|path| !kept_back.may_be_written(path, None))
        {
            return Err(Unchanged::FORBIDDEN);
        }
        Ok(Self {
            docroot: docroot.clone(),
            kept_back: kept_back.clone(),
            real,
            path: path.to_vec(),
            folder,
        })
    }

    /// Whether clients may have a folder at this place: not one of programs.
    pub(super) fn check_folder(&self) -> Result<(), Unchanged> {
        let may_be = |path: &[u8]| self.kept_back.folder_may_be_written(path);
        match may_be(&self.path) && may_be(&self.real) {
            true => Ok(()),
            false => Err(Unchanged::FORBIDDEN),
        }
    }

    /// Whether forms may make, rename or remove this: the filter that protects a path sees only
    /// the folder of the form.
    pub(super) fn check_unprotected(&self) -> Result<(), Unchanged> {
        let leads_there = |path: &[u8]| self.kept_back.leads_to_protected(path);
        match leads_there(&self.path) || leads_there(&self.real) {
            true => Err(Unchanged::PROTECTED),
            false => Ok(()),
        }
    }

    /// Whether the folder still has the path for which it was checked: a new name could make
    /// programs of its files.
    fn check_place(&self) -> Result<(), Unchanged> {
        let now = self.docroot.relative_path_of(&self.folder)?;
        match Path::new(OsStr::from_bytes(&self.real)).parent() {
            Some(parent) if parent.as_os_str().as_bytes() == now => Ok(()),
            _ => Err(Unchanged::NO_FOLDER),
        }
    }

    /// The path without links, relative to the root.
    pub(super) fn real(&self) -> &[u8] {
        &self.real
    }

    pub(super) fn name(&self) -> &Path {
        let name = self.path.rsplit(|&b| b == b'/').next();
        Path::new(OsStr::from_bytes(name.unwrap_or_default()))
    }

    /// The existing file, if there is one. May wait for the disk.
    pub(super) fn current(&self) -> Result<Option<Current>, Unchanged> {
        match statat(&self.folder, self.name(), AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
            Ok(stat) => match FileType::from_raw_mode(stat.st_mode) {
                FileType::RegularFile | FileType::Symlink => {}
                _ => return Err(Unchanged::NO_FILE),
            },
        }
        match self.docroot.find(&self.path) {
            Ok(Found::File(_, metadata))
                if !self.kept_back.may_be_written(&self.real, Some(&metadata)) =>
            {
                Err(Unchanged::FORBIDDEN)
            }
            Ok(Found::File(_, metadata)) => Ok(Some(Current {
                identity: Identity::of(&metadata),
                mode: std::os::unix::fs::MetadataExt::mode(&metadata),
                modified: metadata.modified()?,
            })),
            Ok(Found::Folder(_)) => Err(Unchanged::NO_FILE),
            // A link that leads nowhere, or to where the server does not follow: treat it as
            // missing.
            Err(Refused::NotFound) => Ok(None),
            Err(Refused::Forbidden) => Err(Unchanged::FORBIDDEN),
            Err(Refused::System(error)) => Err(error.into()),
        }
    }

    /// The current state, if the request may change it (RFC 9110 section 13.2.2). May wait for the
    /// disk.
    pub(super) fn permitted(&self, head: &RequestHead) -> Result<Option<Current>, Unchanged> {
        let current = self.current()?;
        let etag = current.as_ref().map(|current| current.identity.etag());
        let modified = current.as_ref().map(|current| current.modified);
        let fields = without_codings(&head.fields);
        let etag = etag.as_deref().map(str::as_bytes);
        match evaluate_preconditions(&head.method, &fields, etag, modified) {
            Precondition::Proceed => Ok(current),
            _ => Err(Unchanged::CONDITION),
        }
    }

    /// Changes the target under the lock of this server, if its folder is still in its place and
    /// the preconditions still hold, and syncs it to the disk.
    pub(super) fn change<T>(
        &self,
        head: &RequestHead,
        change: impl FnOnce(Option<Current>) -> Result<T, Unchanged>,
    ) -> Result<T, Unchanged> {
        let outcome = self.docroot.change(|| {
            self.check_place()?;
            change(self.permitted(head)?)
        })?;
        fsync(&self.folder)?;
        Ok(outcome)
    }
}

/// The path of a request that changes a file, if a client may change files by it: not if a page of
/// another site has sent it. Every component that changes files calls this.
pub(super) fn writable_path(files: &Files, request: &Request) -> Result<Vec<u8>, Failure> {
    if is_cross_site(&request.head) {
        return Err(Unchanged::CROSS_SITE.of(request));
    }
    match files.path(request) {
        Ok(path) => Ok(path.into_owned()),
        Err(failure) if failure.status == StatusCode::NOT_FOUND => {
            Err(Unchanged::FORBIDDEN.of(request))
        }
        Err(failure) => Err(failure),
    }
}

/// Replaces the tags of encoded variants in the fields by the tag of the file itself: a client that
/// received only an encoded variant must be able to change the file.
fn without_codings(fields: &Fields) -> Fields {
    let mut plain = fields.clone();
    for name in ["if-match", "if-none-match"] {
        if !fields.contains(name) {
            continue;
        }
        let values: Vec<_> = fields.get_all(name).map(String::from_utf8_lossy).collect();
        let value = values.join(", ");
        let parts = value.split('"').map(|part| {
            let mut words = part.splitn(4, '-');
            let coding = words.nth(3).unwrap_or_default();
            match Coding::ALL
                .iter()
                .find(|known| coding.starts_with(known.name()))
            {
                Some(_) => &part[..part.len() - coding.len() - 1],
                None => part,
            }
        });
        let value = parts.collect::<Vec<_>>().join("\"");
        // An invalid value stays unchanged.
        let _ = plain.set(name, value);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_507() {
        for errno in [Errno::NOSPC, Errno::DQUOT, Errno::FBIG] {
            assert_eq!(Unchanged::from(errno).status.as_u16(), 507);
            let error = io::Error::from(errno);
            assert_eq!(Unchanged::from(error).status.as_u16(), 507);
        }
    }

    #[test]
    fn tags_of_codings_stand_for_the_file() {
        let rows = [
            ("\"a-b-c-gzip\"", "\"a-b-c\""),
            ("\"a-b-c-br-d-e-f\", W/\"x\"", "\"a-b-c\", W/\"x\""),
            ("\"a-b-c\"", "\"a-b-c\""),
            ("\"a-b-c-other\"", "\"a-b-c-other\""),
            ("*", "*"),
        ];
        for (value, expected) in rows {
            let fields = without_codings(&Fields::new().with("If-Match", value));
            assert_eq!(fields.get("if-match"), Some(expected.as_bytes()));
        }
    }
}
