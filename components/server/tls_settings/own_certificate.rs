//! The certificate that this machine signs itself. All programs of a user have the same one, so
//! that a client needs to be told only once to trust it.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::notes::SOON;
use crate::net::local_address;
use crate::tls::{Certificate, self_signed};

/// The folder of the certificate that this machine signs itself, and of its key: `spidey` below
/// `XDG_DATA_HOME`, or below `~/.local/share`. `None` without a home.
#[must_use]
pub fn own_certificate_folder() -> Option<PathBuf> {
    let data = env::var_os("XDG_DATA_HOME").filter(|folder| !folder.is_empty());
    let data = data.map(PathBuf::from).or_else(|| {
        let home = env::var_os("HOME").filter(|home| !home.is_empty());
        home.map(|home| Path::new(&home).join(".local/share"))
    });
    Some(data?.join("spidey"))
}

/// The certificate that was made at an earlier start, if it is still good for the names of this
/// machine; otherwise a new one, which is kept.
pub(super) fn own_certificate() -> Result<Certificate, String> {
    let host = rustix::system::uname();
    let host = host.nodename().to_string_lossy().to_lowercase();
    let mut names = vec!["localhost", "127.0.0.1", "::1"];
    if !host.is_empty() && host != "localhost" {
        names.push(&host);
    }
    let local = local_address().map(|address| address.to_string());
    names.extend(local.as_deref());
    let Some(folder) = own_certificate_folder() else {
        return self_signed(&names).map_err(|error| error.to_string());
    };
    // Programs that start at the same moment get the same certificate. Without a lock, because the
    // folder cannot be written to, the certificate is kept by nobody.
    let _lock = lock(&folder);
    if let Some(certificate) = kept(&folder, &names) {
        return Ok(certificate);
    }
    let certificate = self_signed(&names).map_err(|error| error.to_string())?;
    if let Err(error) = keep(&folder, &certificate) {
        log::warn!(
            "the certificate cannot be kept in {}, and the next start makes another one: {error}",
            folder.display()
        );
    }
    Ok(certificate)
}

/// The certificate in a folder, if it is good for these names.
fn kept(folder: &Path, names: &[&str]) -> Option<Certificate> {
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    let certificate = Certificate::read(&certificate, &key).ok()?;
    let covers = |name: &&str| certificate.covers(name);
    let is_good = certificate.days_left() > SOON && names.iter().all(covers);
    is_good.then_some(certificate)
}

/// Makes the folder, and waits until no other program reads or writes there.
fn lock(folder: &Path) -> io::Result<File> {
    fs::create_dir_all(folder)?;
    let mut options = OpenOptions::new();
    let options = options.write(true).create(true).truncate(false).mode(0o600);
    let file = options.open(folder.join("lock"))?;
    file.lock()?;
    Ok(file)
}

fn keep(folder: &Path, certificate: &Certificate) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let key = certificate.key_to_pem().unwrap_or_default();
    for (name, mode, text) in [
        ("key.pem", 0o600, key),
        ("certificate.pem", 0o644, certificate.to_pem()),
    ] {
        let path = folder.join(name);
        let new = folder.join(format!("{name}.new"));
        // Its rights are those of a new file.
        let _ = fs::remove_file(&new);
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(mode).open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(new, path)?;
    }
    Ok(())
}
