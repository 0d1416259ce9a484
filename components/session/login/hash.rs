//! Hashes of passwords: Argon2id (RFC 9106).

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use kamea::compute;

/// A password cannot be hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HashError {
    /// It is longer than 1,024 bytes.
    #[error("a password has at most 1,024 bytes")]
    TooLong,
    /// The system has no random bytes, or not enough memory.
    #[error("the password cannot be hashed")]
    Failed,
}

/// The longest password, in bytes. Longer ones would only cost time.
pub(crate) const LONGEST: usize = 1024;

/// Hashes a password by Argon2id, off the workers, with a random salt: the line for a file or a
/// database. It takes about 20 ms of a core, and 19 MiB.
///
/// # Examples
///
/// ```
/// # kamea::testing::block_on(async {
/// let hash = kamea_session::hash_password("correct horse").await?;
/// assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
/// # Ok::<(), kamea_session::HashError>(())
/// # }).unwrap();
/// ```
///
/// # Errors
///
/// [`HashError`].
pub async fn hash_password(password: &str) -> Result<String, HashError> {
    if password.len() > LONGEST {
        return Err(HashError::TooLong);
    }
    let password = password.to_owned();
    compute(move || {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(|_| HashError::Failed)?;
        let hash = Argon2::default().hash_password_with_salt(password.as_bytes(), &salt);
        Ok(hash.map_err(|_| HashError::Failed)?.to_string())
    })
    .await
}

/// Whether a hash belongs to a password.
pub(crate) fn is_of(hash: &str, password: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| {
        let verified = Argon2::default().verify_password(password.as_bytes(), &hash);
        verified.is_ok()
    })
}
