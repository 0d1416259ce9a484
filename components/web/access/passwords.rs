//! Passwords: a filter that requires a name and a password, for the whole site or below a path.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use argon2::Argon2;
use argon2::password_hash::PasswordVerifier as _;
use argon2::password_hash::phc::PasswordHash;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::StatusCode;
use kamea::{Component, compute};
use percent_encoding::percent_decode_str;
use subtle::ConstantTimeEq as _;

use crate::http::path_segments;
use crate::web::{FilterPorts, Request};

/// How many verified passwords are cached: a hash takes tens of milliseconds to compute.
const REMEMBERED: usize = 1024;

/// A user with access to everything below a path: written `NAME:HASH`, or `/PATH/=NAME:HASH`. The
/// hash is one of bcrypt, as `htpasswd -nB NAME` makes it, or of Argon2.
///
/// # Examples
///
/// ```
/// use kamea_components::web::User;
///
/// let hash = "$2y$04$c0akbAPVd6KJyT1aOQM.aOFrfhOU84Gwf/K/xZSzyhHL0V//T9Hz2";
/// assert!(format!("ada:{hash}").parse::<User>().is_ok());
/// assert!(format!("/drafts/=ada:{hash}").parse::<User>().is_ok());
/// // A password is not a hash.
/// assert!("ada:secret".parse::<User>().is_err());
/// ```
#[derive(Clone)]
pub struct User {
    /// The segments of the path.
    below: Vec<Vec<u8>>,
    name: String,
    hash: String,
}

impl User {
    /// The path that the user has access to, decoded and without slashes at its ends; `None` for
    /// the whole site.
    ///
    /// # Examples
    ///
    /// ```
    /// # use kamea_components::web::User;
    /// let hash = "$2y$04$c0akbAPVd6KJyT1aOQM.aOFrfhOU84Gwf/K/xZSzyhHL0V//T9Hz2";
    /// let of = |path: &str| format!("{path}ada:{hash}").parse::<User>();
    /// assert_eq!(of("//my%20drafts/./new/=")?.folder(), Some(b"my drafts/new".to_vec()));
    /// assert_eq!(of("")?.folder(), None);
    /// # Ok::<(), &str>(())
    /// ```
    #[must_use]
    pub fn folder(&self) -> Option<Vec<u8>> {
        let is_whole_site = self.below.is_empty();
        (!is_whole_site).then(|| self.below.join(&b'/'))
    }
}

/// The hash is not shown.
impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl FromStr for User {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wanted = "a user is NAME:HASH or /PATH/=NAME:HASH, with a hash of bcrypt or Argon2: htpasswd -nB NAME makes one";
        let (path, user) = match text.split_once('=') {
            Some((path, user)) if path.starts_with('/') => (path, user),
            _ => ("/", text),
        };
        let (name, hash) = user.trim().split_once(':').ok_or(wanted)?;
        if name.is_empty() || name.contains(char::is_control) || !is_hash(hash) {
            return Err(wanted);
        }
        Ok(Self {
            below: segments(path),
            name: name.to_owned(),
            hash: hash.to_owned(),
        })
    }
}

fn is_hash(hash: &str) -> bool {
    if hash.starts_with("$argon2") {
        return PasswordHash::new(hash).is_ok_and(|hash| hash.hash.is_some());
    }
    hash.starts_with("$2") && hash.parse::<bcrypt::HashParts>().is_ok()
}

/// Whether a hash belongs to a password. The computation takes tens of milliseconds.
fn is_of(hash: &str, password: &[u8]) -> bool {
    if hash.starts_with("$argon2") {
        let hash = PasswordHash::new(hash);
        return hash.is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok());
    }
    bcrypt::verify(password, hash).unwrap_or(false)
}

/// The segments of a path, as any handler may read it: decoded first.
fn segments(path: &str) -> Vec<Vec<u8>> {
    path_segments(&percent_decode_str(path).collect::<Vec<u8>>())
}

/// The users of a site.
struct Users {
    users: Vec<User>,
    /// Verified passwords, by name and hash.
    right: Mutex<HashMap<(String, String), Vec<u8>>>,
}

impl Users {
    /// The users that may see a path: those of the longest protected path above it.
    fn of(&self, path: &str) -> Vec<&User> {
        let path = segments(path);
        let above = |user: &&User| path.starts_with(&user.below);
        let longest = self.users.iter().filter(above).map(|user| user.below.len());
        let longest = longest.max();
        let users = self.users.iter().filter(above);
        users
            .filter(|user| Some(user.below.len()) == longest)
            .collect()
    }

    async fn admits(&self, request: &Request) -> bool {
        let users = self.of(request.head.target.path());
        let Some(first) = users.first() else {
            return true;
        };
        let authorization = request.head.fields.get("authorization").unwrap_or_default();
        let Some((name, password)) = credentials(authorization) else {
            return false;
        };
        let user = users.iter().find(|user| user.name == name);
        // The time of an answer must not show to a client that guesses names which names exist.
        let hash = user.unwrap_or(first).hash.clone();
        let is_right = self.is_right(&name, hash, password).await;
        is_right && user.is_some()
    }

    async fn is_right(&self, name: &str, hash: String, password: Vec<u8>) -> bool {
        let key = (name.to_owned(), hash.clone());
        {
            let right = self.right.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(known) = right.get(&key)
                && bool::from(known.ct_eq(&password))
            {
                return true;
            }
        }
        let tried = password.clone();
        let is_right = compute(move || is_of(&hash, &tried)).await;
        if is_right {
            let mut right = self.right.lock().unwrap_or_else(PoisonError::into_inner);
            if right.len() < REMEMBERED {
                right.insert(key, password);
            }
        }
        is_right
    }
}

/// Name and password of `Basic` credentials (RFC 7617 section 2).
fn credentials(authorization: &[u8]) -> Option<(String, Vec<u8>)> {
    let space = authorization.iter().position(|&byte| byte == b' ')?;
    let (scheme, rest) = authorization.split_at(space);
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return None;
    }
    let decoded = BASE64_STANDARD.decode(rest.trim_ascii()).ok()?;
    // "a user-id containing a colon character is invalid".
    let colon = decoded.iter().position(|&byte| byte == b':')?;
    let name = String::from_utf8(decoded[..colon].to_vec()).ok()?;
    Some((name, decoded[colon + 1..].to_vec()))
}

/// Passes only requests of these users, where the site has any; all other requests get 401.
///
/// # Examples
///
/// ```
/// use kamea_components::server::{Site, WebServer};
/// use kamea_components::web::{User, ask_for_password};
///
/// let ada = "ada:$2y$04$c0akbAPVd6KJyT1aOQM.aOFrfhOU84Gwf/K/xZSzyhHL0V//T9Hz2";
/// let users: Vec<User> = vec![ada.parse()?];
/// let server = WebServer::new(Site::new(".")).filter("users", ask_for_password(users));
/// # server.check()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn ask_for_password(users: Vec<User>) -> impl Component<FilterPorts> + Clone + Send + Sync {
    let users = Arc::new(Users {
        users,
        right: Mutex::default(),
    });
    async move |io: &mut FilterPorts| {
        while let Some(request) = io.requests.next().await {
            if users.admits(&request).await {
                io.passed.send(request).await?;
                continue;
            }
            let challenge = "Basic realm=\"kamea\", charset=\"UTF-8\"";
            let why = "this is for those who have a name and a password";
            let failure = request.refuse(StatusCode::UNAUTHORIZED, why);
            let failure = failure.with("WWW-Authenticate", challenge);
            io.refuse(request, failure).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(users: &[&str]) -> Users {
        // A hash of the password "secret", at the lowest cost.
        let hash = bcrypt::hash("secret", 4).unwrap();
        let users = users.iter().map(|user| format!("{user}:{hash}").parse());
        Users {
            users: users.collect::<Result<_, _>>().unwrap(),
            right: Mutex::default(),
        }
    }

    #[test]
    fn the_longest_path_counts_however_it_is_written() {
        let users = users(&["/a/=ada", "/a/b=bob", "/a/b=eve"]);
        for (path, names) in [
            ("/", &[][..]),
            ("/ab", &[]),
            ("/a", &["ada"]),
            ("/a/x", &["ada"]),
            ("//a//x", &["ada"]),
            ("/%61/x", &["ada"]),
            ("/x/../a", &["ada"]),
            ("/a%2Fx", &["ada"]),
            ("/a/b", &["bob", "eve"]),
            ("/a/./b/c", &["bob", "eve"]),
            ("/a/b/..", &["ada"]),
        ] {
            let found = users.of(path).into_iter().map(|user| user.name.as_str());
            assert_eq!(found.collect::<Vec<_>>(), names, "{path}");
        }
    }

    #[test]
    fn hashes_of_both_kinds_are_told_from_passwords() {
        let bcrypt = bcrypt::hash("secret", 4).unwrap();
        // Made by the reference implementation, with the least time and memory.
        let argon2 = "$argon2id$v=19$m=8,t=1,p=1$2vfQk73tnu8lGtxh36tLAg$GocWy55he8bvhzkWyLRcLeyFtTBZL3p3tKBODQTxT7A";
        let cut = argon2.rsplit_once('$').unwrap().0;
        assert!(is_hash(argon2) && is_of(argon2, b"secret") && !is_of(argon2, b"secreT"));
        assert!(is_hash(&bcrypt) && is_hash(&bcrypt.replace("$2b$", "$2y$")));
        assert!(is_of(&bcrypt, b"secret") && !is_of(&bcrypt, b"Secret"));
        assert!(is_of(&bcrypt.replace("$2b$", "$2y$"), b"secret"));
        for wrong in ["", "secret", "$apr1$x$y", "$2y$05$short", cut, "{SHA}x"] {
            assert!(!is_hash(wrong), "{wrong}");
        }
        for wrong in ["ada", ":x", &format!(":{bcrypt}"), &format!("/a={bcrypt}")] {
            assert!(wrong.parse::<User>().is_err(), "{wrong}");
        }
    }
}
