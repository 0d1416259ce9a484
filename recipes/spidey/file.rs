//! The configuration file of `spidey`: its keys are the long options, and its values are read as
//! the arguments of these. So an option is declared once, in [`super::options`].

use std::any::TypeId;
use std::collections::BTreeMap;
use std::error::Error as _;
use std::path::{Path, PathBuf};

use clap::error::{ContextKind, ContextValue, Error};
use clap::{Arg, ArgAction, Command};
use kamea_proxy::config::explain_toml;
use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

/// Options that a file cannot have: they say which file it is, or belong to one start.
const ONLY_ARGUMENTS: [&str; 5] = ["config", "check", "connection", "help", "version"];

/// What a configuration file says: the arguments of each key, as the command line would have them.
#[derive(Debug, Clone, Default)]
pub(crate) struct File(BTreeMap<String, Vec<String>>);

impl File {
    /// Reads the text of a file. Relative paths in it are relative to its folder.
    ///
    /// # Errors
    ///
    /// A line that names file, line and key of the first mistake, and what would be right.
    pub(crate) fn read(command: &Command, file: &Path, text: &str) -> Result<Self, String> {
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut mistakes: Vec<_> = errors.iter().map(|error| syntax(text, error)).collect();
        let mut arguments = BTreeMap::new();
        let reader = Reader {
            command,
            folder: file.parent().unwrap_or(Path::new("")),
        };
        for (key, value) in table.get_ref() {
            // What is wrong with the value has been said.
            if mistakes.iter().any(|(at, _)| *at == value.span().start) {
                continue;
            }
            match reader.arguments(key, value) {
                Ok(found) => {
                    arguments.insert(key.get_ref().to_string(), found);
                }
                Err((at, message)) => {
                    mistakes.push((at, format!("{}: {message}", key.get_ref())));
                }
            }
        }
        match mistakes.into_iter().min() {
            None => Ok(Self(arguments)),
            Some((at, message)) => {
                let line = text[..at].matches('\n').count() + 1;
                Err(format!("{}:{line}: {message}", file.display()))
            }
        }
    }

    /// The arguments of all keys but those that `is_given` names.
    pub(crate) fn arguments(&self, is_given: impl Fn(&str) -> bool) -> Vec<String> {
        let keys = self.0.iter().filter(|(key, _)| !is_given(key));
        keys.flat_map(|(_, arguments)| arguments.clone()).collect()
    }
}

/// Where a mistake is, in bytes from the start of the text, and what is wrong.
type Mistake = (usize, String);

struct Reader<'a> {
    command: &'a Command,
    folder: &'a Path,
}

impl Reader<'_> {
    fn arguments(
        &self,
        key: &Spanned<impl AsRef<str>>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<Vec<String>, Mistake> {
        let name = key.get_ref().as_ref();
        let at_key = |message| (key.span().start, message);
        let mut options = self.command.get_arguments();
        let option = options.find(|option| option.get_long() == Some(name));
        let option = option.filter(|_| !ONLY_ARGUMENTS.contains(&name));
        let option = option.ok_or_else(|| at_key(self.unknown(name)))?;
        match (option.get_action(), value.get_ref()) {
            (ArgAction::SetTrue, DeValue::Boolean(true)) => Ok(vec![format!("--{name}")]),
            (ArgAction::SetTrue, DeValue::Boolean(false)) => Ok(Vec::new()),
            (ArgAction::SetTrue, _) => Err(at_key("a boolean is wanted: true or false".into())),
            (ArgAction::Append, DeValue::Array(items)) => {
                let items = items.iter().map(|item| self.argument(option, name, item));
                items.collect()
            }
            (ArgAction::Append, _) => Err(at_key("a list is wanted, such as [\"...\"]".into())),
            (_, DeValue::Array(_)) => Err(at_key("one value is wanted, not a list".into())),
            _ => Ok(vec![self.argument(option, name, value)?]),
        }
    }

    /// One value, which is read once to see whether it is right.
    fn argument(
        &self,
        option: &Arg,
        name: &str,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<String, Mistake> {
        let at = value.span().start;
        let text = text_of(value.get_ref()).map_err(|message| (at, message))?;
        let is_path = option.get_value_parser().type_id() == TypeId::of::<PathBuf>();
        let text = match is_path && text != "-" {
            true => self.folder.join(text).display().to_string(),
            false => text,
        };
        let argument = format!("--{name}={text}");
        let read = self
            .command
            .clone()
            .try_get_matches_from(["spidey", &argument]);
        read.map_err(|error| (at, what_is_wrong(&error)))?;
        Ok(argument)
    }

    /// What is wrong with a key that is no option, and which one it may be.
    fn unknown(&self, name: &str) -> String {
        if ONLY_ARGUMENTS.contains(&name) {
            return format!("--{name} belongs on the command line");
        }
        let argument = format!("--{name}");
        let read = self
            .command
            .clone()
            .try_get_matches_from(["spidey", &argument]);
        let nearest = read
            .err()
            .and_then(|error| match error.get(ContextKind::SuggestedArg)? {
                ContextValue::String(nearest) => Some(nearest.trim_start_matches('-').to_owned()),
                _ => None,
            });
        match nearest {
            Some(nearest) => format!("there is no option of this name; {nearest} is near to it"),
            None => "there is no option of this name; `spidey --help` lists them".to_owned(),
        }
    }
}

/// A value as an argument would have it.
fn text_of(value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Integer(number) => integer(number),
        DeValue::Float(number) => Ok(number.as_str().replace('_', "")),
        DeValue::Boolean(_) => Err("a text or a number is wanted, not a boolean".to_owned()),
        DeValue::Datetime(time) => Ok(time.to_string()),
        DeValue::Array(_) => Err("a text or a number is wanted, not a list".to_owned()),
        DeValue::Table(_) => {
            Err("options stand in no table: remove the line in brackets".to_owned())
        }
    }
}

fn integer(number: &DeInteger<'_>) -> Result<String, String> {
    let number = i128::from_str_radix(number.as_str(), number.radix());
    let number = number.map_err(|_| "this number is too large".to_owned())?;
    Ok(number.to_string())
}

/// What is wrong with a value, without the name of its option: the configuration file has a line
/// for that.
fn what_is_wrong(error: &Error) -> String {
    let value = match error.get(ContextKind::InvalidValue) {
        Some(ContextValue::String(value)) => format!("{value:?}"),
        _ => "this".to_owned(),
    };
    match (error.source(), error.get(ContextKind::ValidValue)) {
        (Some(source), _) => format!("{value}: {source}"),
        (None, Some(ContextValue::Strings(names))) => {
            format!("{value}: one of these is wanted: {}", names.join(", "))
        }
        _ => kamea_recipes::wrong_usage(error)
            .trim_start_matches("error: ")
            .to_owned(),
    }
}

/// What is no TOML, with the key of its line.
fn syntax(text: &str, error: &toml::de::Error) -> Mistake {
    let at = error.span().map_or(0, |span| span.start.min(text.len()));
    let before = text[..at].rsplit('\n').next().unwrap_or_default();
    let key = match before.split_once('=') {
        Some((key, _)) => format!("{}: ", key.trim()),
        None => String::new(),
    };
    let message = explain_toml(text, at, error.message());
    (at, format!("{key}{message}"))
}
