//! Tokens to a syntax tree. The grammar is in `docs/src/notation.md`; a function here is a rule
//! there.

mod lex;

use lex::{Token, lex};

use super::mistake::Mistake;
use super::syntax::{Argument, Line, Link, PortName, Span, Spanned, Stage, Statement, Value};

/// The limit for nested lines in parentheses.
const DEEPEST: usize = 32;

/// Parses a text.
pub(super) fn parse(text: &str) -> Result<Vec<Statement>, Mistake> {
    let length = text.trim_end().len();
    let mut parser = Parser {
        tokens: lex(text)?,
        next: 0,
        end: length..length + 1,
        depth: 0,
    };
    let mut statements = Vec::new();
    while parser.next < parser.tokens.len() {
        if parser.take(&Token::End).is_some() {
            continue;
        }
        statements.push(parser.statement()?);
        if parser.next < parser.tokens.len() && parser.take(&Token::End).is_none() {
            return Err(parser.unexpected("`=>`, an argument or the end of the statement"));
        }
    }
    Ok(statements)
}

struct Parser {
    tokens: Vec<Spanned<Token>>,
    next: usize,
    /// After the last token.
    end: Span,
    depth: usize,
}

impl Parser {
    fn statement(&mut self) -> Result<Statement, Mistake> {
        if let Some(name) = self.key() {
            let stage = self.stage("a component, whose name this is to be,")?;
            return match self.peek() {
                Some(Token::Then) => Err(self
                    .unexpected("the end of the statement")
                    .note("a name is that of one component: use it in a line of its own")),
                _ => Ok(Statement::Definition { name, stage }),
            };
        }
        let rest = self.tokens[self.next..].iter();
        let mut rest = rest.skip_while(|token| matches!(token.node, Token::Word(_) | Token::Comma));
        if matches!(rest.next(), Some(arrow) if matches!(arrow.node, Token::Link | Token::Feedback))
        {
            return self.link().map(Statement::Link);
        }
        self.line("a component").map(Statement::Line)
    }

    fn line(&mut self, wanted: &str) -> Result<Line, Mistake> {
        let mut stages = vec![self.stage(wanted)?];
        while self.take(&Token::Then).is_some() {
            stages.push(self.stage("a component")?);
        }
        Ok(Line { stages })
    }

    fn stage(&mut self, wanted: &str) -> Result<Stage, Mistake> {
        let name = self.word(wanted)?;
        let mut arguments = Vec::new();
        loop {
            match self.peek() {
                Some(Token::Open) => self.arguments_in_parentheses(&mut arguments)?,
                Some(Token::Key(_) | Token::Word(_) | Token::Text(_)) => {
                    let key = self.key();
                    let value = match self.peek() {
                        Some(Token::Open) => self.line_in_parentheses()?,
                        _ => self.text("a value")?,
                    };
                    arguments.push(Argument { key, value });
                }
                _ => return Ok(Stage { name, arguments }),
            }
        }
    }

    /// `(4, lines => counter, ordered=yes)`
    fn arguments_in_parentheses(&mut self, arguments: &mut Vec<Argument>) -> Result<(), Mistake> {
        let open = self.open()?;
        loop {
            if !(arguments.is_empty() && self.peek() == Some(&Token::Close)) {
                let key = self.key();
                let value = match self.peek() {
                    Some(Token::Text(_)) => self.text("a value")?,
                    _ => self.value_line()?,
                };
                arguments.push(Argument { key, value });
            }
            if self.take(&Token::Comma).is_none() {
                return self.close(&open, "`,` or `)`");
            }
        }
    }

    /// `(lines => counter)`
    fn line_in_parentheses(&mut self) -> Result<Spanned<Value>, Mistake> {
        let open = self.open()?;
        let line = self.value_line()?;
        self.close(&open, "`)`")?;
        Ok(line)
    }

    fn value_line(&mut self) -> Result<Spanned<Value>, Mistake> {
        let line = self.line("a value, or a component")?;
        Ok(Spanned {
            span: line.span(),
            node: Value::Line(line),
        })
    }

    fn open(&mut self) -> Result<Span, Mistake> {
        let open = self.take(&Token::Open).unwrap_or_else(|| self.end.clone());
        self.depth += 1;
        if self.depth > DEEPEST {
            let deep = format!("lines stand in parentheses {DEEPEST} deep at the most");
            return Err(Mistake::new(&open, deep));
        }
        Ok(open)
    }

    fn close(&mut self, open: &Span, wanted: &str) -> Result<(), Mistake> {
        self.depth -= 1;
        match (self.take(&Token::Close), self.peek()) {
            (Some(_), _) => Ok(()),
            (None, None) => Err(Mistake::new(open, "this parenthesis is not closed")),
            (None, Some(_)) => Err(self.unexpected(wanted)),
        }
    }

    fn link(&mut self) -> Result<Link, Mistake> {
        let mut from = vec![self.port("an outbox")?];
        while self.take(&Token::Comma).is_some() {
            from.push(self.port("an outbox")?);
        }
        let feedback = self.take(&Token::Feedback).is_some();
        if !feedback && self.take(&Token::Link).is_none() {
            return Err(self.unexpected("`->`, `~>` or `,`"));
        }
        let to = self.port("an inbox")?;
        let capacity = match self.key() {
            Some(key) if key.node == "capacity" => Some(self.word("a number of messages")?),
            Some(key) => {
                let unknown = format!("a link has no option `{}`", key.node);
                return Err(Mistake::new(&key.span, unknown).note("there is: capacity=MESSAGES"));
            }
            None => None,
        };
        Ok(Link {
            from,
            to,
            feedback,
            capacity,
        })
    }

    /// `parser.failures`
    fn port(&mut self, wanted: &str) -> Result<PortName, Mistake> {
        let wanted = format!("{wanted}, NAME.PORT,");
        let Spanned { node, span } = self.word(&wanted)?;
        let Some((component, port)) = node.rsplit_once('.') else {
            let not_a_port = format!("{wanted} is wanted, found `{node}`");
            return Err(Mistake::new(&span, not_a_port).note(
                "components stand in a line by `=>`; `->` links ports of those that have names",
            ));
        };
        let dot = span.start + component.len();
        let spanned = |text: &str, span| Spanned {
            node: text.to_owned(),
            span,
        };
        Ok(PortName {
            component: spanned(component, span.start..dot),
            port: spanned(port, dot + 1..span.end),
        })
    }

    /// `name=`, or `name =`.
    fn key(&mut self) -> Option<Spanned<String>> {
        let is_apart =
            matches!(self.tokens.get(self.next + 1), Some(next) if next.node == Token::Equals);
        let Spanned { node, span } = self.tokens.get(self.next)?;
        let key = match node {
            Token::Key(name) => Spanned {
                node: name.clone(),
                span: span.start..span.end - 1,
            },
            Token::Word(name) if is_apart => Spanned {
                node: name.clone(),
                span: span.clone(),
            },
            _ => return None,
        };
        self.next += if is_apart { 2 } else { 1 };
        Some(key)
    }

    fn word(&mut self, wanted: &str) -> Result<Spanned<String>, Mistake> {
        match self.tokens.get(self.next) {
            Some(Spanned {
                node: Token::Word(word),
                span,
            }) => {
                self.next += 1;
                Ok(Spanned {
                    node: word.clone(),
                    span: span.clone(),
                })
            }
            _ => Err(self.unexpected(wanted)),
        }
    }

    /// A word, or a text in quotes.
    fn text(&mut self, wanted: &str) -> Result<Spanned<Value>, Mistake> {
        let text = match self.tokens.get(self.next) {
            Some(Spanned {
                node: Token::Text(text),
                span,
            }) => {
                self.next += 1;
                Spanned {
                    node: text.clone(),
                    span: span.clone(),
                }
            }
            _ => self.word(wanted)?,
        };
        Ok(Spanned {
            node: Value::Text(text.node),
            span: text.span,
        })
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|token| &token.node)
    }

    /// Takes the next token if it is `token`; returns its position.
    fn take(&mut self, token: &Token) -> Option<Span> {
        let next = self.tokens.get(self.next)?;
        (next.node == *token).then(|| {
            self.next += 1;
            next.span.clone()
        })
    }

    fn unexpected(&self, wanted: &str) -> Mistake {
        let (span, found) = match self.tokens.get(self.next) {
            None => (&self.end, "the end".to_owned()),
            Some(Spanned { node, span }) => (span, node.to_string()),
        };
        Mistake::new(span, format!("{wanted} is wanted, found {found}"))
    }
}

#[cfg(test)]
mod tests;
