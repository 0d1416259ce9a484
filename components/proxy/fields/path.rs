//! The path that a backend gets, and the path of a backend as its client sees it.

use std::borrow::Cow;

use bytes::Bytes;
use kamea_components::http::Target;

use super::Forwarding;

impl Forwarding<'_> {
    /// Whether the paths of the backend differ from those of the client.
    pub(super) fn maps_paths(&self) -> bool {
        self.route.strip_prefix || !self.backend.path.is_empty()
    }

    /// Returns the target in the form for a server (RFC 9112 section 3.2.1): path and query. The
    /// prefix of the route is removed if the route says so, or replaced by the path of the backend.
    pub(super) fn target(&self) -> Target {
        let (target, method) = (&self.head.target, &self.head.method);
        let is_origin_form = target.as_bytes().starts_with(b"/");
        if target.is_asterisk() || (is_origin_form && !self.maps_paths()) {
            return target.clone();
        }
        let mut text = match self.maps_paths() {
            true => self.path_at_backend(target.path()),
            false => target.path().to_owned(),
        };
        if let Some(query) = target.query() {
            text.push('?');
            text.push_str(query);
        }
        Target::parse(method, Bytes::from(text)).unwrap_or_else(|_| target.clone())
    }

    fn path_at_backend(&self, path: &str) -> String {
        let rest = without_prefix(path, &self.route.prefix).unwrap_or(path);
        let rest = rest.trim_start_matches('/');
        let base = &self.backend.path;
        match (rest, &**base) {
            ("", "") => "/".to_owned(),
            ("", base) => base.to_owned(),
            (rest, base) => format!("{}/{rest}", base.trim_end_matches('/')),
        }
    }

    /// Returns a path of the backend as the client sees it. A path that is not below that of the
    /// backend, or has the prefix of the route already, stays.
    pub(super) fn path_at_client<'p>(&self, path: &'p str) -> Cow<'p, str> {
        let prefix = self.route.prefix.trim_end_matches('/');
        let base = self.backend.path.trim_end_matches('/');
        if !self.maps_paths() {
            return Cow::Borrowed(path);
        }
        let Some(rest) = below(path, base) else {
            return Cow::Borrowed(path);
        };
        if base.is_empty() && !prefix.is_empty() && below(path, prefix).is_some() {
            return Cow::Borrowed(path);
        }
        match (prefix, rest) {
            ("", "") => Cow::Borrowed("/"),
            ("", rest) => Cow::Borrowed(rest),
            (prefix, rest) => Cow::Owned(format!("{prefix}{rest}")),
        }
    }
}

/// Returns the rest of a path that begins with whole segments.
pub(super) fn below<'p>(path: &'p str, start: &str) -> Option<&'p str> {
    let rest = path.strip_prefix(start)?;
    let is_whole = rest.is_empty() || rest.starts_with(['/', '?', '#']);
    is_whole.then_some(rest)
}

/// Returns the rest of an encoded path behind a decoded prefix. Routes are found by the decoded
/// path, with each run of slashes as one.
fn without_prefix<'p>(path: &'p str, prefix: &str) -> Option<&'p str> {
    let bytes = path.as_bytes();
    let (mut at, mut last) = (0, 0);
    for wanted in prefix.bytes() {
        loop {
            let (byte, length) = decoded(&bytes[at..])?;
            at += length;
            let is_repeated = byte == b'/' && last == b'/';
            last = byte;
            match () {
                () if is_repeated => {}
                () if byte == wanted => break,
                () => return None,
            }
        }
    }
    path.get(at..)
}

/// Returns the first byte of an encoded path, and how long it is there.
fn decoded(bytes: &[u8]) -> Option<(u8, usize)> {
    let digit = |at: usize| char::from(*bytes.get(at)?).to_digit(16);
    match bytes.first()? {
        b'%' => Some(((digit(1)? << 4 | digit(2)?) as u8, 3)),
        byte => Some((*byte, 1)),
    }
}

#[cfg(test)]
mod tests {
    use crate::fields::testing::Setting;

    fn setting(prefix: &str, strips: bool, backend: &str) -> Setting {
        let mut setting = Setting::new(backend);
        setting.route.prefix = prefix.to_owned();
        setting.route.strip_prefix = strips;
        setting
    }

    #[test]
    fn the_target_that_a_backend_gets() {
        let plain = "http://b:1";
        let rows = [
            ("/", false, plain, "/a?b", "/a?b"),
            ("/", false, plain, "http://x/a?b", "/a?b"),
            ("/", false, plain, "http://x", "/"),
            ("/api", false, plain, "/api/a", "/api/a"),
            ("/api", true, plain, "/api/a?b=/api", "/a?b=/api"),
            ("/api", true, plain, "/api", "/"),
            ("/api", true, plain, "/api?b", "/?b"),
            ("/api/", true, plain, "/api/a", "/a"),
            ("/api", true, plain, "http://x/api/a", "/a"),
            // As the route was found: decoded, slashes as one.
            ("/api", true, plain, "/%61pi/a%2Fb", "/a%2Fb"),
            ("/api", true, plain, "//api///a", "/a"),
            ("/a b", true, plain, "/a%20b/c", "/c"),
            // The path of the backend replaces the prefix.
            ("/api", false, "http://b:1/v1", "/api/a", "/v1/a"),
            ("/api", false, "http://b:1/v1/", "/api/a", "/v1/a"),
            ("/api", false, "http://b:1/v1", "/api", "/v1"),
            ("/api/", false, "http://b:1/", "/api/a/", "/a/"),
            ("/", false, "http://b:1/v1", "/a", "/v1/a"),
            ("/", false, "http://b:1/v1", "/", "/v1"),
        ];
        for (prefix, strips, backend, target, expected) in rows {
            let setting = setting(prefix, strips, backend);
            let request = format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n");
            let sent = setting.request(&request).unwrap().target.to_string();
            assert_eq!(sent, expected, "{prefix} {strips} {backend} {target}");
        }
        let request = "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n";
        let sent = setting("/", false, "http://b:1/v1")
            .request(request)
            .unwrap();
        assert_eq!(sent.target.to_string(), "*");
    }

    #[test]
    fn the_path_that_a_client_sees() {
        let plain = "http://b:1";
        let rows = [
            ("/api", false, plain, "/x", "/x"),
            ("/api", true, plain, "/x", "/api/x"),
            ("/api/", true, plain, "/x", "/api/x"),
            ("/api", true, plain, "/", "/api/"),
            ("/api", true, plain, "/apis", "/api/apis"),
            // The application knows its prefix.
            ("/api", true, plain, "/api/x", "/api/x"),
            ("/api", true, plain, "/api", "/api"),
            ("/api", false, "http://b:1/v1", "/v1/x", "/api/x"),
            ("/api", false, "http://b:1/v1", "/v1", "/api"),
            ("/api", false, "http://b:1/v1", "/v2/x", "/v2/x"),
            ("/", false, "http://b:1/v1", "/v1/x", "/x"),
            ("/", false, "http://b:1/v1", "/v1", "/"),
        ];
        for (prefix, strips, backend, path, expected) in rows {
            let setting = setting(prefix, strips, backend);
            let seen =
                setting.forwarding(|forwarding| forwarding.path_at_client(path).into_owned());
            assert_eq!(seen, expected, "{prefix} {strips} {backend} {path}");
        }
    }
}
