//! The format of `proxy.conf`: settings, blocks in braces, comments.
//!
//! ```text
//! file     = { setting | ";" }
//! setting  = WORD { WORD } ( ";" | "{" { setting | ";" } "}" )
//! WORD     = "..." | '...' | characters up to a blank, ";", "{", "}" or a quotation mark
//! comment  = "#" up to the end of the line
//! ```
//!
//! A mistake does not end the reading: the parser goes on behind it, so that all are found at once.

mod lex;

use lex::{Mark, Token, lex};

use super::mistake::{Found, Span};
use super::setting::{Setting, Value, Word};

/// The limit for blocks in blocks: a host, its locations, and one for a message about the rest.
const DEEPEST: usize = 8;

/// Settings that end at the end of their line too.
const WITHOUT_SEMICOLON: [&str; 2] = ["dist_policy", "policy"];

/// Reads a text. `is_known` says which names settings have.
pub(super) fn parse(text: &str, is_known: fn(&str) -> bool, found: &mut Found) -> Vec<Setting> {
    let mut parser = Parser {
        tokens: lex(text, found),
        next: 0,
        is_known,
        found,
    };
    let mut settings = Vec::new();
    while parser.next < parser.tokens.len() {
        settings.extend(parser.settings(&mut Vec::new()));
        // Only a brace too many ends the settings of the file.
        if let Some(close) = parser.tokens.get(parser.next) {
            let span = close.span.clone();
            parser.next += 1;
            parser
                .found
                .push(&span, "this `}` closes nothing", "remove it");
        }
    }
    settings
}

struct Parser<'f> {
    tokens: Vec<Token>,
    next: usize,
    is_known: fn(&str) -> bool,
    found: &'f mut Found,
}

impl Parser<'_> {
    /// Reads settings up to `}` or the end. `open` has the blocks around them: their names and
    /// positions.
    fn settings(&mut self, open: &mut Vec<Word>) -> Vec<Setting> {
        let mut settings = Vec::new();
        while let Some(token) = self.tokens.get(self.next) {
            match &token.mark {
                Mark::Semicolon => self.next += 1,
                Mark::Close => break,
                Mark::Open => {
                    let span = token.span.clone();
                    self.found.push(
                        &span,
                        "a name is missing before `{`",
                        "write `host \"name\" {`",
                    );
                    self.block(Word::new("{", span), open);
                }
                // A host in a host: the brace before it is missing.
                Mark::Word(name) if name == "host" && !open.is_empty() => break,
                Mark::Word(name) => {
                    let name = Word::new(name.clone(), token.span.clone());
                    self.next += 1;
                    settings.push(self.setting(name, open));
                }
            }
        }
        settings
    }

    /// Reads the values of a setting, and its end.
    fn setting(&mut self, name: Word, open: &mut Vec<Word>) -> Setting {
        let mut setting = Setting {
            name,
            values: Vec::new(),
            inside: None,
        };
        loop {
            match self.tokens.get(self.next).map(|token| &token.mark) {
                Some(Mark::Word(text)) => {
                    let token = &self.tokens[self.next];
                    if token.starts_line && self.ends_before(&setting, text) {
                        self.without_semicolon(&setting);
                        return setting;
                    }
                    let word = Word::new(text.clone(), token.span.clone());
                    self.next += 1;
                    setting.values.push(Value::Word(word));
                }
                Some(Mark::Semicolon) => {
                    self.next += 1;
                    return setting;
                }
                Some(Mark::Open) => {
                    setting.inside = Some(self.block(setting.name.clone(), open));
                    return setting;
                }
                Some(Mark::Close) | None => {
                    self.without_semicolon(&setting);
                    return setting;
                }
            }
        }
    }

    /// Whether a word at the start of a line begins another setting.
    fn ends_before(&self, setting: &Setting, word: &str) -> bool {
        let ends_with_line = WITHOUT_SEMICOLON.contains(&&*setting.name.text);
        !setting.values.is_empty() && (ends_with_line || (self.is_known)(word))
    }

    fn without_semicolon(&mut self, setting: &Setting) {
        if WITHOUT_SEMICOLON.contains(&&*setting.name.text) && !setting.values.is_empty() {
            return;
        }
        let end = setting.span().end;
        let help = match &*setting.name.text {
            "host" | "location" => "a block follows it: `{ ... }`",
            _ => "a setting ends with `;`",
        };
        self.found.push(&(end..end), "`;` is missing", help);
    }

    /// Reads `{ ... }`.
    fn block(&mut self, name: Word, open: &mut Vec<Word>) -> Vec<Setting> {
        let brace = self.tokens[self.next].span.clone();
        self.next += 1;
        open.push(name);
        if open.len() > DEEPEST {
            self.too_deep(&brace);
            open.pop();
            return Vec::new();
        }
        let settings = self.settings(open);
        open.pop();
        match self.tokens.get(self.next).map(|token| &token.mark) {
            Some(Mark::Close) => self.next += 1,
            _ => self.not_closed(&brace),
        }
        settings
    }

    fn not_closed(&mut self, brace: &Span) {
        self.found.push(
            brace,
            "this `{` is not closed",
            "add `}` at the end of its block",
        );
    }

    /// Skips a block that is too deep, without recursion.
    fn too_deep(&mut self, brace: &Span) {
        let message = format!("blocks stand in blocks {DEEPEST} deep at most");
        self.found.push(
            brace,
            message,
            "`location` stands in `host`, and nothing in `location`",
        );
        let mut depth = 1;
        while depth > 0
            && let Some(token) = self.tokens.get(self.next)
        {
            match token.mark {
                Mark::Open => depth += 1,
                Mark::Close => depth -= 1,
                _ => {}
            }
            self.next += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Shows settings as they would be written on one line.
    fn shown(settings: &[Setting]) -> String {
        let one = |setting: &Setting| {
            let values = setting.values.iter().map(|value| match value {
                Value::Word(word) => format!(" {}", word.text),
                Value::Option { .. } => unreachable!(),
            });
            let values: String = values.collect();
            let name = &setting.name.text;
            match &setting.inside {
                Some(inside) => format!("{name}{values}{{{}}}", shown(inside)),
                None => format!("{name}{values};"),
            }
        };
        settings.iter().map(one).collect()
    }

    fn read(text: &str) -> (String, String) {
        let mut found = Found::default();
        let known = |name: &str| ["a", "b", "host", "dist_policy"].contains(&name);
        let settings = parse(text, known, &mut found);
        let mistakes = found.into_mistakes(Path::new("f"), text);
        (
            shown(&settings),
            mistakes.map_or_else(String::new, |m| m.to_string()),
        )
    }

    #[test]
    fn white_space_comments_and_quotes() {
        let rows = [
            ("", ""),
            (" # only a comment", ""),
            ("a b;", "a b;"),
            ("a\n\tb\n;;", "a b;"),
            ("host \"x y\"{a b;}", "host x y{a b;}"),
            ("host 'x'\r\n{\r\na 1;\r\n}\r\n", "host x{a 1;}"),
            ("a b#c; # d\n;", "a b#c;"),
            ("a \"b;{}#\\\"\" 'c\\';", "a b;{}#\" c\\;"),
            ("a ${x}-$y{b 1;}", "a ${x}-$y{b 1;}"),
            ("a \"\";", "a ;"),
            ("\u{feff}a b;", "a b;"),
        ];
        for (text, expected) in rows {
            assert_eq!(read(text), (expected.to_owned(), String::new()), "{text:?}");
        }
    }

    #[test]
    fn the_policy_ends_with_its_line() {
        let rows = [
            "host x { dist_policy y }",
            "host x { dist_policy y; }",
            "host x { dist_policy\n y\n }",
            "host x {\n dist_policy y\n}",
        ];
        for text in rows {
            let expected = "host x{dist_policy y;}".to_owned();
            assert_eq!(read(text), (expected, String::new()), "{text:?}");
        }
        let (settings, mistakes) = read("host x { dist_policy y\n c d; }");
        assert_eq!((&*settings, &*mistakes), ("host x{dist_policy y;c d;}", ""));
    }

    #[test]
    fn the_parser_goes_on_behind_a_mistake() {
        let rows = [
            ("a 1\nb 2;", "a 1;b 2;", "f:1:4: `;` is missing"),
            ("host x { a 1 }", "host x{a 1;}", "f:1:13: `;` is missing"),
            (
                "host x { a 1; ",
                "host x{a 1;}",
                "f:1:8: this `{` is not closed",
            ),
            (
                "host x {\na 1;\nhost y { b 2; }",
                "host x{a 1;}host y{b 2;}",
                "f:1:8: this `{`",
            ),
            ("a 1; } b 2;", "a 1;b 2;", "f:1:6: this `}` closes nothing"),
            (
                "{ a 1; } b 2;",
                "b 2;",
                "f:1:1: a name is missing before `{`",
            ),
            ("a \"x\nb 2;", "a x;b 2;", "f:1:3: this text has no end"),
            ("a \"x\"y;", "a x y;", "a blank is missing"),
            ("a", "a;", "f:1:2: `;` is missing"),
        ];
        for (text, expected, mistake) in rows {
            let (settings, mistakes) = read(text);
            assert_eq!(settings, expected, "{text:?}: {mistakes}");
            assert!(mistakes.contains(mistake), "{text:?}: {mistakes}");
        }
    }

    #[test]
    fn a_file_of_braces_is_read_in_little_memory() {
        let (settings, mistakes) = read(&"a {".repeat(100_000));
        assert!(mistakes.contains("blocks stand in blocks 8 deep at most"));
        assert!(settings.len() < 100);
    }
}
