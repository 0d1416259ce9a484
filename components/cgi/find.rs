//! Which program a request is for: the first file along its path (RFC 3875 section 3.2).

use std::path::PathBuf;

use http::StatusCode;
use kamea::unblock;

use crate::file::{Docroot, FileOptions, Files, Located, Refused, Run, is_in_program_folder};

/// A program that was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Program {
    /// Its absolute path, without links.
    pub(super) path: PathBuf,
    /// Its path relative to the root, as it was asked for.
    pub(super) name: Vec<u8>,
    /// What stands behind it: nothing, or a slash and more.
    pub(super) path_info: Vec<u8>,
    /// What runs it, with its arguments, if it is not run by the system.
    pub(super) interpreter: Vec<String>,
}

/// What is at a path.
#[derive(Debug)]
pub(super) enum Search {
    Program(Program),
    /// Something that is no program.
    Other,
    Refused(StatusCode, &'static str),
}

/// Looks for the program that is to answer a request for `path`, relative to the root. What the system does not have in memory is looked for on a thread that
/// may wait.
pub(super) async fn find(files: &Files, path: &[u8]) -> Search {
    let (docroot, options) = (files.docroot(), files.options());
    match search(options, path, |path| docroot.locate_cached(path)) {
        Ok(Some(found)) => return found,
        Err(refused) => return refusal(path, refused),
        Ok(None) => {}
    }
    let (docroot, options, owned) = (docroot.clone(), options.clone(), path.to_vec());
    let found = unblock(move || search_thoroughly(&docroot, &options, &owned)).await;
    found.unwrap_or_else(|refused| refusal(path, refused))
}

fn search_thoroughly(
    docroot: &Docroot,
    options: &FileOptions,
    path: &[u8],
) -> Result<Search, Refused> {
    let found = search(options, path, |path| docroot.locate(path).map(Some))?;
    Ok(found.unwrap_or(Search::Other))
}

/// Walks along the path. `None` if `locate` does not know what is there.
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
            return judge(options, name, path_info, &located).map(Some);
        }
    }
    if path.is_empty() || path.ends_with(b"/") {
        return search_index(options, path, locate);
    }
    Ok(Some(Search::Other))
}

/// A folder may be answered by a program, if that is its index.
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
                return judge(options, &name, b"", &located).map(Some);
            }
            Ok(Some(_)) | Err(Refused::NotFound) => {}
            Err(refused) => return Err(refused),
        }
    }
    if is_in_program_folder(folder) {
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
    located: &Located,
) -> Result<Search, Refused> {
    use std::os::unix::fs::MetadataExt;

    let interpreter = match options.programs.how(name, located.metadata().mode()) {
        Some(Run::Itself) => Vec::new(),
        Some(Run::With(words)) => words.to_vec(),
        None if is_in_program_folder(name) => {
            let explanation = "this is no program: it may not be executed";
            return Ok(Search::Refused(StatusCode::FORBIDDEN, explanation));
        }
        None => return Ok(Search::Other),
    };
    Ok(Search::Program(Program {
        path: located.path().map_err(Refused::System)?,
        name: name.to_vec(),
        path_info: path_info.to_vec(),
        interpreter,
    }))
}

/// What cannot be found is left to who serves files, unless it would be a program.
fn refusal(path: &[u8], refused: Refused) -> Search {
    if !is_in_program_folder(path) {
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
