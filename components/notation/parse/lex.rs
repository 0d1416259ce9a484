//! Characters to tokens.

use std::fmt;

use winnow::ascii::hex_digit1;
use winnow::combinator::{alt, cut_err, delimited, not, peek, preceded, repeat, terminated};
use winnow::error::ContextError;
use winnow::stream::Location;
use winnow::token::{none_of, one_of, take_while};
use winnow::{LocatingSlice, ModalResult, Parser};

use crate::notation::mistake::Mistake;
use crate::notation::syntax::Spanned;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// Without quotes.
    Word(String),
    /// In quotes.
    Text(String),
    /// A name and the `=` after it.
    Key(String),
    /// `=`, on its own.
    Equals,
    /// `(`
    Open,
    /// `)`
    Close,
    /// `,`
    Comma,
    /// `=>`
    Then,
    /// `->`
    Link,
    /// `~>`
    Feedback,
    /// A line break that ends a statement, or `;`.
    End,
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) => write!(f, "`{word}`"),
            Self::Text(text) => write!(f, "the text {text:?}"),
            Self::Key(name) => write!(f, "`{name}=`"),
            Self::Equals => f.write_str("`=`"),
            Self::Open => f.write_str("`(`"),
            Self::Close => f.write_str("`)`"),
            Self::Comma => f.write_str("`,`"),
            Self::Then => f.write_str("`=>`"),
            Self::Link => f.write_str("`->`"),
            Self::Feedback => f.write_str("`~>`"),
            Self::End => f.write_str("the end of the statement"),
        }
    }
}

type Input<'t> = LocatingSlice<&'t str>;
type Lexed<T> = ModalResult<T, ContextError<&'static str>>;

/// Returns the tokens of a text. A line break in parentheses, after an arrow or a comma, or before
/// an arrow does not end a statement, and is left out.
pub(super) fn lex(text: &str) -> Result<Vec<Spanned<Token>>, Mistake> {
    let mut input = LocatingSlice::new(text);
    let (mut tokens, mut depth) = (Vec::<Spanned<Token>>::new(), 0_usize);
    while skip.parse_next(&mut input).is_ok() && !input.is_empty() {
        let start = input.current_token_start();
        let token = token.with_span().parse_next(&mut input);
        let (node, span) = token.map_err(|error| {
            let end = input.current_token_start() + 1;
            let reason = error.into_inner().ok();
            let reason = reason.and_then(|error| error.context().next().copied());
            Mistake::new(&(start..end), reason.unwrap_or("this cannot be read"))
        })?;
        let is_break = |token: &Spanned<Token>| &text[token.span.clone()] == "\n";
        match node {
            Token::Open => depth += 1,
            Token::Close => depth = depth.saturating_sub(1),
            Token::Then | Token::Link | Token::Feedback => {
                while tokens.pop_if(|last| is_break(last)).is_some() {}
            }
            _ => {}
        }
        let token = Spanned { node, span };
        let goes_on = depth > 0 || tokens.last().is_none_or(Spanned::<Token>::goes_on);
        if !(is_break(&token) && goes_on) {
            tokens.push(token);
        }
    }
    Ok(tokens)
}

impl Spanned<Token> {
    /// Whether a line break after this token does not end a statement: the statement must continue,
    /// or has already ended.
    fn goes_on(&self) -> bool {
        use Token::{Comma, End, Feedback, Link, Then};
        matches!(self.node, Then | Link | Feedback | Comma | End)
    }
}

/// Skips blanks and comments.
fn skip(input: &mut Input<'_>) -> Lexed<()> {
    let blanks = take_while(1.., |c: char| c.is_whitespace() && c != '\n').void();
    let comment = ('#', take_while(0.., |c| c != '\n')).void();
    repeat(0.., alt((blanks, comment))).parse_next(input)
}

fn token(input: &mut Input<'_>) -> Lexed<Token> {
    let arrow = alt((
        "=>".value(Token::Then),
        "->".value(Token::Link),
        "~>".value(Token::Feedback),
    ));
    let mark = alt((
        '('.value(Token::Open),
        ')'.value(Token::Close),
        ','.value(Token::Comma),
        '='.value(Token::Equals),
        one_of(['\n', ';']).value(Token::End),
    ));
    let value = alt((
        terminated(alt((double_quoted, single_quoted)), apart).map(Token::Text),
        terminated(name, ('=', not('>'))).map(Token::Key),
        terminated(word, apart).map(Token::Word),
    ));
    alt((arrow, mark, value)).parse_next(input)
}

/// A text in quotes, or a word, must not touch another one.
fn apart(input: &mut Input<'_>) -> Lexed<()> {
    let stranger = none_of(|c: char| c.is_whitespace() || "(),;=-~".contains(c));
    cut_err(peek(not(stranger)))
        .context("a blank is wanted between a word or text and the next; put all of it in quotes if it is one")
        .parse_next(input)
}

fn name(input: &mut Input<'_>) -> Lexed<String> {
    let first = one_of(|c: char| c.is_ascii_alphabetic() || c == '_');
    let rest = take_while(0.., |c: char| {
        c.is_ascii_alphanumeric() || "_.-".contains(c)
    });
    (first, rest).take().map(str::to_owned).parse_next(input)
}

/// A run of characters up to one with a special meaning.
fn word(input: &mut Input<'_>) -> Lexed<String> {
    let special = |c: char| c.is_whitespace() || "(),;\"'".contains(c);
    let arrow = alt(("=>", "->", "~>"));
    repeat::<_, _, (), _, _>(1.., (not(arrow), none_of(special)))
        .take()
        .map(str::to_owned)
        .parse_next(input)
}

/// All characters stand for themselves.
fn single_quoted(input: &mut Input<'_>) -> Lexed<String> {
    let text = take_while(0.., |c| c != '\'').map(str::to_owned);
    preceded(
        '\'',
        cut_err(terminated(text, '\'')).context("this text has no end: '"),
    )
    .parse_next(input)
}

fn double_quoted(input: &mut Input<'_>) -> Lexed<String> {
    let character = alt((
        preceded('\\', cut_err(escaped).context(ESCAPES)),
        none_of(['"', '\\']),
    ));
    let text = repeat(0.., character).fold(String::new, |mut text, character| {
        text.push(character);
        text
    });
    preceded(
        '"',
        cut_err(terminated(text, '"')).context("this text has no end: \""),
    )
    .parse_next(input)
}

const ESCAPES: &str = r#"this escape means nothing; there are \n, \r, \t, \0, \\, \" and \u{..}; in single quotes a backslash is a backslash"#;

/// An escape, after its backslash.
fn escaped(input: &mut Input<'_>) -> Lexed<char> {
    let code = |digits: &str| char::from_u32(u32::from_str_radix(digits, 16).ok()?);
    alt((
        'n'.value('\n'),
        'r'.value('\r'),
        't'.value('\t'),
        '0'.value('\0'),
        one_of(['"', '\\']),
        delimited("u{", hex_digit1.verify_map(code), '}'),
    ))
    .parse_next(input)
}
