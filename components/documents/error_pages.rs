//! Error pages from a folder.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;

use crate::web::ErrorPages;

/// Reads the error pages of a folder: its files with names like `404.html`. Other files, such as
/// pictures, are ignored.
///
/// # Errors
///
/// If the folder or a page cannot be read, and as [`ErrorPages::new`].
///
/// # Examples
///
/// ```
/// use kamea_components::documents::read_error_pages;
///
/// let folder = tempfile::tempdir()?;
/// std::fs::write(folder.path().join("404.html"), "<h1>{{ status }}: {{ reason }}</h1>")?;
/// let pages = read_error_pages(folder.path())?;
/// # let _ = pages;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn read_error_pages(folder: &Path) -> io::Result<ErrorPages> {
    let mut pages = HashMap::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let status = name.strip_suffix(".html").unwrap_or_default();
        if status.len() == 3 && status.bytes().all(|b| b.is_ascii_digit()) {
            pages.insert(name, fs::read_to_string(entry.path())?);
        }
    }
    ErrorPages::new(
        pages
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str())),
    )
}
