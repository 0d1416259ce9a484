//! The files that `spidey` itself reads, runs and writes: clients never see or change them.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use kamea_components::documents::OwnFiles;

use super::options::{DEFAULT_FILE, Options};

impl Options {
    /// The server's own files. An option that names a file which the server reads, runs or writes
    /// adds it here.
    pub(crate) fn own_files(&self) -> OwnFiles {
        let mut own = self.configuration_and_code().file(DEFAULT_FILE);
        if let Ok(program) = env::current_exe() {
            own = own.file(program);
        }
        if let Some(log) = self
            .access_log
            .as_ref()
            .filter(|log| *log != Path::new("-"))
        {
            own = own.file(log);
        }
        if let Some(folder) = &self.error_pages {
            own = own.folder(folder);
            // The folder may be the docroot itself: then only its pages count.
            for page in pages(folder) {
                own = own.file(page);
            }
        }
        let interpreters = self.cgi_interpreter.iter();
        let words = interpreters.flat_map(|interpreter| interpreter.words());
        for word in words.filter(|word| word.contains('/')) {
            own = own.file(word);
        }
        own
    }

    /// What decides which code runs: it may not lie where clients write.
    fn configuration_and_code(&self) -> OwnFiles {
        let mut own = OwnFiles::new().file(self.config.as_deref().unwrap_or(DEFAULT_FILE.as_ref()));
        for file in self.tls_files() {
            own = own.file(file);
        }
        if let Some(folder) = self.acme_folder() {
            own = own.folder(folder);
        }
        if self.wsgi.is_some() {
            own = own.code(self.wsgi_path.as_deref().unwrap_or(".".as_ref()));
        }
        if let Some(environment) = &self.venv {
            own = own.folder(environment);
        }
        own
    }

    /// Where clients may write, there is neither configuration nor code of the server.
    ///
    /// # Errors
    ///
    /// A line that says what lies there.
    pub(crate) fn check_writable(&self) -> Result<(), String> {
        let docroot = self.docroot_folder();
        let own = self.configuration_and_code();
        match own.first_beneath(&docroot) {
            Some(path) if self.is_writable() => Err(format!(
                "--writable lets clients write below {}, where {} lies: move it out of that folder, or serve another one",
                docroot.display(),
                path.display()
            )),
            _ => Ok(()),
        }
    }
}

/// The templates in a folder of error pages.
fn pages(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let is_page = |path: &PathBuf| {
        let stem = path.file_stem().unwrap_or_default().as_encoded_bytes();
        let is_status = stem.len() == 3 && stem.iter().all(u8::is_ascii_digit);
        is_status
            && path
                .extension()
                .is_some_and(|extension| extension == "html")
    };
    paths.filter(is_page).collect()
}
