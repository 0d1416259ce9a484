//! Where to go after a login.

/// A target on this server, from a parameter such as `?next=/notes`; `None` if it leads to another
/// server, so that a link to the login page cannot send users elsewhere (an open redirect).
///
/// # Examples
///
/// ```
/// use kamea_session::local_target;
///
/// assert_eq!(local_target("/notes?page=2"), Some("/notes?page=2"));
/// assert_eq!(local_target("//evil.example/"), None);
/// assert_eq!(local_target("https://evil.example/"), None);
/// ```
#[must_use]
pub fn local_target(text: &str) -> Option<&str> {
    // Browsers read a backslash as a slash, and ignore tabs and line breaks.
    let is_plain = |byte: u8| matches!(byte, b'!'..=b'~') && byte != b'\\';
    let is_local = text.starts_with('/') && !text.starts_with("//");
    (is_local && text.len() <= 2048 && text.bytes().all(is_plain)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leads_to_another_server() {
        for text in ["/", "/a", "/a?b=c#d", "/a//b", "/%5C%5Cevil.example"] {
            assert_eq!(local_target(text), Some(text));
        }
        for text in [
            "",
            "a",
            "//",
            "//evil.example",
            "/\\evil.example",
            "\\/evil.example",
            "/\t/evil.example",
            "\t//evil.example",
            "/\r\nSet-Cookie: a=1",
            "http:/evil.example",
            "javascript:alert(1)",
            "/ä",
            " /a",
            &format!("/{}", "x".repeat(2048)),
        ] {
            assert_eq!(local_target(text), None, "{text:?}");
        }
    }
}
