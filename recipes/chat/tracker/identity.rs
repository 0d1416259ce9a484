//! What identifies a peer and a channel: names and keys, checked when they are read.

use std::fmt;

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

/// Why a name or a key is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The name of a peer.
    #[error(
        "a name has 1 to 32 characters of a-z, 0-9, `-`, `_` and `.`, and begins with a letter or \
         a digit"
    )]
    Name,
    /// The key of a peer.
    #[error("a key is an Ed25519 key: 64 hexadecimal digits")]
    Key,
    /// The name of a channel.
    #[error("the name of a channel has 1 to 64 characters, and none is a control character")]
    Channel,
}

/// The name of a peer.
///
/// Only small letters, digits and three signs, so that no name looks like another one: there is
/// neither `Ada` beside `ada`, nor a Cyrillic `а`.
///
/// # Examples
///
/// ```
/// use kamea_chat_recipes::tracker::PeerName;
///
/// assert!("ada".parse::<PeerName>().is_ok());
/// assert!("Ada".parse::<PeerName>().is_err());
/// assert!("аda".parse::<PeerName>().is_err(), "the first letter is Cyrillic");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PeerName(String);

impl PeerName {
    /// The longest name, in characters.
    pub const LONGEST: usize = 32;

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for PeerName {
    type Error = IdentityError;

    fn try_from(name: String) -> Result<Self, IdentityError> {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let is_part = |byte: u8| is_plain(byte) || matches!(byte, b'-' | b'_' | b'.');
        let is_name = name.len() <= Self::LONGEST
            && name.bytes().next().is_some_and(is_plain)
            && name.bytes().all(is_part);
        is_name.then_some(Self(name)).ok_or(IdentityError::Name)
    }
}

impl std::str::FromStr for PeerName {
    type Err = IdentityError;

    fn from_str(name: &str) -> Result<Self, IdentityError> {
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

/// The name of a channel, as the tracker knows it: any text without control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ChannelName(String);

impl ChannelName {
    /// The longest name, in characters.
    pub const LONGEST: usize = 64;
}

impl TryFrom<String> for ChannelName {
    type Error = IdentityError;

    fn try_from(name: String) -> Result<Self, IdentityError> {
        let length = name.chars().take(Self::LONGEST + 1).count();
        let is_name = (1..=Self::LONGEST).contains(&length)
            && !name.trim().is_empty()
            && !name.chars().any(char::is_control);
        is_name.then_some(Self(name)).ok_or(IdentityError::Channel)
    }
}

impl From<ChannelName> for String {
    fn from(name: ChannelName) -> Self {
        name.0
    }
}

/// The public key of a peer: Ed25519 (RFC 8032).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PeerKey([u8; 32]);

impl PeerKey {
    /// The key with these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes of the key.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// A short form, for people to compare: the first 16 bytes of the SHA-256 of the key, in groups
    /// of four digits.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_chat_recipes::tracker::PeerKey;
    ///
    /// let fingerprint = PeerKey::new([0; 32]).fingerprint();
    /// assert_eq!(fingerprint, "6668 7aad f862 bd77 6c8f c18b 8e9f 8e20");
    /// ```
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let digest = digest(&SHA256, &self.0);
        let pairs = digest.as_ref()[..16].chunks(2);
        let groups: Vec<_> = pairs.map(to_hex).collect();
        groups.join(" ")
    }
}

impl TryFrom<String> for PeerKey {
    type Error = IdentityError;

    fn try_from(text: String) -> Result<Self, IdentityError> {
        from_hex(&text).map(Self).ok_or(IdentityError::Key)
    }
}

impl From<PeerKey> for String {
    fn from(key: PeerKey) -> Self {
        to_hex(&key.0)
    }
}

impl fmt::Display for PeerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.0))
    }
}

impl fmt::Debug for PeerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerKey({self})")
    }
}

/// Writes bytes as hexadecimal digits.
pub(super) fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

/// Reads exactly `N` bytes from hexadecimal digits.
pub(super) fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let text = text.as_bytes();
    if text.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = (high << 4 | low) as u8;
    }
    Some(bytes)
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
            assert_eq!(
                name.parse::<PeerName>(),
                Err(IdentityError::Name),
                "{name:?}"
            );
        }
    }

    #[test]
    fn channels_have_any_printable_name() {
        for name in ["general", "Küche 2", "日本", &"x".repeat(64)] {
            assert!(ChannelName::try_from(name.to_owned()).is_ok(), "{name}");
        }
        for name in ["", "  ", "a\nb", "a\0", "\u{85}", &"x".repeat(65)] {
            assert!(ChannelName::try_from(name.to_owned()).is_err(), "{name:?}");
        }
    }

    #[test]
    fn keys_are_read_as_they_are_written() {
        let key = PeerKey::new(std::array::from_fn(|i| (i * 9) as u8));
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
                Err(IdentityError::Key),
                "{wrong}"
            );
        }
        assert!(PeerKey::try_from("é".repeat(32)).is_err());
    }
}
