//! Finds the program of a request: the first file along its path (RFC 3875 section 3.2).

use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use http::StatusCode;
use kamea::unblock;

use crate::documents::{
    Docroot, FileOptions, Files, KeptBack, Located, Refused, Run, identity, runs_programs,
};

/// A program that was found.
#[derive(Debug)]
pub(super) struct Program {
    /// Its absolute path, without links. It is only the name of the program: the program is not
    /// opened by it again.
    pub(super) path: PathBuf,
    /// The file itself, as it was checked.
    pub(super) file: Arc<OwnedFd>,
    /// The folder that contains it.
    pub(super) folder: Arc<OwnedFd>,
    /// Its path relative to the root, as in the request.
    pub(super) name: Vec<u8>,
    /// The rest of the path: empty, or a slash and more.
    pub(super) path_info: Vec<u8>,
    /// Its interpreter, with arguments, if the system does not run it directly.
    pub(super) interpreter: Vec<String>,
}

/// The kind of what is at a path.
#[derive(Debug)]
pub(super) enum Search {
    Program(Program),
    /// A file or folder that is not a program.
    Other,
    Refused(StatusCode, &'static str),
}

/// Finds the program that answers a request for `path`, relative to the root. If the disk must be
/// read, a thread that may wait does it.
pub(super) async fn find(files: &Files, path: &[u8]) -> Search {
    let (docroot, options, kept_back) = (files.docroot(), files.options(), files.kept_back());
    let locate = |path: &[u8]| docroot.locate_cached(path);
    match search(options, path, |path| visible(kept_back, path, locate(path))) {
        Ok(Some(found)) => return found,
        Err(refused) => return refusal(path, refused),
        Ok(None) => {}
    }
    let (docroot, options, owned) = (docroot.clone(), options.clone(), path.to_vec());
    let kept_back = kept_back.clone();
    let found = unblock(move || search_thoroughly(&docroot, &options, &kept_back, &owned)).await;
    found.unwrap_or_else(|refused| refusal(path, refused))
}

fn search_thoroughly(
    docroot: &Docroot,
    options: &FileOptions,
    kept_back: &KeptBack,
    path: &[u8],
) -> Result<Search, Refused> {
    let locate = |path: &[u8]| docroot.locate(path).map(Some);
    let found = search(options, path, |path| visible(kept_back, path, locate(path)))?;
    Ok(found.unwrap_or(Search::Other))
}

/// Locates a path, unless it is hidden from clients.
fn visible(
    kept_back: &KeptBack,
    path: &[u8],
    located: Result<Option<Located>, Refused>,
) -> Result<Option<Located>, Refused> {
    let located = located?;
    if let Some(located) = &located {
        for path in [Some(path), located.real_path()].into_iter().flatten() {
            kept_back.check_presence(path, Some(identity(located.metadata())))?;
        }
    }
    Ok(located)
}

/// Walks along the path. `None` if `locate` cannot tell without the disk.
fn search(
    options: &FileOptions,
    path: &[u8],
    locate: impl Fn(&[u8]) -> Result<Option<Located>, Refused>,
) -> Result<Option<Search>, Refused> {
    let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
    let ends = slashes.map(|(at, _)| at).chain([path.len()]);
    for end in ends.filter(|end| *end > 0) {
        let Some(located) = locate(&path[..end])? else {
            return Ok(None);
        };
        if located.metadata().is_file() {
            let (name, path_info) = path.split_at(end);
            return judge(options, name, path_info, located, &locate);
        }
    }
    if path.is_empty() || path.ends_with(b"/") {
        return search_index(options, path, locate);
    }
    Ok(Some(Search::Other))
}

/// A program may answer for a folder, if it is the folder's index.
fn search_index(
    options: &FileOptions,
    folder: &[u8],
    locate: impl Fn(&[u8]) -> Result<Option<Located>, Refused>,
) -> Result<Option<Search>, Refused> {
    for index in &options.index {
        let name = [folder, index.as_bytes()].concat();
        match locate(&name) {
            Ok(None) => return Ok(None),
            Ok(Some(located)) if located.metadata().is_file() => {
                return judge(options, &name, b"", located, &locate);
            }
            Ok(Some(_)) | Err(Refused::NotFound) => {}
            Err(refused) => return Err(refused),
        }
    }
    if runs_programs(folder) {
        return Ok(Some(Search::Refused(
            StatusCode::FORBIDDEN,
            "the programs are not listed",
        )));
    }
    Ok(Some(Search::Other))
}

fn judge(
    options: &FileOptions,
    name: &[u8],
    path_info: &[u8],
    located: Located,
    locate: impl Fn(&[u8]) -> Result<Option<Located>, Refused>,
) -> Result<Option<Search>, Refused> {
    let interpreter = match options.programs.how(name, located.metadata().mode()) {
        Some(Run::Itself) => Vec::new(),
        Some(Run::With(words)) => words.to_vec(),
        None if runs_programs(name) => {
            let explanation = "this is no program: it may not be executed";
            return Ok(Some(Search::Refused(StatusCode::FORBIDDEN, explanation)));
        }
        None => return Ok(Some(Search::Other)),
    };
    let real = located.real_path().unwrap_or(name);
    let slash = real.iter().rposition(|byte| *byte == b'/');
    let Some(folder) = locate(&real[..slash.unwrap_or(0)])? else {
        return Ok(None);
    };
    Ok(Some(Search::Program(Program {
        path: located.path().map_err(Refused::System)?,
        file: Arc::new(located.into_descriptor()),
        folder: Arc::new(folder.into_descriptor()),
        name: name.to_vec(),
        path_info: path_info.to_vec(),
        interpreter,
    })))
}

/// A path without a file is left to the file handler, unless it would be a program.
fn refusal(path: &[u8], refused: Refused) -> Search {
    if !runs_programs(path) {
        return Search::Other;
    }
    match refused {
        Refused::NotFound => Search::Refused(StatusCode::NOT_FOUND, "there is no such program"),
        Refused::Forbidden => Search::Refused(StatusCode::FORBIDDEN, "this may not be executed"),
        Refused::System(error) => {
            log::error!("{}: {error}", String::from_utf8_lossy(path));
            let explanation = "the program could not be looked for";
            Search::Refused(StatusCode::INTERNAL_SERVER_ERROR, explanation)
        }
    }
}
