//! What both formats of a configuration are read into: settings with their values and positions.

use super::mistake::Span;

/// `proxy_pass http://a weight=3;`, `host "a" { ... }`, or a key of `proxy.toml`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Setting {
    pub(super) name: Word,
    pub(super) values: Vec<Value>,
    /// The settings in braces, or of a table; `None` without.
    pub(super) inside: Option<Vec<Setting>>,
}

/// A text and its position.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) span: Span,
}

/// A value of a setting.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// As it is written. `weight=3` too, until a setting asks for options.
    Word(Word),
    /// A key of an inline table of `proxy.toml`.
    Option { key: Word, values: Vec<Word> },
}

impl Word {
    pub(super) fn new(text: impl Into<String>, span: Span) -> Self {
        let text = text.into();
        Self { text, span }
    }
}

impl Value {
    pub(super) fn span(&self) -> &Span {
        match self {
            Self::Word(word) => &word.span,
            Self::Option { key, .. } => &key.span,
        }
    }

    /// Returns an option as its key and its values, of which `backup` has none. A list in
    /// `proxy.conf` is separated by commas.
    pub(super) fn as_option(&self) -> (Word, Vec<Word>) {
        let word = match self {
            Self::Option { key, values } => return (key.clone(), values.clone()),
            Self::Word(word) => word,
        };
        let Some((key, rest)) = word.text.split_once('=') else {
            return (word.clone(), Vec::new());
        };
        // If the word was in quotes, its text may be shorter than its span.
        let start = word.span.start;
        let key = Word::new(key, start..start + key.len());
        let mut at = key.span.end + 1;
        let values = rest.split(',').map(|part| {
            let span = at.min(word.span.end)..(at + part.len()).min(word.span.end);
            at += part.len() + 1;
            Word::new(part, span)
        });
        let values = values.collect();
        (key, values)
    }
}

impl Setting {
    /// Returns the position of the name and all values.
    pub(super) fn span(&self) -> Span {
        let last = self.values.last().map_or(&self.name.span, Value::span);
        self.name.span.start..last.end.max(self.name.span.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_an_option_if_a_setting_asks_for_one() {
        let value = Value::Word(Word::new("copy=X-A,X-B", 10..22));
        let (key, values) = value.as_option();
        assert_eq!(key, Word::new("copy", 10..14));
        assert_eq!(values, [Word::new("X-A", 15..18), Word::new("X-B", 19..22)]);
        let flag = Value::Word(Word::new("backup", 1..7));
        assert_eq!(flag.as_option(), (Word::new("backup", 1..7), Vec::new()));
    }
}
