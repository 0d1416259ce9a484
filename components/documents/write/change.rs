//! The forms of a listing: a new folder, a new name, and the removal of a file or an empty folder.
//! They work in a browser without scripts.

use std::borrow::Cow;
use std::ffi::CStr;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;

use form_urlencoded::parse;
use http::StatusCode;
use kamea::{Component, at_first_message, unblock};
use percent_encoding::percent_decode;
use rustix::fs::{
    AtFlags, Dir, FileType, Mode, RenameFlags, fsync, mkdirat, renameat, renameat_with, statat,
    unlinkat,
};
use rustix::io::Errno;

use super::destination::{Destination, Unchanged, writable_path};
use crate::documents::Docroot;
use crate::documents::files::Files;
use crate::documents::kept_back::KeptBack;
use crate::web::{Failure, HandlerPorts, Request, Response};

/// The query of the forms of a listing.
pub const CHANGE: &str = "change";

/// The limit for the body of a form, in bytes.
const LONGEST_FORM: usize = 16 * 1024;

/// The most files in a folder that is renamed: each is checked.
const MOST_FILES: usize = 10_000;

/// Serves POST with the query [`CHANGE`] to a folder, as the forms of its listing send it
/// (`application/x-www-form-urlencoded`), and sends the client back to the listing:
///
/// - `new-folder=NAME` makes a folder;
/// - `file=NAME&to=NAME` renames a file or a folder, and replaces nothing;
/// - `delete=NAME` removes a file or an empty folder.
///
/// The names of existing files are percent-encoded, as in the links of a listing.
pub fn change_files(files: Rc<Files>) -> impl Component<HandlerPorts> {
    at_first_message(async move |io: &mut HandlerPorts| {
        while let Some(mut request) = io.requests.next().await {
            log::debug!("{} | Handle Change", request.exchange.peer);
            let answer = change(&files, &mut request).await;
            io.answer(answer).await?;
        }
        Ok(())
    })
}

async fn change(files: &Files, request: &mut Request) -> Result<Response, Failure> {
    let folder = match writable_path(files, request) {
        Ok(path) => path,
        Err(failure) => return Err(request.discard_and_fail(failure).await),
    };
    let form = match &mut request.content {
        Some(content) => content.read_to_end(LONGEST_FORM).await,
        None => Ok(Default::default()),
    };
    let closing = request.exchange.closing();
    let form = form.map_err(|cut| Failure::incomplete(closing, cut))?;
    let Some(change) = Change::read(&form) else {
        let explanation = "the form says neither new-folder, nor file and to, nor delete, each \
                           with a name";
        return Err(request.refuse(StatusCode::BAD_REQUEST, explanation));
    };
    let (docroot, kept_back) = (files.docroot().clone(), files.kept_back().clone());
    let changed = unblock(move || change.make(&docroot, &kept_back, &folder));
    changed.await.map_err(|unchanged| unchanged.of(request))?;
    Ok(request.respond(Response::new(StatusCode::SEE_OTHER).with("Location", "./")))
}

/// What a form asks for.
#[derive(Debug, PartialEq, Eq)]
enum Change {
    NewFolder(Vec<u8>),
    Rename(Vec<u8>, Vec<u8>),
    Delete(Vec<u8>),
}

impl Change {
    /// Reads a form. `None` if it asks for nothing, or names no file.
    fn read(form: &[u8]) -> Option<Self> {
        let value =
            |name: &str| parse(form).find_map(|(key, value)| (key == name).then_some(value));
        let own = |value: Cow<'_, str>| value.into_owned().into_bytes();
        let link = |value: Cow<'_, str>| percent_decode(value.as_bytes()).collect();
        let change = match (value("new-folder"), value("file"), value("delete")) {
            (Some(name), None, None) => Self::NewFolder(own(name)),
            (None, Some(from), None) => Self::Rename(link(from), own(value("to")?)),
            (None, None, Some(name)) => Self::Delete(link(name)),
            _ => return None,
        };
        let is_right = match &change {
            Self::NewFolder(name) | Self::Delete(name) => is_name(name),
            Self::Rename(from, to) => is_name(from) && is_name(to),
        };
        is_right.then_some(change)
    }

    /// Makes the change in a folder, and syncs it to the disk.
    fn make(
        &self,
        docroot: &Docroot,
        kept_back: &Arc<KeptBack>,
        folder: &[u8],
    ) -> Result<(), Unchanged> {
        let open = |name: &Vec<u8>| -> Result<_, Unchanged> {
            let slash: &[u8] = match folder {
                [] | [.., b'/'] => b"",
                _ => b"/",
            };
            let path = [folder, slash, name].concat();
            let destination = Destination::open(docroot, kept_back, &path)?;
            destination.check_unprotected()?;
            Ok(destination)
        };
        let changed: Result<_, Unchanged> = docroot.change(|| {
            let destination = match self {
                Self::NewFolder(name) | Self::Delete(name) => open(name)?,
                Self::Rename(from, _) => open(from)?,
            };
            match self {
                Self::NewFolder(_) => make_folder(&destination)?,
                Self::Rename(_, to) => rename(docroot, kept_back, &destination, &open(to)?)?,
                Self::Delete(_) => delete(&destination)?,
            }
            Ok(destination.folder)
        });
        // Not under the lock, and after the change counts: it is made, whether this fails or not.
        Ok(fsync(changed?)?)
    }
}

/// Whether this is the name of one file in its folder.
fn is_name(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..") && !name.contains(&b'/') && !name.contains(&0)
}

fn make_folder(destination: &Destination) -> Result<(), Unchanged> {
    destination.check_folder()?;
    let mode = Mode::from_raw_mode(0o777);
    match mkdirat(&destination.folder, destination.name(), mode) {
        Err(Errno::EXIST) => Err(Unchanged::TAKEN),
        made => Ok(made?),
    }
}

/// Whether a folder is at this place; fails if nothing is there.
fn is_folder(destination: &Destination) -> Result<bool, Unchanged> {
    let (folder, name) = (&destination.folder, destination.name());
    match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(FileType::from_raw_mode(stat.st_mode) == FileType::Directory),
        Err(Errno::NOENT) => Err(Unchanged::NOTHING),
        Err(error) => Err(error.into()),
    }
}

fn delete(destination: &Destination) -> Result<(), Unchanged> {
    let (folder, name) = (&destination.folder, destination.name());
    if is_folder(destination)? {
        destination.check_folder()?;
        match unlinkat(folder, name, AtFlags::REMOVEDIR) {
            Err(Errno::NOTEMPTY | Errno::EXIST) => return Err(Unchanged::NOT_EMPTY),
            removed => removed?,
        }
    } else {
        destination.current()?.ok_or(Unchanged::NOTHING)?;
        unlinkat(folder, name, AtFlags::empty())?;
    }
    Ok(())
}

fn rename(
    docroot: &Docroot,
    kept_back: &KeptBack,
    from: &Destination,
    to: &Destination,
) -> Result<(), Unchanged> {
    if is_folder(from)? {
        from.check_folder()?;
        to.check_folder()?;
        check_contents(docroot, kept_back, from.real(), to.real())?;
    } else {
        from.current()?.ok_or(Unchanged::NOTHING)?;
    }
    let (folder, old, new) = (&from.folder, from.name(), to.name());
    match renameat_with(folder, old, folder, new, RenameFlags::NOREPLACE) {
        Err(Errno::EXIST) => return Err(Unchanged::TAKEN),
        // The file system has no such flag; only this server changes names, under its lock.
        Err(Errno::INVAL) => match statat(folder, new, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => renameat(folder, old, folder, new)?,
            _ => return Err(Unchanged::TAKEN),
        },
        renamed => renamed?,
    }
    Ok(())
}

/// Whether a client may write everything in a folder, at its old place and at its new one.
/// Otherwise a new name for the folder could make programs of its files, or move files that are
/// kept back.
fn check_contents(
    docroot: &Docroot,
    kept_back: &KeptBack,
    from: &[u8],
    to: &[u8],
) -> Result<(), Unchanged> {
    let (mut folders, mut count) = (vec![(from.to_vec(), to.to_vec())], 0);
    while let Some((from, to)) = folders.pop() {
        let folder = docroot.open_folder(&from)?;
        for entry in Dir::read_from(&folder)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") {
                continue;
            }
            count += 1;
            if count > MOST_FILES {
                return Err(Unchanged::TOO_LARGE);
            }
            let paths = [
                [&from, &b"/"[..], name].concat(),
                [&to, &b"/"[..], name].concat(),
            ];
            let kind = kind_of(&folder, entry.file_name(), entry.file_type())?;
            let is_folder = kind == FileType::Directory;
            let may_be_written = |path: &Vec<u8>| match is_folder {
                true => kept_back.folder_may_be_written(path),
                false => kept_back.may_be_written(path, None),
            };
            if !paths.iter().all(may_be_written) {
                return Err(Unchanged::FORBIDDEN);
            }
            if is_folder {
                let [from, to] = paths;
                folders.push((from, to));
            }
        }
    }
    Ok(())
}

/// The kind of an entry of a folder: not every file system tells it with the name.
fn kind_of(folder: &OwnedFd, name: &CStr, told: FileType) -> rustix::io::Result<FileType> {
    if told != FileType::Unknown {
        return Ok(told);
    }
    let stat = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(FileType::from_raw_mode(stat.st_mode))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_that_the_file_system_does_not_tell_is_looked_up() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("folder")).unwrap();
        std::fs::write(root.path().join("file"), "").unwrap();
        std::os::unix::fs::symlink("folder", root.path().join("link")).unwrap();
        let folder = OwnedFd::from(std::fs::File::open(root.path()).unwrap());
        for (name, kind) in [
            (c"folder", FileType::Directory),
            (c"file", FileType::RegularFile),
            (c"link", FileType::Symlink),
        ] {
            assert_eq!(kind_of(&folder, name, FileType::Unknown), Ok(kind));
            assert_eq!(kind_of(&folder, name, kind), Ok(kind));
        }
        assert!(kind_of(&folder, c"missing", FileType::Unknown).is_err());
    }

    #[test]
    fn a_form_names_one_change_and_one_file() {
        let folder = |name: &str| Some(Change::NewFolder(name.into()));
        for (form, expected) in [
            ("new-folder=a+b%C3%A9", folder("a b\u{e9}")),
            ("new-folder=100%25", folder("100%")),
            ("new-folder=..", None),
            ("new-folder=.", None),
            ("new-folder=", None),
            ("new-folder=a%2Fb", None),
            ("new-folder=a%00", None),
            (
                "file=%2525&to=%2525",
                Some(Change::Rename(b"%".to_vec(), b"%25".to_vec())),
            ),
            (
                "file=%25FF&to=x",
                Some(Change::Rename(b"\xff".to_vec(), b"x".to_vec())),
            ),
            ("file=a", None),
            ("file=a&to=..%2Fb", None),
            ("file=%252e%252e&to=b", None),
            ("delete=a", Some(Change::Delete(b"a".to_vec()))),
            ("delete=%252F", None),
            ("delete=a&new-folder=b", None),
            ("", None),
            ("to=b", None),
        ] {
            assert_eq!(Change::read(form.as_bytes()), expected, "{form}");
        }
    }
}
