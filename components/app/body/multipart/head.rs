//! The head of a part: its name, the name of its file, its media type.

use super::MultipartError;

/// The head of a part (RFC 7578 section 4).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartHead {
    /// The name of the form field.
    pub name: String,
    /// The name of the file, if it is one, as the peer gave it. It may contain anything: never use
    /// it as a path.
    pub file_name: Option<String>,
    /// The media type, if the part has one.
    pub media_type: Option<String>,
}

/// How many fields the head of a part may have.
const MOST_FIELDS: usize = 32;

/// Parses the lines of a head, each with its line break.
pub(super) fn parse_head(lines: &[u8]) -> Result<PartHead, MultipartError> {
    let lines = str::from_utf8(lines).map_err(|_| MultipartError::Head)?;
    let (mut head, mut is_named) = (PartHead::default(), false);
    let lines = lines.split("\r\n").filter(|line| !line.is_empty());
    for (count, line) in lines.enumerate() {
        let (name, value) = line.split_once(':').ok_or(MultipartError::Head)?;
        let is_token = !name.is_empty() && !name.contains([' ', '\t']);
        if count >= MOST_FIELDS || !is_token {
            return Err(MultipartError::Head);
        }
        let value = value.trim_matches([' ', '\t']);
        if name.eq_ignore_ascii_case("content-disposition") {
            let parameters = value
                .split_once(';')
                .filter(|(kind, _)| kind.trim().eq_ignore_ascii_case("form-data"));
            let (_, parameters) = parameters.ok_or(MultipartError::Name)?;
            for (name, value) in Parameters(parameters) {
                // `filename*` must not be used here (RFC 7578 section 4.2).
                if name.eq_ignore_ascii_case("name") {
                    (head.name, is_named) = (value, true);
                } else if name.eq_ignore_ascii_case("filename") {
                    head.file_name = Some(value);
                }
            }
        } else if name.eq_ignore_ascii_case("content-type") {
            head.media_type = Some(value.to_owned());
        }
    }
    match is_named {
        true => Ok(head),
        false => Err(MultipartError::Name),
    }
}

/// The parameters of a field value: `name="value"; other=value`.
struct Parameters<'v>(&'v str);

impl<'v> Iterator for Parameters<'v> {
    type Item = (&'v str, String);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.0.trim_start_matches([' ', '\t', ';']);
        let (name, rest) = rest.split_once('=')?;
        let (value, rest) = match rest.trim_start().strip_prefix('"') {
            Some(quoted) => quoted_value(quoted),
            None => {
                let end = rest.find(';').unwrap_or(rest.len());
                (rest[..end].trim().to_owned(), &rest[end..])
            }
        };
        self.0 = rest;
        Some((name.trim(), value))
    }
}

/// The value up to the closing quote, and the rest. Browsers escape a quote and line breaks with
/// percent signs (HTML Standard section 4.10.21.8); other clients use a backslash.
fn quoted_value(text: &str) -> (String, &str) {
    let (mut value, mut characters) = (String::new(), text.char_indices());
    let mut end = text.len();
    while let Some((at, character)) = characters.next() {
        let follows = text[at + character.len_utf8()..].chars().next();
        match character {
            '"' => {
                end = at + 1;
                break;
            }
            '\\' if matches!(follows, Some('"' | '\\')) => {
                value.extend(follows);
                characters.next();
            }
            character => value.push(character),
        }
    }
    let escapes = [
        ("%22", "\""),
        ("%0D", "\r"),
        ("%0A", "\n"),
        ("%0d", "\r"),
        ("%0a", "\n"),
    ];
    let value = escapes
        .iter()
        .fold(value, |value, (from, to)| value.replace(from, to));
    (value, &text[end..])
}

/// The boundary in a media type (RFC 2046 section 5.1.1: 1 to 70 characters).
pub(super) fn boundary(media_type: &str) -> Option<String> {
    let (_, parameters) = media_type.split_once(';')?;
    let mut parameters = Parameters(parameters);
    let (_, boundary) = parameters.find(|(name, _)| name.eq_ignore_ascii_case("boundary"))?;
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "'()+_,-./:=? ".contains(c);
    let is_valid = (1..=70).contains(&boundary.len())
        && boundary.chars().all(is_allowed)
        && !boundary.ends_with(' ');
    is_valid.then_some(boundary)
}
