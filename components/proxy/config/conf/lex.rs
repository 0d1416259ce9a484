//! Characters to words and marks.

use winnow::combinator::{alt, delimited, preceded, repeat};
use winnow::stream::Location;
use winnow::token::{any, none_of, one_of, take_while};
use winnow::{LocatingSlice, ModalResult, Parser};

use crate::config::mistake::{Found, Span};

/// A word or a mark, and its position.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) mark: Mark,
    pub(super) span: Span,
    /// Whether a line break is between it and the token before it.
    pub(super) starts_line: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Mark {
    /// Without quotes.
    Word(String),
    /// `{`
    Open,
    /// `}`
    Close,
    /// `;`
    Semicolon,
}

type Input<'t> = LocatingSlice<&'t str>;

/// Returns the tokens of a text; a text without an end ends with its line.
pub(super) fn lex(text: &str, found: &mut Found) -> Vec<Token> {
    let mut input = LocatingSlice::new(text);
    let mut tokens: Vec<Token> = Vec::new();
    loop {
        let before = input.current_token_start();
        if skip.parse_next(&mut input).is_err() || input.is_empty() {
            return tokens;
        }
        let start = input.current_token_start();
        let starts_line = text[before..start].contains('\n');
        let is_quoted = input.starts_with(['"', '\'']);
        let parsed = match token.with_span().parse_next(&mut input) {
            Ok(parsed) => parsed,
            Err(_) => unended(&mut input, start, found),
        };
        let (mark, span) = parsed;
        let is_word = |mark: &Mark| matches!(mark, Mark::Word(_));
        let touches = tokens
            .last()
            .is_some_and(|last| last.span.end == start && is_word(&last.mark));
        if touches && is_word(&mark) {
            let help = match is_quoted {
                true => "put all of it in quotes if it is one word",
                false => "a quoted text ends at its quotation mark",
            };
            found.push(&span, "a blank is missing before this", help);
        }
        tokens.push(Token {
            mark,
            span,
            starts_line,
        });
    }
}

/// Takes a quoted text that has no end: up to the end of the line.
fn unended(input: &mut Input<'_>, start: usize, found: &mut Found) -> (Mark, Span) {
    let quote: ModalResult<char> = any.parse_next(input);
    let quote = quote.unwrap_or('"');
    let rest: ModalResult<&str> = take_while(0.., |c| c != '\n').parse_next(input);
    let rest = rest.unwrap_or_default().trim_end();
    let help = format!("add {quote} behind it");
    found.push(&(start..start + 1), "this text has no end", help);
    (Mark::Word(rest.to_owned()), start..start + 1 + rest.len())
}

/// Skips blanks, comments, and a byte order mark.
fn skip(input: &mut Input<'_>) -> ModalResult<()> {
    let blanks = take_while(1.., |c: char| c.is_whitespace() || c == '\u{feff}').void();
    let comment = ('#', take_while(0.., |c| c != '\n')).void();
    repeat(0.., alt((blanks, comment))).parse_next(input)
}

fn token(input: &mut Input<'_>) -> ModalResult<Mark> {
    alt((
        '{'.value(Mark::Open),
        '}'.value(Mark::Close),
        ';'.value(Mark::Semicolon),
        double_quoted.map(Mark::Word),
        single_quoted.map(Mark::Word),
        word.map(Mark::Word),
    ))
    .parse_next(input)
}

/// A backslash takes the next quotation mark or backslash as it is.
fn double_quoted(input: &mut Input<'_>) -> ModalResult<String> {
    let character = alt((preceded('\\', one_of(['"', '\\'])), none_of(['"', '\n'])));
    delimited('"', repeat(0.., character), '"').parse_next(input)
}

/// All characters stand for themselves.
fn single_quoted(input: &mut Input<'_>) -> ModalResult<String> {
    let text = take_while(0.., |c| c != '\'' && c != '\n');
    delimited('\'', text.map(str::to_owned), '\'').parse_next(input)
}

/// Characters without a meaning of their own, and variables as `${name}`.
fn word(input: &mut Input<'_>) -> ModalResult<String> {
    let special = |c: char| c.is_whitespace() || ";{}\"'".contains(c);
    let variable = (
        "${",
        take_while(0.., |c: char| c.is_ascii_alphanumeric() || c == '_'),
        '}',
    );
    repeat::<_, _, (), _, _>(1.., alt((variable.void(), none_of(special).void())))
        .take()
        .map(str::to_owned)
        .parse_next(input)
}
