//! Who a peer is: its key, the fingerprint that people compare, and its name.

use std::fmt;
use std::io;
use std::path::Path;
use std::str::FromStr;

use ed25519_dalek::{Signer, SigningKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::codec::{from_hex, to_hex};
use crate::secret::load_or_create_secret;
use crate::signature::{Claim, verify_all};

/// Fills a slice with random bytes: [`system_random`], or [`simulated_random`] in a simulation.
pub type Entropy = fn(&mut [u8]);

/// Fills a slice with random bytes of the operating system.
///
/// # Panics
///
/// If the system has none: no key can be made then.
pub fn system_random(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the system has random bytes");
}

/// Fills a slice with bytes of [`kamea::random`]. They follow from the seed of a simulation, so
/// they are for simulations only.
pub fn simulated_random(bytes: &mut [u8]) {
    for chunk in bytes.chunks_mut(16) {
        let drawn = kamea::random::token().to_be_bytes();
        chunk.copy_from_slice(&drawn[..chunk.len()]);
    }
}

/// The public key of a peer (Ed25519). It identifies the peer; a name does not.
///
/// # Examples
///
/// ```
/// use kamea_chat::{Identity, PeerKey};
///
/// let identity = Identity::from_secret([7; 32]);
/// let key: PeerKey = identity.key().to_string().parse()?;
/// assert_eq!(key, identity.key());
/// assert!(key.verify(b"hello", &identity.sign(b"hello")));
/// assert!(!key.verify(b"hallo", &identity.sign(b"hello")));
/// # Ok::<(), kamea_chat::KeyError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PeerKey(pub [u8; 32]);

/// A text is not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key is an Ed25519 key: 64 hexadecimal digits")]
pub struct KeyError;

impl PeerKey {
    /// Returns the fingerprint, for people to compare.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let digest = Sha256::digest(self.0);
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        Fingerprint(bytes)
    }

    /// Whether this key has signed these bytes. Weak keys, and signatures in a second form, are
    /// refused, so that every peer decides alike.
    #[must_use]
    pub fn verify(&self, bytes: &[u8], signature: &[u8; 64]) -> bool {
        verify_all(&[Claim {
            key: *self,
            text: [bytes, &[]],
            signature,
        }])
    }
}

impl FromStr for PeerKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        from_hex(text).map(Self).ok_or(KeyError)
    }
}

impl TryFrom<String> for PeerKey {
    type Error = KeyError;

    fn try_from(text: String) -> Result<Self, KeyError> {
        text.parse()
    }
}

impl From<PeerKey> for String {
    fn from(key: PeerKey) -> Self {
        key.to_string()
    }
}

impl fmt::Display for PeerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.0))
    }
}

impl fmt::Debug for PeerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerKey({:.8})", to_hex(&self.0))
    }
}

/// The digest of a key that people compare: eight groups of four hexadecimal digits.
///
/// # Examples
///
/// ```
/// let fingerprint = kamea_chat::Identity::from_secret([7; 32]).key().fingerprint();
/// assert_eq!(fingerprint.to_string().split(' ').count(), 8);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 16]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let groups: Vec<_> = self.0.chunks(2).map(to_hex).collect();
        f.write_str(&groups.join(" "))
    }
}

/// The secret key of this peer.
#[derive(Clone)]
pub struct Identity(SigningKey);

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Identity").field(&self.key()).finish()
    }
}

impl Identity {
    /// Makes a new key.
    #[must_use]
    pub fn generate(entropy: Entropy) -> Self {
        let mut secret = [0; 32];
        entropy(&mut secret);
        Self::from_secret(secret)
    }

    /// Uses a known secret.
    #[must_use]
    pub fn from_secret(secret: [u8; 32]) -> Self {
        Self(SigningKey::from_bytes(&secret))
    }

    /// Reads the key from a file. Makes a new key, and the file for its user alone, if there is no
    /// file.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or written, or contains no key.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_chat::Identity;
    ///
    /// let folder = tempfile::tempdir()?;
    /// let made = Identity::load_or_create(&folder.path().join("key"))?;
    /// let loaded = Identity::load_or_create(&folder.path().join("key"))?;
    /// assert_eq!(made.key(), loaded.key());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn load_or_create(path: &Path) -> io::Result<Self> {
        load_or_create_secret(path, system_random).map(Self::from_secret)
    }

    /// Returns the public key.
    #[must_use]
    pub fn key(&self) -> PeerKey {
        PeerKey(self.0.verifying_key().to_bytes())
    }

    /// Signs bytes.
    #[must_use]
    pub fn sign(&self, bytes: &[u8]) -> [u8; 64] {
        self.0.sign(bytes).to_bytes()
    }
}

/// The name of a peer: 1 to 32 small letters, digits, `-`, `_` and `.`, with a letter or digit
/// first. There are no two letters of different scripts that look alike.
///
/// # Examples
///
/// ```
/// use kamea_chat::PeerName;
///
/// assert!("ada".parse::<PeerName>().is_ok());
/// for wrong in ["", "Ada", "аda", "ada ", "-ada", "a\u{202e}da"] {
///     assert!(wrong.parse::<PeerName>().is_err(), "{wrong}");
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PeerName(String);

/// A text is not a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a name has 1 to 32 characters of a-z, 0-9, `-`, `_` and `.`, and begins with a letter or a digit"
)]
pub struct NameError;

impl PeerName {
    /// The longest name, in bytes.
    pub const LONGEST: usize = 32;

    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for PeerName {
    type Error = NameError;

    fn try_from(name: String) -> Result<Self, NameError> {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let is_part = |byte: u8| is_plain(byte) || b"-_.".contains(&byte);
        let is_name = name.len() <= Self::LONGEST
            && name.bytes().next().is_some_and(is_plain)
            && name.bytes().all(is_part);
        is_name.then_some(Self(name)).ok_or(NameError)
    }
}

impl FromStr for PeerName {
    type Err = NameError;

    fn from_str(name: &str) -> Result<Self, NameError> {
        name.to_owned().try_into()
    }
}

impl From<PeerName> for String {
    fn from(name: PeerName) -> Self {
        name.0
    }
}

impl fmt::Display for PeerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_and_short() {
        let longest = "a".repeat(PeerName::LONGEST);
        for name in ["a", "0", "ada", "ada.lovelace", "a-b_c", "7of9", &longest] {
            assert!(name.parse::<PeerName>().is_ok(), "{name}");
        }
        let long = "a".repeat(PeerName::LONGEST + 1);
        for name in [
            "",
            " ",
            "Ada",
            "ADA",
            "-ada",
            ".ada",
            "_ada",
            "ada ",
            " ada",
            "a b",
            "ada\n",
            "ada\0",
            "аda",
            "adа",
            "ada\u{200b}",
            "ada\u{202e}",
            "é",
            "ａda",
            "ad/a",
            "a@b",
            "ada\u{301}",
            &long,
        ] {
            assert_eq!(name.parse::<PeerName>(), Err(NameError), "{name:?}");
        }
    }

    #[test]
    fn keys_are_read_as_they_are_written() {
        let key = PeerKey(std::array::from_fn(|i| (i as u8).wrapping_mul(9)));
        let text = key.to_string();
        assert_eq!(PeerKey::try_from(text.clone()), Ok(key));
        assert_eq!(PeerKey::try_from(text.to_uppercase()), Ok(key));
        for wrong in [
            "",
            "00",
            &text[1..],
            &format!("{text}0"),
            &text.replace('0', "g"),
        ] {
            assert_eq!(
                PeerKey::try_from(wrong.to_owned()),
                Err(KeyError),
                "{wrong}"
            );
        }
        assert!(PeerKey::try_from("é".repeat(32)).is_err());
    }
}
