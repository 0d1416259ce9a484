//! The configuration file that is used without being named, `./spidey.toml`: it may have come with
//! the folder, from anybody.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::process::geteuid;
use toml::de::DeTable;

use super::options::{DEFAULT_FILE, Options};

/// Options that run code, or lead to it.
const CODE: [&str; 4] = ["wsgi", "venv", "cgi-interpreter", "cgi-env"];

/// Options that name a path, which must stay in the folder.
const PATHS: [&str; 4] = ["docroot", "error-pages", "access-log", "wsgi-path"];

/// What comes of looking for the file.
pub(crate) enum Implicit {
    None,
    /// It is there, but of somebody else: why it is not used.
    Ignored(String),
    Text(String),
}

/// Reads the file, if it belongs to the user or to root and nobody else can write it.
///
/// # Errors
///
/// A line that says why it cannot be read.
pub(crate) fn read() -> Result<Implicit, String> {
    let unreadable = |error: io::Error| format!("cannot read {DEFAULT_FILE}: {error}");
    let mut file = match File::open(DEFAULT_FILE) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Implicit::None),
        file => file.map_err(unreadable)?,
    };
    let link = fs::symlink_metadata(DEFAULT_FILE).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    let own = geteuid().as_raw();
    let stranger = [link.uid(), metadata.uid()]
        .into_iter()
        .find(|&uid| uid != own && uid != 0);
    // Many systems give each user a group of the same number, and let it write.
    let group = if metadata.gid() == metadata.uid() {
        0o002
    } else {
        0o022
    };
    let reason = match stranger {
        Some(uid) => format!("it belongs to the user {uid}"),
        None if metadata.mode() & group != 0 => "others may write it".to_owned(),
        None => {
            let mut text = String::new();
            file.read_to_string(&mut text).map_err(unreadable)?;
            return Ok(Implicit::Text(text));
        }
    };
    Ok(Implicit::Ignored(format!(
        "./{DEFAULT_FILE} is not used: {reason}; -c {DEFAULT_FILE} uses it all the same"
    )))
}

/// Checks what the file says: without `-c` it may neither run code nor lead out of its folder. An
/// option of the command line has precedence, and what the file says in its place is not looked at.
///
/// # Errors
///
/// A line that names file, line and key.
pub(crate) fn check(text: &str, arguments: &Options) -> Result<(), String> {
    // A mistake in it is told by whoever reads it in earnest.
    let Ok(table) = DeTable::parse(text) else {
        return Ok(());
    };
    for (spanned, value) in table.get_ref() {
        let (key, value) = (spanned.get_ref().as_ref(), value.get_ref());
        let text_of = value.as_str().unwrap_or_default();
        let is_beyond = key == "cgi" && !matches!(text_of, "cgi-bin" | "off");
        let value = value
            .as_str()
            .map_or(String::new(), |value| format!(" ({value})"));
        let what = if arguments.says(key) {
            continue;
        } else if CODE.contains(&key) || is_beyond {
            "this runs code"
        } else if key == "proxy" {
            "this opens what only this machine reaches"
        } else if key == "no-sandbox" {
            "this lifts a protection"
        } else if PATHS.contains(&key) && leads_out(text_of) {
            "this leads out of the folder"
        } else {
            continue;
        };
        let line = text[..spanned.span().start].matches('\n').count();
        return Err(format!(
            "{DEFAULT_FILE}:{}: {key}: {what}{value}; if you trust the file, start with -c {DEFAULT_FILE}",
            line + 1
        ));
    }
    Ok(())
}

/// Whether a path of the file leads out of the folder that the file lies in.
fn leads_out(path: &str) -> bool {
    let Ok(folder) = fs::canonicalize(".") else {
        return true;
    };
    // What is to be created counts by its folder.
    let path = Path::new(path);
    let real = fs::canonicalize(path).or_else(|_| {
        let parent = path.parent().unwrap_or(Path::new(""));
        fs::canonicalize(Path::new(".").join(parent))
    });
    path != Path::new("-") && !real.is_ok_and(|real| real.starts_with(folder))
}
