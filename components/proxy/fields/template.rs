//! The value of a header field with variables, as nginx writes them.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The value of a field that the proxy sets: text and variables.
///
/// | variable | value |
/// |---|---|
/// | `$host` | the host of the request in lower case, without its port |
/// | `$http_NAME` | the field NAME of the request, with `_` for `-` |
/// | `$cookie_NAME`, `$arg_NAME` | a cookie, a parameter of the query |
/// | `$remote_addr`, `$remote_port` | the address and port of the client |
/// | `$proxy_add_x_forwarded_for` | `X-Forwarded-For` of a trusted peer, and the client |
/// | `$scheme` | `http` or `https`, as the client used it |
/// | `$request_method` | the method |
/// | `$request_uri` | path and query, as they were sent |
/// | `$uri`, `$args` | the path, and the query, as they were sent |
/// | `$request_id` | 32 hexadecimal digits, new for each request |
/// | `$proxy_host` | host and port of the backend, as in `proxy_pass` |
/// | `$server_port` | the port of the listener |
///
/// `${host}` is `$host` where a letter follows, and `$$` is a dollar sign. A variable without a
/// value is empty.
///
/// # Examples
/// ```
/// use kamea_proxy::fields::FieldTemplate;
///
/// let template: FieldTemplate = "https://$host$request_uri".parse()?;
/// assert_eq!(template.to_string(), "https://$host$request_uri");
/// let error = "$hots".parse::<FieldTemplate>().unwrap_err();
/// assert_eq!(error.to_string(), "there is no variable `$hots`; near it: $host");
/// # Ok::<(), kamea_proxy::fields::TemplateError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldTemplate {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    Variable(Variable),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Variable {
    Host,
    /// The name of the field, in lower case, with `-`.
    Field(String),
    Cookie(String),
    Argument(String),
    RemoteAddress,
    RemotePort,
    AddForwardedFor,
    Scheme,
    Method,
    RequestUri,
    Uri,
    Arguments,
    RequestId,
    ProxyHost,
    ServerPort,
}

/// A value of a field that is not valid.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum TemplateError {
    /// An unknown name behind `$`.
    #[error("there is no variable `${name}`{near}")]
    Unknown {
        /// As it is written.
        name: String,
        /// The names that are similar, with the words before them; empty if none is.
        near: String,
    },
    /// `$` without a name.
    #[error("a name stands behind `$`, as in `$host`; write `$$` for a dollar sign")]
    NoName,
    /// `${` without `}`.
    #[error("`${{` lacks its `}}`")]
    Brace,
    /// RFC 9110 section 5.5: CR, LF, NUL and other controls are not part of a value.
    #[error("the value of a field has no line breaks and no control characters")]
    Control,
}

const NAMED: [(&str, Variable); 12] = [
    ("args", Variable::Arguments),
    ("host", Variable::Host),
    ("proxy_add_x_forwarded_for", Variable::AddForwardedFor),
    ("proxy_host", Variable::ProxyHost),
    ("remote_addr", Variable::RemoteAddress),
    ("remote_port", Variable::RemotePort),
    ("request_id", Variable::RequestId),
    ("request_method", Variable::Method),
    ("request_uri", Variable::RequestUri),
    ("scheme", Variable::Scheme),
    ("server_port", Variable::ServerPort),
    ("uri", Variable::Uri),
];

impl FieldTemplate {
    pub(super) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Whether the field is not sent at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }
}

impl FromStr for FieldTemplate {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        if text.chars().any(|c| c.is_control() && c != '\t') {
            return Err(TemplateError::Control);
        }
        let (mut pieces, mut rest) = (Vec::new(), text);
        while let Some((before, behind)) = rest.split_once('$') {
            add_text(&mut pieces, before);
            if let Some(behind) = behind.strip_prefix('$') {
                add_text(&mut pieces, "$");
                rest = behind;
                continue;
            }
            let (name, behind) = split_name(behind)?;
            pieces.push(Piece::Variable(variable(name)?));
            rest = behind;
        }
        add_text(&mut pieces, rest);
        Ok(Self { pieces })
    }
}

/// Adds text; to the piece before it, if that is text too.
fn add_text(pieces: &mut Vec<Piece>, text: &str) {
    match pieces.last_mut() {
        _ if text.is_empty() => {}
        Some(Piece::Text(last)) => last.push_str(text),
        _ => pieces.push(Piece::Text(text.to_owned())),
    }
}

/// Returns the name of a variable, and the text behind it.
fn split_name(text: &str) -> Result<(&str, &str), TemplateError> {
    let (name, behind) = match text.strip_prefix('{') {
        Some(text) => text.split_once('}').ok_or(TemplateError::Brace)?,
        None => {
            let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
            text.split_at(text.find(|c| !is_part(c)).unwrap_or(text.len()))
        }
    };
    match name {
        "" => Err(TemplateError::NoName),
        name => Ok((name, behind)),
    }
}

fn variable(name: &str) -> Result<Variable, TemplateError> {
    if let Some((_, variable)) = NAMED.iter().find(|(known, _)| *known == name) {
        return Ok(variable.clone());
    }
    let prefixed = |prefix| name.strip_prefix(prefix).filter(|rest| !rest.is_empty());
    let field =
        prefixed("http_").map(|n| Variable::Field(n.to_ascii_lowercase().replace('_', "-")));
    let cookie = || prefixed("cookie_").map(|name| Variable::Cookie(name.to_owned()));
    let argument = || prefixed("arg_").map(|name| Variable::Argument(name.to_owned()));
    field.or_else(cookie).or_else(argument).ok_or_else(|| {
        let name = name.to_owned();
        let near = near(&name);
        TemplateError::Unknown { name, near }
    })
}

/// Returns the known names that are similar to this one.
fn near(name: &str) -> String {
    let names = NAMED.iter().map(|(known, _)| *known);
    let near = crate::near::near(name, names.chain(["http_NAME", "cookie_NAME", "arg_NAME"]));
    match &near[..] {
        [] => String::new(),
        near => format!("; near it: ${}", near.join(", $")),
    }
}

impl fmt::Display for FieldTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, piece) in self.pieces.iter().enumerate() {
            let variable = match piece {
                Piece::Text(text) => {
                    f.write_str(&text.replace('$', "$$"))?;
                    continue;
                }
                Piece::Variable(variable) => variable.name(),
            };
            let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
            match self.pieces.get(index + 1) {
                Some(Piece::Text(text)) if text.starts_with(is_part) => {
                    write!(f, "${{{variable}}}")?
                }
                _ => write!(f, "${variable}")?,
            }
        }
        Ok(())
    }
}

impl Variable {
    fn name(&self) -> String {
        match self {
            Self::Field(name) => format!("http_{}", name.replace('-', "_")),
            Self::Cookie(name) => format!("cookie_{name}"),
            Self::Argument(name) => format!("arg_{name}"),
            named => {
                let found = NAMED.iter().find(|(_, known)| known == named);
                found.map_or_else(String::new, |(name, _)| (*name).to_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_shown_as_they_are_written() {
        let rows = [
            "",
            "text",
            "$host",
            "a$host-b",
            "${host}x",
            "$$5",
            "$http_user_agent",
            "$cookie_Id $arg_q",
            "$remote_addr:$remote_port",
        ];
        for text in rows.into_iter().chain(NAMED.map(|(name, _)| name)) {
            let template: FieldTemplate = text.parse().unwrap();
            assert_eq!(template.to_string(), text);
        }
        for (name, _) in NAMED {
            let text = format!("${name}");
            assert_eq!(text.parse::<FieldTemplate>().unwrap().to_string(), text);
        }
        assert_eq!("${host}".parse(), "$host".parse::<FieldTemplate>());
        assert_eq!("$http_X_a".parse(), "$http_x_A".parse::<FieldTemplate>());
    }

    #[test]
    fn templates_that_are_none() {
        let unknown = |name: &str, near: &str| TemplateError::Unknown {
            name: name.to_owned(),
            near: near.to_owned(),
        };
        let rows = [
            ("$", TemplateError::NoName),
            ("$ host", TemplateError::NoName),
            ("${}", TemplateError::NoName),
            ("${host", TemplateError::Brace),
            ("$xyz", unknown("xyz", "")),
            ("$http_", unknown("http_", "; near it: $http_NAME")),
            (
                "$remote_adr",
                unknown("remote_adr", "; near it: $remote_addr"),
            ),
            ("a\r\nSet-Cookie: b", TemplateError::Control),
            ("a\0", TemplateError::Control),
        ];
        for (text, expected) in rows {
            assert_eq!(text.parse::<FieldTemplate>(), Err(expected), "{text:?}");
        }
    }
}
