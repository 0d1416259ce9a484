//! A client stays at its backend, by a cookie.

use super::{Asked, Candidate, Policy};
use crate::fields::cookie;

/// The backend that a cookie names; without it, or if that backend cannot take a request, the
/// choice of another policy.
///
/// The value of the cookie is a hash of the address of the backend, so that a backend keeps its
/// clients when others come and go, and when the proxy starts again.
/// [`sticky_cookie`] returns the cookie that a response sets.
pub struct Sticky {
    cookie: String,
    other: Box<dyn Policy>,
}

impl Sticky {
    /// By the cookie with this name, and `other` for clients without it.
    #[must_use]
    pub fn new(cookie: impl Into<String>, other: Box<dyn Policy>) -> Self {
        Self {
            cookie: cookie.into(),
            other,
        }
    }
}

impl std::fmt::Debug for Sticky {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Sticky").field(&self.cookie).finish()
    }
}

impl Policy for Sticky {
    fn choose(&mut self, candidates: &[Candidate], asked: &Asked<'_>) -> Option<usize> {
        let wanted = cookie(&asked.head.fields, &self.cookie);
        let is_it = |candidate: &Candidate| wanted == Some(value(candidate.key).as_bytes());
        let own = wanted.and_then(|_| candidates.iter().position(is_it));
        own.or_else(|| self.other.choose(candidates, asked))
    }
}

/// Returns the value of `Set-Cookie` for a response of the backend with this key; `None` if the
/// request had the cookie already.
///
/// It is a session cookie for the whole host: no other site sends it (`SameSite=Lax`), and no
/// script reads it.
#[must_use]
pub fn sticky_cookie(name: &str, key: u64, asked: &Asked<'_>, is_tls: bool) -> Option<String> {
    let value = value(key);
    if cookie(&asked.head.fields, name) == Some(value.as_bytes()) {
        return None;
    }
    let secure = if is_tls { "; Secure" } else { "" };
    Some(format!(
        "{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}"
    ))
}

fn value(key: u64) -> String {
    format!("{key:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::RoundRobin;
    use crate::policy::testing::{head, weighted};

    #[test]
    fn a_client_stays_where_it_is() {
        let mut policy = Sticky::new("node", Box::new(RoundRobin::new()));
        let all = weighted(&[100; 3]);
        let mut ask = |candidates: &[Candidate], lines: &str| {
            let head = head(lines);
            let asked = Asked::new(&head, [127, 0, 0, 1].into());
            let position = policy.choose(candidates, &asked).unwrap();
            let key = candidates[position].key;
            (position, sticky_cookie("node", key, &asked, false))
        };
        // New clients are spread, and each gets its cookie.
        let first = ask(&all, "");
        let second = ask(&all, "Cookie: other=1\r\n");
        assert_eq!((first.0, second.0), (0, 1));
        let expected = format!("node={:016x}; Path=/; HttpOnly; SameSite=Lax", all[1].key);
        assert_eq!(second.1, Some(expected));
        // Then they stay, without another cookie.
        let cookie = format!("Cookie: a=b; node={:016x}\r\n", all[1].key);
        for _ in 0..5 {
            assert_eq!(ask(&all, &cookie), (1, None));
        }
        // Their backend is gone: another one, and another cookie.
        let without: Vec<_> = [&all[0], &all[2]].map(Clone::clone).into();
        let (_, moved) = ask(&without, &cookie);
        assert!(moved.is_some());
        // A value that is none is as none.
        for wrong in ["", "x", "0", "ffffffffffffffff", "\u{e9}"] {
            assert!(ask(&all, &format!("Cookie: node={wrong}\r\n")).1.is_some());
        }
    }

    #[test]
    fn over_tls_the_cookie_is_secure() {
        let head = head("");
        let asked = Asked::new(&head, [127, 0, 0, 1].into());
        let cookie = sticky_cookie("node", 7, &asked, true).unwrap();
        assert!(cookie.ends_with("; Secure"), "{cookie}");
    }
}
