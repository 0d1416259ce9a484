//! Addresses and paths of a backend in its responses, as the client sees them: `Location`,
//! `Content-Location`, `Refresh`, and the domain and path of cookies.

use super::Forwarding;
use super::path::below;

impl Forwarding<'_> {
    /// Returns the value of a field for the client, if it differs from that of the backend.
    pub(super) fn rewritten(&self, name: &str, value: &[u8]) -> Option<Vec<u8>> {
        let rewrite: fn(&Self, &str) -> Option<String> = match name.len() {
            8 if name.eq_ignore_ascii_case("location") => Self::location,
            16 if name.eq_ignore_ascii_case("content-location") => Self::location,
            7 if name.eq_ignore_ascii_case("refresh") => Self::refresh,
            10 if name.eq_ignore_ascii_case("set-cookie") => Self::set_cookie,
            _ => return None,
        };
        rewrite(self, str::from_utf8(value).ok()?).map(String::into_bytes)
    }

    /// `http://backend/path` or `/path`
    fn location(&self, value: &str) -> Option<String> {
        if value.starts_with('/') && !value.starts_with("//") {
            let path = self.path_at_client(value);
            return (path != value).then(|| path.into_owned());
        }
        let (scheme, rest) = value.split_once("://")?;
        if !["http", "https"]
            .iter()
            .any(|known| scheme.eq_ignore_ascii_case(known))
        {
            return None;
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let path = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/{path}")
        };
        if self.is_backend(scheme, authority) {
            let path = self.path_at_client(&path);
            let (scheme, host) = (self.scheme(), self.client_authority());
            return Some(format!("{scheme}://{}{path}", str::from_utf8(host).ok()?));
        }
        if authority.as_bytes().eq_ignore_ascii_case(self.authority()) {
            let seen = self.path_at_client(&path);
            return (seen != path).then(|| format!("{scheme}://{authority}{seen}"));
        }
        None
    }

    /// Whether a scheme and an authority are those of the backend.
    fn is_backend(&self, scheme: &str, authority: &str) -> bool {
        let default = if scheme.eq_ignore_ascii_case("https") {
            ":443"
        } else {
            ":80"
        };
        let without = authority.strip_suffix(default).unwrap_or(authority);
        let own = self.backend.authority();
        let is_own = without.eq_ignore_ascii_case(&own) || authority.eq_ignore_ascii_case(&own);
        // A client that asks for the address of the backend sees it anyway.
        is_own && !authority.as_bytes().eq_ignore_ascii_case(self.authority())
    }

    /// `5; url=/path`
    fn refresh(&self, value: &str) -> Option<String> {
        let at = value.to_ascii_lowercase().find("url=")? + "url=".len();
        let (start, url) = value.split_at(at);
        let quote = url.chars().next().filter(|c| matches!(c, '"' | '\''));
        let bare = url.trim_matches(|c| Some(c) == quote);
        let seen = self.location(bare)?;
        let quote = quote.map(String::from).unwrap_or_default();
        Some(format!("{start}{quote}{seen}{quote}"))
    }

    /// `name=value; Path=/; Domain=backend`
    fn set_cookie(&self, value: &str) -> Option<String> {
        let mut is_changed = false;
        let mut parts = value.split(';');
        let mut rewritten = parts.next()?.to_owned();
        for part in parts {
            let (name, attribute) = part.split_once('=').unwrap_or((part, ""));
            let attribute = attribute.trim();
            match name.trim() {
                name if name.eq_ignore_ascii_case("domain") && self.is_own_domain(attribute) => {
                    // Without a domain, the cookie is for the host that the client asked for.
                    is_changed = true;
                    continue;
                }
                name if name.eq_ignore_ascii_case("path") && attribute.starts_with('/') => {
                    let path = self.cookie_path(attribute);
                    is_changed |= path != attribute;
                    rewritten.push_str(&format!("; Path={path}"));
                }
                _ => {
                    rewritten.push(';');
                    rewritten.push_str(part);
                }
            }
        }
        is_changed.then_some(rewritten)
    }

    /// Returns the path of a cookie as the client sees it. That of all of the backend has no slash
    /// at its end, so that it is also for the prefix itself (RFC 6265 section 5.1.4).
    fn cookie_path(&self, path: &str) -> String {
        let prefix = self.route.prefix.trim_end_matches('/');
        let seen = self.path_at_client(path);
        match seen.strip_suffix('/') {
            Some(whole) if whole == prefix && !prefix.is_empty() && path == "/" => whole.to_owned(),
            _ => seen.into_owned(),
        }
    }

    /// Whether a domain is the host of the backend, and not that of the client.
    fn is_own_domain(&self, domain: &str) -> bool {
        let domain = domain.trim_start_matches('.').to_ascii_lowercase();
        let own = self.backend.authority().to_ascii_lowercase();
        let is_own = below(&own.replace(':', "/"), &domain).is_some() && !domain.is_empty();
        is_own && domain != self.head.host()
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

    fn seen(setting: &Setting, name: &str, value: &str) -> String {
        let rewritten =
            setting.forwarding(|forwarding| forwarding.rewritten(name, value.as_bytes()));
        rewritten.map_or_else(
            || value.to_owned(),
            |value| String::from_utf8(value).unwrap(),
        )
    }

    /// Rows: prefix, strip, backend, value, value for a client of `http://a.local`.
    #[test]
    fn locations() {
        let plain = "http://b:9000";
        let rows = [
            ("/", false, plain, "/login", "/login"),
            ("/", false, plain, "login", "login"),
            ("/", false, plain, "?x", "?x"),
            ("/", false, plain, "", ""),
            (
                "/",
                false,
                plain,
                "http://b:9000/login?a#b",
                "http://a.local/login?a#b",
            ),
            ("/", false, plain, "HTTP://B:9000/x", "http://a.local/x"),
            ("/", false, plain, "http://b:9000", "http://a.local/"),
            ("/", false, plain, "http://b:9000?x", "http://a.local/?x"),
            // Of others.
            ("/", false, plain, "http://b:9001/x", "http://b:9001/x"),
            ("/", false, plain, "http://other/x", "http://other/x"),
            ("/", false, plain, "//other/x", "//other/x"),
            ("/", false, plain, "ftp://b:9000/x", "ftp://b:9000/x"),
            (
                "/",
                false,
                plain,
                "http://b:9000@evil/x",
                "http://b:9000@evil/x",
            ),
            ("/", false, plain, "http://a.local/x", "http://a.local/x"),
            ("/", false, "http://b", "http://b:80/x", "http://a.local/x"),
            ("/", false, "http://b", "http://b/x", "http://a.local/x"),
            (
                "/",
                false,
                "https://b",
                "https://b:443/x",
                "http://a.local/x",
            ),
            // With prefixes.
            ("/api", true, plain, "/login", "/api/login"),
            ("/api", true, plain, "/api/login", "/api/login"),
            (
                "/api",
                true,
                plain,
                "http://b:9000/x",
                "http://a.local/api/x",
            ),
            (
                "/api",
                true,
                plain,
                "http://a.local/x",
                "http://a.local/api/x",
            ),
            ("/api", true, plain, "//other/x", "//other/x"),
            ("/api", false, "http://b/v1", "/v1/x?y", "/api/x?y"),
            ("/api", false, "http://b/v1", "/other", "/other"),
        ];
        for (prefix, strips, backend, value, expected) in rows {
            let setting = setting(prefix, strips, backend);
            let seen = seen(&setting, "Location", value);
            assert_eq!(seen, expected, "{prefix} {strips} {backend}");
        }
    }

    #[test]
    fn a_client_over_tls_is_sent_to_tls() {
        let mut setting = setting("/", false, "http://b:9000");
        setting.is_tls = true;
        assert_eq!(
            seen(&setting, "location", "http://b:9000/x"),
            "https://a.local/x"
        );
    }

    #[test]
    fn refresh_and_content_location() {
        let setting = setting("/api", true, "http://b:9000");
        let rows = [
            ("Refresh", "5", "5"),
            ("Refresh", "5; url=/x", "5; url=/api/x"),
            (
                "Refresh",
                "0;URL='http://b:9000/x'",
                "0;URL='http://a.local/api/x'",
            ),
            ("Refresh", "0; url=http://other/", "0; url=http://other/"),
            ("Content-Location", "/x", "/api/x"),
            ("X-Location", "/x", "/x"),
        ];
        for (name, value, expected) in rows {
            assert_eq!(seen(&setting, name, value), expected);
        }
    }

    #[test]
    fn cookies() {
        let rows = [
            ("/", false, "a=b; Path=/; Domain=b", "a=b; Path=/"),
            ("/", false, "a=b; domain=.B;HttpOnly", "a=b;HttpOnly"),
            ("/", false, "a=b; Domain=other", "a=b; Domain=other"),
            ("/", false, "a=b; Domain=a.local", "a=b; Domain=a.local"),
            ("/", false, "a=b; Domain=", "a=b; Domain="),
            ("/", false, "a=b", "a=b"),
            ("/", false, "a=Path=/; Path=/x", "a=Path=/; Path=/x"),
            ("/api", true, "a=b; Path=/", "a=b; Path=/api"),
            (
                "/api",
                true,
                "a=b; path=/x; Secure",
                "a=b; Path=/api/x; Secure",
            ),
            ("/api", true, "a=b; Path=/api", "a=b; Path=/api"),
            ("/api", true, "a=b; Path=x", "a=b; Path=x"),
            ("/api", true, "a=b; Path", "a=b; Path"),
            ("/api", true, "", ""),
        ];
        for (prefix, strips, value, expected) in rows {
            let setting = setting(prefix, strips, "http://b:9000");
            assert_eq!(seen(&setting, "Set-Cookie", value), expected, "{prefix}");
        }
    }
}
