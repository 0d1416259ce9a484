//! The files of the state: the key of the account, the certificates with their keys, and the
//! answers to challenges.
//!
//! ```text
//! FOLDER/challenges/TOKEN            what the authority asks for by http
//! FOLDER/challenges/NAME.pem         the certificate that it asks for by a handshake
//! FOLDER/AUTHORITY/account.json      the key of the account
//! FOLDER/AUTHORITY/NAME.pem          the certificate of a name, its chain, and its key
//! ```
//!
//! Several servers may share the folder: any of them can answer the challenge of another one.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use kamea_components::tls::Certificate;

use crate::Name;

/// The rights of a secret, and of what the authority reads.
const SECRET: u32 = 0o600;
const PUBLIC: u32 = 0o644;

/// The longest token, in bytes. Authorities use 43.
const LONGEST_TOKEN: usize = 256;

/// The largest file of a challenge that is read, in bytes.
const LARGEST_CHALLENGE: u64 = 16 << 10;

/// When the answer to a challenge is of no use any more: no order takes so long.
const OLD: Duration = Duration::from_secs(60 * 60);

/// The folder of the state.
///
/// # Examples
///
/// ```
/// use kamea_acme::{LETS_ENCRYPT, Store};
///
/// let store = Store::new("/var/lib/spidey", LETS_ENCRYPT);
/// assert_eq!(
///     store.certificate_file(&"example.org".parse()?).to_str(),
///     Some("/var/lib/spidey/acme-v02.api.letsencrypt.org-directory/example.org.pem"),
/// );
/// # Ok::<(), kamea_acme::NameError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
    authority: PathBuf,
}

impl Store {
    /// The state for the authority with this directory, in a folder.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>, directory: &str) -> Self {
        let folder = folder.into();
        let authority = folder.join(folder_of(directory));
        Self { folder, authority }
    }

    /// Makes the folders. Others may pass through them, so that the threads of a server with fewer
    /// rights can read the challenges; they can list these alone.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub fn prepare(&self) -> io::Result<()> {
        for (folder, mode) in [
            (&self.folder, 0o711),
            (&self.authority, 0o711),
            (&self.challenges(), 0o755),
        ] {
            DirBuilder::new()
                .recursive(true)
                .mode(mode)
                .create(folder)?;
        }
        Ok(())
    }

    /// The folders and files that are there, for a server that makes another user their owner.
    ///
    /// # Errors
    ///
    /// If a folder cannot be read.
    pub fn paths(&self) -> io::Result<Vec<PathBuf>> {
        let folders = [self.authority.clone(), self.challenges()];
        let mut paths = vec![self.folder.clone()];
        for folder in folders {
            for entry in fs::read_dir(&folder)? {
                paths.push(entry?.path());
            }
            paths.push(folder);
        }
        Ok(paths)
    }

    /// The folder of what the authority asks for: serving threads read it.
    #[must_use]
    pub fn challenges(&self) -> PathBuf {
        self.folder.join("challenges")
    }

    /// The file of the certificate of a name, with its chain and its key.
    #[must_use]
    pub fn certificate_file(&self, name: &Name) -> PathBuf {
        self.authority.join(format!("{name}.pem"))
    }

    /// The certificate of a name; `None` if there is none that can be used. Blocks.
    #[must_use]
    pub fn certificate(&self, name: &Name) -> Option<Certificate> {
        let file = self.certificate_file(name);
        let read = Certificate::read(&file, &file).ok()?;
        read.covers(name.as_str()).then_some(read)
    }

    /// The certificate that the authority asks for by a handshake (RFC 8737); `None` if it asks for
    /// none of this name. Blocks.
    #[must_use]
    pub fn challenge_certificate(&self, name: &Name) -> Option<Certificate> {
        let read = Certificate::read_challenge(&self.challenge_file(name)).ok()?;
        read.covers(name.as_str()).then_some(read)
    }

    /// Keeps the certificate of a name. Blocks.
    ///
    /// # Errors
    ///
    /// If the file cannot be written; the one before it stays.
    pub fn keep_certificate(&self, name: &Name, certificate: &Certificate) -> io::Result<()> {
        replace(
            &self.certificate_file(name),
            SECRET,
            &in_one_file(certificate),
        )
    }

    /// The account, as it was kept; `None` if there is none.
    pub(crate) fn account(&self) -> io::Result<Option<String>> {
        match fs::read_to_string(self.account_file()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            read => read.map(Some),
        }
    }

    pub(crate) fn account_file(&self) -> PathBuf {
        self.authority.join("account.json")
    }

    pub(crate) fn keep_account(&self, text: &str) -> io::Result<()> {
        replace(&self.account_file(), SECRET, text)
    }

    fn challenge_file(&self, name: &Name) -> PathBuf {
        self.challenges().join(format!("{name}.pem"))
    }

    /// Shows what the authority asks for by http; returns the file.
    pub(crate) fn show_token(&self, token: &str, answer: &str) -> io::Result<PathBuf> {
        if !is_token(token) {
            let why = "the token of the challenge is not a token";
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        let file = self.challenges().join(token);
        replace(&file, PUBLIC, answer)?;
        Ok(file)
    }

    /// Shows the certificate that the authority asks for by a handshake; returns the file.
    pub(crate) fn show_certificate(
        &self,
        name: &Name,
        certificate: &Certificate,
    ) -> io::Result<PathBuf> {
        let file = self.challenge_file(name);
        // Its key is worth nothing beyond this challenge, and serving threads must read it.
        replace(&file, PUBLIC, &in_one_file(certificate))?;
        Ok(file)
    }

    /// Removes what was shown, and what is left of orders that were given up.
    pub(crate) fn hide(&self, shown: Option<&Path>) {
        // If one stays, nothing is lost: it answers a challenge that is over.
        if let Some(file) = shown {
            let _ = fs::remove_file(file);
        }
        let entries = fs::read_dir(self.challenges()).into_iter().flatten();
        for entry in entries.filter_map(Result::ok) {
            // Other servers may share the folder.
            let age = entry.metadata().and_then(|metadata| metadata.modified());
            let age = age.ok().and_then(|modified| modified.elapsed().ok());
            if age.is_some_and(|age| age > OLD) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// The answer to a challenge by http; `None` if there is none.
pub(crate) fn read_answer(challenges: &Path, token: &str) -> Option<Vec<u8>> {
    if !is_token(token) {
        return None;
    }
    let file = File::open(challenges.join(token)).ok()?;
    let mut answer = Vec::new();
    file.take(LARGEST_CHALLENGE).read_to_end(&mut answer).ok()?;
    Some(answer)
}

/// A certificate and its key: one file cannot be half new.
fn in_one_file(certificate: &Certificate) -> String {
    certificate.to_pem() + &certificate.key_to_pem().unwrap_or_default()
}

/// Whether a text is a token: characters of base64url (RFC 8555 section 8.3), which are safe as the
/// name of a file.
fn is_token(text: &str) -> bool {
    let is_right = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=LONGEST_TOKEN).contains(&text.len()) && text.bytes().all(is_right)
}

/// The name of a folder for the URL of a directory.
fn folder_of(directory: &str) -> String {
    let rest = directory
        .split_once("://")
        .map_or(directory, |(_, rest)| rest);
    let safe = |each: char| match each {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '_' => each,
        _ => '-',
    };
    let name: String = rest.trim_end_matches('/').chars().map(safe).collect();
    // Neither hidden nor a folder above.
    name.trim_start_matches('.').to_owned()
}

/// Replaces a file: a reader finds the old content or the new one, also after a loss of power.
fn replace(path: &Path, mode: u32, text: &str) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    // One that was left behind may have other rights.
    let _ = fs::remove_file(&new);
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(mode).open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use kamea_components::tls::{challenge_certificate, self_signed};

    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().join("state"), "https://ca.example:14000/dir");
        store.prepare().unwrap();
        (folder, store)
    }

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn secrets_are_for_their_owner_alone_and_replaced_whole() {
        let (_folder, store) = store();
        let name = name("a.example");
        assert!(store.certificate(&name).is_none());
        // What a crash has left behind does not count.
        let left = store.certificate_file(&name).with_extension("pem.new");
        fs::write(&left, "half").unwrap();
        for _ in 0..2 {
            let certificate = self_signed(&["a.example"]).unwrap();
            store.keep_certificate(&name, &certificate).unwrap();
            let kept = store.certificate(&name).unwrap();
            assert_eq!(kept.fingerprint(), certificate.fingerprint());
            assert_eq!(mode(&store.certificate_file(&name)), 0o600);
            assert!(!left.exists());
        }
        store.keep_account("{}").unwrap();
        assert_eq!(mode(&store.account_file()), 0o600);
        assert_eq!(store.account().unwrap().as_deref(), Some("{}"));
    }

    #[test]
    fn a_certificate_for_another_name_is_none() {
        let (_folder, store) = store();
        let (own, other) = (name("a.example"), name("b.example"));
        let certificate = self_signed(&["a.example"]).unwrap();
        store.keep_certificate(&other, &certificate).unwrap();
        assert!(store.certificate(&other).is_none());
        fs::write(store.certificate_file(&own), "no certificate").unwrap();
        assert!(store.certificate(&own).is_none());
    }

    #[test]
    fn only_tokens_are_answered() {
        let (_folder, store) = store();
        let file = store.show_token("a-B_9", "a-B_9.thumb").unwrap();
        let challenges = store.challenges();
        assert_eq!(read_answer(&challenges, "a-B_9").unwrap(), b"a-B_9.thumb");
        assert_eq!(read_answer(&challenges, "a-B_8"), None);
        assert_eq!(mode(&file), 0o644);
        store.keep_account("secret").unwrap();
        let outside = "../ca.example-14000-dir/account.json";
        assert!(challenges.join(outside).exists());
        let long = "a".repeat(257);
        for wrong in [outside, "", ".", "..", "a/b", "a%2fb", "a.b", &long] {
            assert_eq!(read_answer(&challenges, wrong), None, "{wrong}");
            assert!(store.show_token(wrong, "x").is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_was_shown_is_removed_and_what_others_show_is_not() {
        let (_folder, store) = store();
        let own = store.show_token("own", "own.thumb").unwrap();
        let others = store.show_token("others", "others.thumb").unwrap();
        let old = store.show_token("old", "old.thumb").unwrap();
        let long_ago = std::time::SystemTime::now() - 2 * OLD;
        let opened = File::options().write(true).open(&old).unwrap();
        opened.set_modified(long_ago).unwrap();
        store.hide(Some(&own));
        assert!(!own.exists() && !old.exists() && others.exists());
        store.hide(None);
        assert!(others.exists());
    }

    #[test]
    fn the_certificate_of_a_challenge_is_read_again() {
        let (_folder, store) = store();
        let name = name("a.example");
        let shown = challenge_certificate("a.example", &[7; 32]).unwrap();
        let file = store.show_certificate(&name, &shown).unwrap();
        let read = store.challenge_certificate(&name).unwrap();
        assert_eq!(read.fingerprint(), shown.fingerprint());
        store.hide(Some(&file));
        assert!(store.challenge_certificate(&name).is_none());
    }

    #[test]
    fn each_authority_has_a_folder() {
        for (directory, folder) in [
            ("https://ca.example/dir", "ca.example-dir"),
            ("https://ca.example:14000/dir/", "ca.example-14000-dir"),
            ("https://../../etc", "-..-etc"),
            ("https://[::1]:14000/dir", "---1--14000-dir"),
        ] {
            assert_eq!(folder_of(directory), folder, "{directory}");
        }
    }
}
