//! Secrets in files: a key, and the token of a page.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::Entropy;
use crate::codec::{from_hex, to_hex};

/// Reads a secret of 32 bytes from a file. Makes a new one, and the file for its user alone, if
/// there is no file. After a power failure there is the whole file or none.
///
/// # Errors
///
/// If the file cannot be read or written, or contains something else.
pub(crate) fn load_or_create_secret(path: &Path, entropy: Entropy) -> io::Result<[u8; 32]> {
    match fs::read_to_string(path) {
        Ok(text) => from_hex(text.trim()).ok_or_else(|| {
            let what = format!("{} does not contain 64 hexadecimal digits", path.display());
            io::Error::new(io::ErrorKind::InvalidData, what)
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut secret = [0; 32];
            entropy(&mut secret);
            write(path, &to_hex(&secret))?;
            Ok(secret)
        }
        Err(error) => Err(error),
    }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    // What an earlier attempt has left may be readable for others.
    if let Err(error) = fs::remove_file(&new)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)?;
    writeln!(file, "{text}")?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    match path.parent() {
        Some(folder) if folder != Path::new("") => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::system_random;

    #[test]
    fn a_secret_is_made_once_and_for_its_user_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        // Half of an earlier attempt.
        fs::write(folder.path().join("key.new"), "12").unwrap();
        let made = load_or_create_secret(&path, system_random).unwrap();
        assert_eq!(load_or_create_secret(&path, system_random).unwrap(), made);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        for wrong in ["", "12", &"x".repeat(64)] {
            fs::write(&path, wrong).unwrap();
            let error = load_or_create_secret(&path, system_random).unwrap_err();
            assert!(
                error.to_string().contains("64 hexadecimal digits"),
                "{error}"
            );
        }
    }
}
