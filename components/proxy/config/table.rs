//! The format of `proxy.toml`: its keys become the settings of `proxy.conf`.

use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use super::mistake::{Found, Span};
use super::setting::{Setting, Value, Word};

/// Reads a text: a setting for each key, and a `route` for each `[[route]]`.
pub(super) fn parse(text: &str, found: &mut Found) -> Vec<Setting> {
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let span = error.span().unwrap_or_default();
        let message = explain_toml(text, span.start, error.message());
        found.push(&span, message, "");
    }
    let mut settings = Vec::new();
    for (key, value) in table.get_ref() {
        let name = Word::new(key.get_ref().to_string(), key.span());
        match is_tables(value.get_ref()) && name.text != "route" {
            true => found.push(
                &name.span,
                format!("there is no table `{}`", name.text),
                "a route begins with [[route]], and has host = \"name\"",
            ),
            false => settings.extend(setting(name, value, found)),
        }
    }
    settings.sort_by_key(|setting| setting.name.span.start);
    settings
}

/// Says what is wrong at a place of a TOML text, where the parser's own message does not: that a
/// value is missing, or a text has no quotes.
///
/// # Examples
/// ```
/// use kamea_proxy::config::explain_toml;
///
/// let message = "string values must be quoted, expected literal string";
/// assert_eq!(explain_toml("port = ", 7, message), "a value is missing here");
/// assert_eq!(explain_toml("name = a", 7, message), "a text stands in quotes: \"a\"");
/// assert_eq!(explain_toml("[a", 2, "unclosed table"), "unclosed table");
/// ```
#[must_use]
pub fn explain_toml(text: &str, at: usize, message: &str) -> String {
    if !message.starts_with("string values must be quoted") {
        return message.trim().replace('\n', "; ");
    }
    let line = text.get(at..).and_then(|rest| rest.lines().next());
    let value = line.and_then(|line| line.split('#').next());
    match value.unwrap_or_default().trim() {
        "" => "a value is missing here".to_owned(),
        value if value.contains(|c: char| c.is_control() || "\"\\".contains(c)) => {
            "a text stands in quotes".to_owned()
        }
        value => format!("a text stands in quotes: \"{value}\""),
    }
}

/// Whether a value is a `[table]`, or a list of `[[tables]]`.
fn is_tables(value: &DeValue<'_>) -> bool {
    let is_table = |value: &DeValue<'_>| matches!(value, DeValue::Table(_));
    match value {
        DeValue::Array(items) => items.iter().any(|item| is_table(item.get_ref())),
        value => is_table(value),
    }
}

fn settings(table: &DeTable<'_>, found: &mut Found) -> Vec<Setting> {
    let mut all = Vec::new();
    for (key, value) in table {
        let name = Word::new(key.get_ref().to_string(), key.span());
        all.extend(setting(name, value, found));
    }
    all
}

/// The settings of a key: most are one.
fn setting(name: Word, value: &Spanned<DeValue<'_>>, found: &mut Found) -> Vec<Setting> {
    // What is wrong with the value has been said.
    if found.has_mistake_at(value.span().start) {
        return Vec::new();
    }
    match &*name.text {
        "route" => routes(&name, value, found),
        "backends" | "backend" => each(&name, value, found, backend),
        "set_headers" => fields(&name, value, found),
        _ => vec![Setting {
            values: values(value, found),
            name,
            inside: None,
        }],
    }
}

/// `[[route]]`
fn routes(name: &Word, value: &Spanned<DeValue<'_>>, found: &mut Found) -> Vec<Setting> {
    each(name, value, found, |name, value, found| {
        let DeValue::Table(table) = value.get_ref() else {
            found.push(
                &value.span(),
                "a route is a table",
                "begin it with `[[route]]`",
            );
            return None;
        };
        let mut inside = settings(table, found);
        inside.sort_by_key(|setting| setting.name.span.start);
        // The header of the table, so that a mistake of the whole route is shown there.
        let name = Word::new(name.text.clone(), value.span());
        Some(Setting {
            name,
            values: Vec::new(),
            inside: Some(inside),
        })
    })
}

/// Reads a value, or each value of a list, as a setting of its own.
fn each(
    name: &Word,
    value: &Spanned<DeValue<'_>>,
    found: &mut Found,
    read: impl Fn(&Word, &Spanned<DeValue<'_>>, &mut Found) -> Option<Setting>,
) -> Vec<Setting> {
    match value.get_ref() {
        DeValue::Array(items) => {
            let items = items.iter();
            items.filter_map(|item| read(name, item, found)).collect()
        }
        _ => read(name, value, found).into_iter().collect(),
    }
}

/// `"http://a"`, or `{ url = "http://a", weight = 3 }`
fn backend(name: &Word, value: &Spanned<DeValue<'_>>, found: &mut Found) -> Option<Setting> {
    let mut values = values(value, found);
    let is_url = |value: &Value| matches!(value, Value::Option { key, .. } if key.text == "url");
    if let Some(url) = values.iter().position(is_url)
        && let Value::Option { values: url, .. } = values.remove(url)
    {
        values.splice(0..0, url.into_iter().map(Value::Word));
    }
    Some(Setting {
        // A mistake is shown at the backend, and not at the whole list.
        name: Word::new(name.text.clone(), value.span()),
        values,
        inside: None,
    })
}

/// `{ Host = "$host" }`: a setting for each field.
fn fields(name: &Word, value: &Spanned<DeValue<'_>>, found: &mut Found) -> Vec<Setting> {
    let DeValue::Table(table) = value.get_ref() else {
        let help = "write { Host = \"$host\" }";
        found.push(&value.span(), "the fields are a table", help);
        return Vec::new();
    };
    let setting = |(field, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
        let field: &Spanned<std::borrow::Cow<'_, str>> = field;
        let word = Word::new(field.get_ref().to_string(), field.span());
        let words = words(value, found);
        Setting {
            name: name.clone(),
            values: std::iter::once(word)
                .chain(words)
                .map(Value::Word)
                .collect(),
            inside: None,
        }
    };
    table.iter().map(setting).collect()
}

/// Returns a text, a number, a boolean, a list of them, or the keys of a table.
fn values(value: &Spanned<DeValue<'_>>, found: &mut Found) -> Vec<Value> {
    match value.get_ref() {
        DeValue::Table(table) => {
            let option = |(key, value): (&Spanned<std::borrow::Cow<'_, str>>, _)| Value::Option {
                key: Word::new(key.get_ref().to_string(), key.span()),
                values: words(value, found),
            };
            table.iter().map(option).collect()
        }
        _ => words(value, found).into_iter().map(Value::Word).collect(),
    }
}

fn words(value: &Spanned<DeValue<'_>>, found: &mut Found) -> Vec<Word> {
    match value.get_ref() {
        DeValue::Array(items) => {
            let words = items.iter().filter_map(|item| word(item, found));
            words.collect()
        }
        _ => word(value, found).into_iter().collect(),
    }
}

fn word(value: &Spanned<DeValue<'_>>, found: &mut Found) -> Option<Word> {
    let span = value.span();
    let text = match value.get_ref() {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) => integer(number, &span, found)?,
        DeValue::Float(number) => number.as_str().replace('_', ""),
        DeValue::Boolean(is_so) => is_so.to_string(),
        DeValue::Datetime(_) => {
            found.push(&span, "a text or a number is wanted, not a date", "");
            return None;
        }
        DeValue::Array(_) | DeValue::Table(_) => {
            found.push(&span, "a text or a number is wanted here", "");
            return None;
        }
    };
    Some(Word::new(text, span))
}

fn integer(number: &DeInteger<'_>, span: &Span, found: &mut Found) -> Option<String> {
    match i128::from_str_radix(&number.as_str().replace('_', ""), number.radix()) {
        Ok(number) => Some(number.to_string()),
        Err(_) => {
            found.push(span, "this number is too large", "");
            None
        }
    }
}
