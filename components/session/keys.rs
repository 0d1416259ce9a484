//! Keys that sign and encrypt cookies, with rotation.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// Keys for cookies. The first key signs and encrypts; all keys verify and decrypt. To replace a
/// key, put the new secret first and keep the old one until its cookies have expired.
///
/// A signature and a ciphertext belong to the name of their cookie: a client cannot use the value
/// of one cookie for another.
///
/// # Examples
///
/// ```
/// use kamea_session::Keys;
///
/// let old = Keys::new("a long text from a file that only the server reads")?;
/// let signed = old.sign("theme", "dark");
/// assert!(signed.ends_with(".dark"));
///
/// let keys = Keys::new("the next text, which is just as long")?
///     .or_old("a long text from a file that only the server reads")?;
/// assert_eq!(keys.verify("theme", &signed), Some("dark"));
/// assert_eq!(keys.verify("user", &signed), None);
///
/// let sealed = keys.seal("cart", "3 apples");
/// assert_eq!(keys.open("cart", &sealed).as_deref(), Some("3 apples"));
/// assert_eq!(old.open("cart", &sealed), None);
/// # Ok::<(), kamea_session::WeakSecret>(())
/// ```
#[derive(Clone)]
pub struct Keys(Arc<[Key]>);

/// A secret that is too short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a secret for cookies has at least 32 bytes; this one has {0}")]
pub struct WeakSecret(pub usize);

#[derive(Clone)]
struct Key {
    signing: Hmac<Sha256>,
    sealing: XChaCha20Poly1305,
}

/// The bytes of a nonce. It is drawn for each cookie; 192 bits never repeat by chance.
const NONCE: usize = 24;

/// The bytes of a signature, as text.
const SIGNATURE: usize = 43;

impl Keys {
    /// The fewest bytes of a secret.
    pub const SHORTEST: usize = 32;

    /// Makes keys from a secret: random bytes, or a long random text.
    ///
    /// # Errors
    ///
    /// [`WeakSecret`], if it has fewer than 32 bytes.
    pub fn new(secret: impl AsRef<[u8]>) -> Result<Self, WeakSecret> {
        Ok(Self([Key::new(secret.as_ref())?].into()))
    }

    /// Makes keys from random bytes of the system. Cookies of an earlier run of the program become
    /// invalid.
    ///
    /// # Errors
    ///
    /// If the system has no random bytes.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut secret = [0; Self::SHORTEST];
        getrandom::fill(&mut secret)?;
        Ok(Self([Key::of(&secret)].into()))
    }

    /// Also accepts cookies of an old secret.
    ///
    /// # Errors
    ///
    /// [`WeakSecret`], if it has fewer than 32 bytes.
    pub fn or_old(self, secret: impl AsRef<[u8]>) -> Result<Self, WeakSecret> {
        let old = Key::new(secret.as_ref())?;
        Ok(Self(self.0.iter().cloned().chain([old]).collect()))
    }

    /// Signs the value of a cookie. The client can read it, but not change it.
    #[must_use]
    pub fn sign(&self, name: &str, value: &str) -> String {
        let mac = self.0[0].mac(name, value).finalize().into_bytes();
        format!("{}.{value}", BASE64.encode(mac))
    }

    /// The value of a signed cookie, if one of the keys has signed it.
    #[must_use]
    pub fn verify<'a>(&self, name: &str, signed: &'a str) -> Option<&'a str> {
        let (mac, value) = signed.split_once('.')?;
        let mac = BASE64.decode(mac).ok().filter(|_| mac.len() == SIGNATURE)?;
        let is_of = |key: &Key| key.mac(name, value).verify_slice(&mac).is_ok();
        self.0.iter().any(is_of).then_some(value)
    }

    /// Encrypts the value of a cookie. The client can neither read nor change it.
    ///
    /// # Panics
    ///
    /// If the system has no random bytes.
    #[must_use]
    pub fn seal(&self, name: &str, value: &str) -> String {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).expect("the system has random bytes");
        let payload = Payload {
            msg: value.as_bytes(),
            aad: name.as_bytes(),
        };
        let sealed = self.0[0].sealing.encrypt(&XNonce::from(nonce), payload);
        // It fails only for values of 256 GiB.
        let sealed = sealed.unwrap_or_default();
        BASE64.encode([&nonce[..], &sealed].concat())
    }

    /// The value of an encrypted cookie, if one of the keys has encrypted it.
    #[must_use]
    pub fn open(&self, name: &str, sealed: &str) -> Option<String> {
        let bytes = BASE64.decode(sealed).ok()?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE)?;
        let nonce = XNonce::from(<[u8; NONCE]>::try_from(nonce).ok()?);
        let open = |key: &Key| {
            let payload = Payload {
                msg: sealed,
                aad: name.as_bytes(),
            };
            key.sealing.decrypt(&nonce, payload).ok()
        };
        String::from_utf8(self.0.iter().find_map(open)?).ok()
    }
}

/// The secrets are not shown.
impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

impl Key {
    fn new(secret: &[u8]) -> Result<Self, WeakSecret> {
        match secret.len() {
            short if short < Keys::SHORTEST => Err(WeakSecret(short)),
            _ => Ok(Self::of(secret)),
        }
    }

    /// Two keys from one secret, so that no key is used for two purposes.
    fn of(secret: &[u8]) -> Self {
        let derive = |purpose: &[u8]| -> [u8; 32] {
            let mut mac = keyed(secret);
            mac.update(purpose);
            mac.finalize().into_bytes().into()
        };
        let sealing = derive(b"kamea cookies: encryption").into();
        Self {
            signing: keyed(&derive(b"kamea cookies: signature")),
            sealing: XChaCha20Poly1305::new(&sealing),
        }
    }

    fn mac(&self, name: &str, value: &str) -> Hmac<Sha256> {
        let mut mac = self.signing.clone();
        // No name contains `=`.
        for part in [name, "=", value] {
            mac.update(part.as_bytes());
        }
        mac
    }
}

fn keyed(secret: &[u8]) -> Hmac<Sha256> {
    <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(secret).expect("any length is right")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(letter: &str) -> Keys {
        Keys::new(letter.repeat(32)).unwrap()
    }

    #[test]
    fn no_change_of_a_single_character_is_accepted() {
        let keys = keys("k");
        let (signed, sealed) = (keys.sign("a", "value"), keys.seal("a", "value"));
        for (text, is_signed) in [(&signed, true), (&sealed, false)] {
            for index in 0..text.len() {
                let mut changed = text.clone().into_bytes();
                changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
                let changed = String::from_utf8(changed).unwrap();
                match is_signed {
                    true => assert_eq!(keys.verify("a", &changed), None, "{changed}"),
                    false => assert_eq!(keys.open("a", &changed), None, "{changed}"),
                }
            }
        }
    }

    #[test]
    fn a_value_of_one_cookie_is_nothing_in_another_one() {
        let keys = keys("k");
        assert_eq!(keys.verify("b", &keys.sign("a", "1")), None);
        assert_eq!(keys.open("b", &keys.seal("a", "1")), None);
        // Neither by moving the border between name and value.
        assert_eq!(keys.verify("a", &keys.sign("a=1", "2")), None);
    }

    #[test]
    fn old_keys_verify_and_do_not_sign() {
        let both = keys("n").or_old("o".repeat(32)).unwrap();
        let (old, new) = (keys("o"), keys("n"));
        assert_eq!(both.verify("a", &old.sign("a", "1")), Some("1"));
        assert_eq!(both.open("a", &old.seal("a", "1")).as_deref(), Some("1"));
        assert_eq!(new.verify("a", &both.sign("a", "1")), Some("1"));
        assert_eq!(new.open("a", &both.seal("a", "1")).as_deref(), Some("1"));
        assert_eq!(old.verify("a", &both.sign("a", "1")), None);
        assert_eq!(new.open("a", &old.seal("a", "1")), None);
    }

    #[test]
    fn texts_that_are_not_ours_and_weak_secrets_are_refused() {
        let keys = keys("k");
        for text in ["", ".", "a.b", "%", "ä", &"A".repeat(5000), &"A".repeat(43)] {
            assert_eq!(keys.verify("a", text), None, "{text}");
            assert_eq!(keys.open("a", text), None, "{text}");
        }
        let weak = Keys::new("short").unwrap_err();
        let words = "a secret for cookies has at least 32 bytes; this one has 5";
        assert_eq!(weak.to_string(), words);
        assert!(!format!("{keys:?}").contains("kkk"));
    }

    #[test]
    fn the_same_value_is_never_encrypted_in_the_same_way() {
        let keys = Keys::random().unwrap();
        assert_ne!(keys.seal("a", "1"), keys.seal("a", "1"));
    }
}
