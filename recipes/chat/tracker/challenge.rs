//! The proof that a peer has the key that it names: it signs a number that the tracker has drawn.
//!
//! The tracker remembers no number that it gives away, so that nobody can fill its memory by
//! asking: a number carries its time, and a code that only the tracker can make. Numbers that have
//! been used are remembered by the registry until they expire.

use std::fmt;
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use kamea::random::token;
use kamea_chat::{PeerKey, PeerName, from_hex, to_hex};
use sha2::Sha256;

/// Why a login is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChallengeError {
    /// The nonce is not of this tracker, or not for this name and key.
    #[error("the nonce is not one of this tracker for this name and key: log in without one first")]
    Foreign,
    /// The nonce is too old.
    #[error("the nonce has expired: log in without one to get another one")]
    Expired,
    /// The signature is wrong.
    #[error(
        "the signature is wrong: sign `kamea-chat login 1`, the nonce, the name and the key, each \
         with a line feed after it"
    )]
    Signature,
}

/// Draws the nonces that peers sign, and checks what they have signed.
///
/// # Examples
///
/// ```
/// use std::time::Instant;
/// use kamea_chat::Identity;
/// use kamea_chat_recipes::tracker::{Challenges, login_text};
///
/// let identity = Identity::from_secret([7; 32]);
/// let (name, key) = ("ada".parse()?, identity.key());
///
/// let challenges = Challenges::new(Instant::now());
/// let nonce = challenges.draw(&name, &key, Instant::now());
/// let signature = identity.sign(login_text(&nonce, &name, &key).as_bytes());
/// assert!(challenges.check(&nonce, &signature, &name, &key, Instant::now()).is_ok());
/// assert!(challenges.check(&nonce, &[0; 64], &name, &key, Instant::now()).is_err());
/// # Ok::<(), kamea_chat::NameError>(())
/// ```
pub struct Challenges {
    secret: Hmac<Sha256>,
    began: Instant,
}

/// The secret is not shown.
impl fmt::Debug for Challenges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Challenges")
    }
}

/// The text that a peer signs to log in.
#[must_use]
pub fn login_text(nonce: &str, name: &PeerName, key: &PeerKey) -> String {
    format!("kamea-chat login 1\n{nonce}\n{name}\n{key}\n")
}

/// A nonce: its time in milliseconds, a random number, and a code that only the tracker can make.
const NONCE: usize = 8 + 8 + 16;

impl Challenges {
    /// How long a nonce can be used.
    pub const LIFETIME: Duration = Duration::from_secs(30);

    /// Draws a secret. The nonces of an earlier run become invalid.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        let mut secret = [0; 64];
        secret[..16].copy_from_slice(&token().to_be_bytes());
        secret[16..32].copy_from_slice(&token().to_be_bytes());
        Self {
            secret: Hmac::new(&secret.into()),
            began: now,
        }
    }

    /// Draws a nonce for a peer.
    #[must_use]
    pub fn draw(&self, name: &PeerName, key: &PeerKey, now: Instant) -> String {
        let time = now.saturating_duration_since(self.began).as_millis() as u64;
        let mut nonce = [0; NONCE];
        nonce[..8].copy_from_slice(&time.to_be_bytes());
        nonce[8..16].copy_from_slice(&token().to_be_bytes()[..8]);
        let code = self.code(&nonce, name, key).finalize();
        nonce[16..].copy_from_slice(&code.into_bytes()[..16]);
        to_hex(&nonce)
    }

    /// Checks that a peer has signed a nonce of this tracker. Returns when the nonce expires:
    /// until then it must not be accepted again.
    ///
    /// # Errors
    ///
    /// [`ChallengeError`].
    pub fn check(
        &self,
        nonce: &str,
        signature: &[u8; 64],
        name: &PeerName,
        key: &PeerKey,
        now: Instant,
    ) -> Result<Instant, ChallengeError> {
        let bytes: [u8; NONCE] = from_hex(nonce).ok_or(ChallengeError::Foreign)?;
        // The comparison takes the same time wherever the codes differ.
        let checked = self
            .code(&bytes, name, key)
            .verify_truncated_left(&bytes[16..]);
        checked.map_err(|_| ChallengeError::Foreign)?;
        let time = bytes
            .first_chunk()
            .map_or(0, |time| u64::from_be_bytes(*time));
        let expires = self.began + Duration::from_millis(time) + Self::LIFETIME;
        if now > expires {
            return Err(ChallengeError::Expired);
        }
        let text = login_text(nonce, name, key);
        match key.verify(text.as_bytes(), signature) {
            true => Ok(expires),
            false => Err(ChallengeError::Signature),
        }
    }

    /// The code of a nonce. A name contains no line feed.
    fn code(&self, nonce: &[u8; NONCE], name: &PeerName, key: &PeerKey) -> Hmac<Sha256> {
        let covered = [&nonce[..16], name.as_str().as_bytes(), b"\n", &key.0];
        let code = self.secret.clone();
        covered
            .iter()
            .fold(code, |code, part| code.chain_update(part))
    }
}

#[cfg(test)]
mod tests {
    use kamea_chat::Identity;

    use super::*;

    fn peer(seed: u8) -> (Identity, PeerKey) {
        let identity = Identity::from_secret([seed; 32]);
        let key = identity.key();
        (identity, key)
    }

    #[test]
    fn only_the_owner_of_the_key_passes_and_only_for_its_name() {
        let (now, name) = (Instant::now(), "ada".parse().unwrap());
        let (challenges, (pair, key)) = (Challenges::new(now), peer(1));
        let nonce = challenges.draw(&name, &key, now);
        let sign = |text: &str| pair.sign(text.as_bytes());
        let right = sign(&login_text(&nonce, &name, &key));
        let check = |nonce: &str, signature: &[u8; 64], name: &PeerName, key: &PeerKey, now| {
            challenges.check(nonce, signature, name, key, now)
        };
        assert!(check(&nonce, &right, &name, &key, now).is_ok());
        let late = now + Challenges::LIFETIME;
        assert!(check(&nonce, &right, &name, &key, late).is_ok());
        let over = late + Duration::from_millis(2);
        assert_eq!(
            check(&nonce, &right, &name, &key, over),
            Err(ChallengeError::Expired)
        );

        let (other, other_key) = peer(2);
        let other_name = "bob".parse().unwrap();
        let forged = other.sign(login_text(&nonce, &name, &key).as_bytes());
        let foreign = Challenges::new(now).draw(&name, &key, now);
        let signed_foreign = sign(&login_text(&foreign, &name, &key));
        let without_name = sign(&nonce);
        for (nonce, signature, name, key, expected) in [
            (&*nonce, &forged, &name, &key, ChallengeError::Signature),
            (&nonce, &[0; 64], &name, &key, ChallengeError::Signature),
            (
                &nonce,
                &without_name,
                &name,
                &key,
                ChallengeError::Signature,
            ),
            (&nonce, &right, &other_name, &key, ChallengeError::Foreign),
            (&nonce, &right, &name, &other_key, ChallengeError::Foreign),
            (
                &foreign,
                &signed_foreign,
                &name,
                &key,
                ChallengeError::Foreign,
            ),
            ("", &right, &name, &key, ChallengeError::Foreign),
            (&nonce[2..], &right, &name, &key, ChallengeError::Foreign),
            (
                &"0".repeat(64),
                &right,
                &name,
                &key,
                ChallengeError::Foreign,
            ),
        ] {
            assert_eq!(
                check(nonce, signature, name, key, now),
                Err(expected),
                "{nonce}"
            );
        }
    }

    /// A client that changes the time in a nonce changes what its code covers.
    #[test]
    fn the_time_of_a_nonce_cannot_be_changed() {
        let (now, name) = (Instant::now(), "ada".parse().unwrap());
        let (challenges, (pair, key)) = (Challenges::new(now), peer(1));
        let nonce = challenges.draw(&name, &key, now);
        for place in 0..nonce.len() {
            let mut changed = nonce.clone().into_bytes();
            changed[place] = if changed[place] == b'0' { b'1' } else { b'0' };
            let changed = String::from_utf8(changed).unwrap();
            let signature = pair.sign(login_text(&changed, &name, &key).as_bytes());
            let checked = challenges.check(&changed, &signature, &name, &key, now);
            assert_eq!(checked, Err(ChallengeError::Foreign), "{place}");
        }
    }
}
