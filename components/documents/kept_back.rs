//! Which files of a docroot are hidden from clients: one check for every handler.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

use super::own_files::OwnFilesBeneath;
use super::programs::{PROGRAM_FOLDER, is_in_program_folder};
use super::{Docroot, FileOptions, Programs, Refused};
use crate::http::path_segments;

/// Which files of a docroot are hidden, and how: hidden files and the server's own as if they did
/// not exist, programs as forbidden.
#[derive(Debug)]
pub(crate) struct KeptBack {
    own: OwnFilesBeneath,
    programs: Programs,
    hidden: bool,
    /// The real path of the folder of programs, if its name is a link.
    program_folder: Option<Vec<u8>>,
    /// The segments of the paths that a filter protects, as requested and without links.
    protected: Vec<Vec<Vec<u8>>>,
}

impl KeptBack {
    pub(super) fn new(docroot: &Docroot, options: &FileOptions) -> Self {
        let own = match docroot.path() {
            Ok(path) => options.own.beneath(&path),
            Err(_) => OwnFilesBeneath::default(),
        };
        let real = |path: &[u8]| {
            let located = docroot.locate(path).ok()?;
            located.real_path().map(<[u8]>::to_vec)
        };
        let linked = options.protected.iter().filter_map(|path| real(path));
        let protected: Vec<_> = options.protected.iter().cloned().chain(linked).collect();
        Self {
            own,
            programs: options.programs.clone(),
            hidden: options.hidden,
            program_folder: real(PROGRAM_FOLDER.as_bytes()),
            protected: protected.iter().map(|path| path_segments(path)).collect(),
        }
    }

    /// Checks what was found at a path, which is relative to the docroot. If links led elsewhere,
    /// both the real path and the requested one are checked.
    ///
    /// # Errors
    ///
    /// [`Refused::NotFound`] and [`Refused::Forbidden`], if the file is hidden.
    pub(crate) fn check(
        &self,
        path: &[u8],
        real: Option<&[u8]>,
        metadata: &Metadata,
    ) -> Result<(), Refused> {
        let identity = identity(metadata);
        for path in [Some(path), real].into_iter().flatten() {
            self.check_presence(path, Some(identity))?;
        }
        for path in [Some(path), real].into_iter().flatten() {
            self.check_program(path, metadata.mode(), metadata.is_dir())?;
        }
        Ok(())
    }

    /// Hidden files and the server's own do not exist for clients; `identity` is device and inode.
    pub(crate) fn check_presence(
        &self,
        path: &[u8],
        identity: Option<(u64, u64)>,
    ) -> Result<(), Refused> {
        let is_hidden = !self.hidden && has_hidden_segment(path);
        if is_hidden || self.own.contain(path, identity) {
            return Err(Refused::NotFound);
        }
        Ok(())
    }

    /// Whether a listing shows an entry of a folder: it shows programs that a request would run,
    /// but not the folder of programs, which has no listing itself.
    pub(super) fn is_listed(
        &self,
        path: &[u8],
        real: Option<&[u8]>,
        is_folder: bool,
        identity: (u64, u64),
    ) -> bool {
        [Some(path), real].into_iter().flatten().all(|path| {
            let is_program_folder = is_folder && self.check_program(path, 0, true).is_err();
            self.check_presence(path, Some(identity)).is_ok() && !is_program_folder
        })
    }

    /// Whether a client may write a file at this real path, and replace the existing one.
    pub(super) fn may_be_written(&self, path: &[u8], current: Option<&Metadata>) -> bool {
        let identity = current.map(identity);
        // The well-known folder speaks for the whole site: authorities issue certificates because
        // of its files, for example.
        if !self.hidden && below_well_known(path).is_some() {
            return false;
        }
        self.check_presence(path, identity).is_ok() && self.check_program(path, 0, false).is_ok()
    }

    /// Whether a client may create a folder at this real path, or remove it.
    pub(super) fn folder_may_be_written(&self, path: &[u8]) -> bool {
        self.may_be_written(path, None) && self.check_program(path, 0, true).is_ok()
    }

    /// Whether a filter protects exactly this path, and would not see a request for a folder above.
    pub(super) fn is_protected(&self, path: &[u8]) -> bool {
        self.protected.contains(&path_segments(path))
    }

    /// Whether a filter protects this path, or one below it.
    pub(super) fn leads_to_protected(&self, path: &[u8]) -> bool {
        let path = path_segments(path);
        let mut protected = self.protected.iter();
        protected.any(|protected| protected.starts_with(&path))
    }

    fn check_program(&self, path: &[u8], mode: u32, is_folder: bool) -> Result<(), Refused> {
        let folder = || [path, b"/"].concat();
        let is_kept_back = match is_folder {
            true => self.is_in_program_folder(&folder()),
            false => self.is_in_program_folder(path) || self.programs.is_kept_back(path, mode),
        };
        if is_kept_back {
            return Err(Refused::Forbidden);
        }
        Ok(())
    }

    /// Whether a path leads into a folder of programs, by its name or by the target of a link with
    /// that name.
    fn is_in_program_folder(&self, path: &[u8]) -> bool {
        let is_in_real = |folder: &[u8]| {
            let rest = path.strip_prefix(folder);
            rest.is_some_and(|rest| rest.starts_with(b"/"))
        };
        is_in_program_folder(path) || self.program_folder.as_deref().is_some_and(is_in_real)
    }
}

/// Device and inode.
pub(crate) fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// The well-known folder of a site (RFC 8615): the only dot name that is always served.
const WELL_KNOWN: &[u8] = b".well-known";

/// Whether a name in a path begins with a dot, and must not be served for that reason.
pub(super) fn has_hidden_segment(path: &[u8]) -> bool {
    let path = below_well_known(path).unwrap_or(path);
    path.split(|byte| *byte == b'/')
        .any(|segment| segment.starts_with(b"."))
}

/// The rest of a path below the well-known folder, if it leads there.
fn below_well_known(path: &[u8]) -> Option<&[u8]> {
    let rest = path.strip_prefix(WELL_KNOWN)?;
    matches!(rest, [] | [b'/', ..]).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protected_paths_are_known_however_they_are_written() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("a/real")).unwrap();
        std::os::unix::fs::symlink("a/real", root.path().join("link")).unwrap();
        let docroot = Docroot::open(root.path()).unwrap();
        let options = FileOptions {
            protected: vec![b"drafts/new".to_vec(), b"link".to_vec()],
            ..FileOptions::default()
        };
        let kept_back = KeptBack::new(&docroot, &options);
        for (path, is_protected, leads_there) in [
            ("drafts", false, true),
            ("drafts/new", true, true),
            ("x/..//./drafts//new/", true, true),
            ("drafts/new/a", false, false),
            ("drafts/newer", false, false),
            ("draft", false, false),
            ("link", true, true),
            ("a", false, true),
            ("a/real", true, true),
        ] {
            let path = path.as_bytes();
            let found = (
                kept_back.is_protected(path),
                kept_back.leads_to_protected(path),
            );
            assert_eq!(found, (is_protected, leads_there), "{path:?}");
        }
    }
}
