//! Files that are stored in a content coding, by their names.

use std::str::FromStr;

use crate::coding::Coding;
use crate::documents::FilePattern;

/// Which files are stored in a content coding. Written `PATTERN=CODING`, such as `*.wasm.br=br`.
///
/// They are sent unchanged, with `Content-Encoding`, and with the media type of the decoded
/// content: that of `app.wasm` for `app.wasm.br`. `*.svgz=gzip` is always known.
///
/// # Examples
///
/// ```
/// use kamea_components::documents::CodingRule;
/// use kamea_components::server::Site;
///
/// let mut site = Site::new("www");
/// site.files.codings.push("*.wasm.br=br".parse()?);
/// assert!("*.wasm.br=brotli".parse::<CodingRule>().unwrap_err().contains("br, gzip or zstd"));
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone)]
pub struct CodingRule {
    files: FilePattern,
    coding: Coding,
}

impl CodingRule {
    /// The coding in which the file at a path, relative to the root, is stored.
    pub(in crate::documents) fn of(rules: &[Self], path: &[u8]) -> Option<Coding> {
        let rule = rules.iter().find(|rule| rule.files.matches(path));
        let is_drawing = || extension(path).eq_ignore_ascii_case(b"svgz");
        match rule {
            Some(rule) => Some(rule.coding),
            None => is_drawing().then_some(Coding::Gzip),
        }
    }

    /// The path of the decoded file: without the extension of the coding.
    pub(in crate::documents) fn uncoded(path: &[u8]) -> &[u8] {
        let tells = [Coding::Brotli, Coding::Gzip, Coding::Zstd].map(Coding::extension);
        let extension = extension(path);
        let is_known = |tells: &&str| tells.as_bytes()[1..].eq_ignore_ascii_case(extension);
        match tells.iter().find(|tells| is_known(tells)) {
            Some(tells) => &path[..path.len() - tells.len()],
            None => path,
        }
    }
}

/// The part after the last dot of a name; empty if there is no dot.
fn extension(path: &[u8]) -> &[u8] {
    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    match name.iter().rposition(|&byte| byte == b'.') {
        Some(dot) => &name[dot + 1..],
        None => b"",
    }
}

impl FromStr for CodingRule {
    type Err = String;

    fn from_str(rule: &str) -> Result<Self, String> {
        let wanted = "a coding is PATTERN=CODING, such as *.wasm.br=br";
        let (files, coding) = rule.split_once('=').ok_or(wanted)?;
        let coding = coding.trim();
        let known = Coding::named(coding.as_bytes());
        Ok(Self {
            files: files.trim().parse()?,
            coding: known.ok_or_else(|| format!("{coding:?} is not br, gzip or zstd"))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_of_a_coding() {
        let rules = [
            "*.wasm.br=br",
            "/data/*.gz=gzip",
            "*.tar.zst = zstd",
            "*.z=x-gzip",
        ];
        let rules = rules.map(|rule| rule.parse::<CodingRule>().unwrap());
        for (path, coding, uncoded) in [
            ("app.wasm.br", Some(Coding::Brotli), "app.wasm"),
            ("a/b.WASM.br", None, "a/b.WASM"),
            ("data/a.json.gz", Some(Coding::Gzip), "data/a.json"),
            ("a.json.gz", None, "a.json"),
            ("a.tar.zst", Some(Coding::Zstd), "a.tar"),
            ("a.txt.z", Some(Coding::Gzip), "a.txt.z"),
            ("pic.svgz", Some(Coding::Gzip), "pic.svgz"),
            ("PIC.SVGZ", Some(Coding::Gzip), "PIC.SVGZ"),
            ("svgz", None, "svgz"),
            ("a.svgz/b", None, "a.svgz/b"),
        ] {
            assert_eq!(CodingRule::of(&rules, path.as_bytes()), coding, "{path}");
            assert_eq!(
                CodingRule::uncoded(path.as_bytes()),
                uncoded.as_bytes(),
                "{path}"
            );
        }
    }

    #[test]
    fn a_rule_without_sense_says_what_would_make_sense() {
        for (rule, said) in [
            ("*.br", "such as *.wasm.br=br"),
            ("*.br=", "is not br, gzip or zstd"),
            ("*.br=deflate", "\"deflate\" is not br, gzip or zstd"),
            ("=br", "it is empty"),
            ("a/*.br=br", "begins with a slash"),
        ] {
            let error = rule.parse::<CodingRule>().unwrap_err();
            assert!(error.contains(said), "{rule}: {error}");
        }
    }
}
