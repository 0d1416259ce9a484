//! How long a client and the caches on the path to it may store a file: `Cache-Control` (RFC 9111
//! section 5.2), by rules.

use std::str::FromStr;

use wildmatch::WildMatch;

use crate::http::Fields;

/// The `Cache-Control` of files that match a pattern.
///
/// Written `PATTERN=VALUE`. A pattern that begins with a slash is for the path, one with a slash
/// inside for the media type, any other for the name of the file. `*` stands for any characters,
/// `?` for one.
///
/// # Examples
///
/// ```
/// use kamea_components::documents::CacheRule;
/// use kamea_components::server::Site;
///
/// let mut site = Site::new("www");
/// site.files.cache_rules = vec![
///     "/assets/*=public, max-age=31536000, immutable".parse()?,
///     "image/*=max-age=86400".parse()?,
///     "*.html=no-cache".parse()?,
/// ];
/// assert!("*.html".parse::<CacheRule>().is_err());
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone)]
pub struct CacheRule {
    subject: Subject,
    pattern: WildMatch,
    value: String,
}

/// What a pattern is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    Path,
    Name,
    MediaType,
}

impl FromStr for CacheRule {
    type Err = String;

    fn from_str(rule: &str) -> Result<Self, String> {
        let (pattern, value) = rule
            .split_once('=')
            .ok_or("a rule is PATTERN=VALUE, such as *.css=max-age=3600")?;
        let (pattern, value) = (pattern.trim(), value.trim());
        if pattern.is_empty() || value.is_empty() {
            return Err("neither the pattern nor the value of a rule may be empty".to_owned());
        }
        Fields::new()
            .push("Cache-Control", value)
            .map_err(|error| error.to_string())?;
        let subject = match pattern.find('/') {
            Some(0) => Subject::Path,
            Some(_) => Subject::MediaType,
            None => Subject::Name,
        };
        Ok(Self {
            subject,
            pattern: WildMatch::new(pattern),
            value: value.to_owned(),
        })
    }
}

impl CacheRule {
    /// The value of the first of `rules` that a file matches, by its path relative to the root and
    /// its `Content-Type`.
    pub(in crate::documents) fn of<'r>(
        rules: &'r [Self],
        path: &[u8],
        content_type: &str,
    ) -> Option<&'r str> {
        if rules.is_empty() {
            return None;
        }
        let path = format!("/{}", String::from_utf8_lossy(path));
        let name = path.rsplit('/').next().unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default();
        let rule = rules.iter().find(|rule| {
            rule.pattern.matches(match rule.subject {
                Subject::Path => &path,
                Subject::Name => name,
                Subject::MediaType => media_type,
            })
        });
        rule.map(|rule| rule.value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_matches_counts() {
        let rules = [
            "/assets/*=immutable",
            "image/*=max-age=60",
            "*.html=no-cache",
            "/*=private",
        ];
        let rules = rules.map(|rule| rule.parse::<CacheRule>().unwrap());
        for (path, media_type, expected) in [
            ("assets/a.html", "text/html; charset=utf-8", "immutable"),
            ("a/assets/a.png", "image/png", "max-age=60"),
            ("a/index.html", "text/html; charset=utf-8", "no-cache"),
            ("notes.txt", "text/plain; charset=utf-8", "private"),
        ] {
            let value = CacheRule::of(&rules, path.as_bytes(), media_type);
            assert_eq!(value, Some(expected), "{path}");
        }
        assert_eq!(CacheRule::of(&rules[..3], b"a.css", "text/css"), None);
        assert_eq!(CacheRule::of(&[], b"a.css", "text/css"), None);
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for rule in [
            "",
            "*.css",
            "=x",
            "*.css=",
            "*.css=a\r\nSet-Cookie: b",
            "*.css=\0",
        ] {
            assert!(rule.parse::<CacheRule>().is_err(), "{rule:?}");
        }
    }
}
