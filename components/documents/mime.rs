//! The media type of a file, by its name.

use std::collections::HashMap;
use std::path::Path;

use mime_guess::mime;

/// The `Content-Type` of a file: what the site says of its extension, or else `mime_guess`, with the character set that we serve
/// text in.
pub(super) fn content_type(path: &Path, own: &HashMap<String, String>) -> String {
    let extension = path
        .extension()
        .map(|extension| extension.to_string_lossy());
    if let Some(own) = extension.and_then(|extension| own.get(&extension.to_lowercase())) {
        return own.clone();
    }
    let guess = mime_guess::from_path(path).first_or_octet_stream();
    let is_text = guess.type_() == mime::TEXT
        || matches!(guess.subtype().as_str(), "javascript" | "json" | "xml")
        || guess.suffix() == Some(mime::XML);
    if is_text && guess.get_param(mime::CHARSET).is_none() {
        format!("{}; charset=utf-8", guess.essence_str())
    } else {
        guess.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_site_has_the_last_word() {
        let own = HashMap::from([("txt".to_owned(), "text/x-own".to_owned())]);
        for (name, expected) in [
            ("a.txt", "text/x-own"),
            ("a.TXT", "text/x-own"),
            ("a.png", "image/png"),
        ] {
            assert_eq!(content_type(Path::new(name), &own), expected);
        }
    }

    #[test]
    fn text_says_its_character_set() {
        for (name, expected) in [
            ("index.html", "text/html; charset=utf-8"),
            ("a.txt", "text/plain; charset=utf-8"),
            ("a.css", "text/css; charset=utf-8"),
            ("a.js", "text/javascript; charset=utf-8"),
            ("a.svg", "image/svg+xml; charset=utf-8"),
            ("a.png", "image/png"),
            ("a.ogg", "audio/ogg"),
            ("README", "application/octet-stream"),
        ] {
            assert_eq!(
                content_type(Path::new(name), &HashMap::new()),
                expected,
                "{name}"
            );
        }
    }
}
