//! The lines by which a program draws itself: Kamaelia's topology commands.

use std::fmt;

/// A command of the topology protocol.
///
/// A line consists of words with white space between them. A word in single or double quotes may
/// contain white space; in it, a backslash escapes the next character. Command names are
/// case-insensitive. This is the syntax of Kamaelia's `lines_to_tokenlists` and `TopologyViewer`.
///
/// # Examples
///
/// ```
/// use kamea_components::inspect::Command;
///
/// let command: Command = r#"ADD NODE 1 "the \"first\" node" auto -"#.parse()?;
/// let Command::AddNode { id, name, kind } = &command else { unreachable!() };
/// assert_eq!((&id[..], &name[..], &kind[..]), ("1", "the \"first\" node", "-"));
/// assert_eq!(command.to_string(), r#"ADD NODE 1 "the \"first\" node" auto -"#);
///
/// let wrong = "ADD NODE 1".parse::<Command>().unwrap_err();
/// assert_eq!(wrong.to_string(), "ADD NODE takes an id, a name, a position and a type");
/// # Ok::<(), kamea_components::inspect::CommandError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// `ADD NODE id name position type`: adds a node, or changes the name and type of an existing
    /// one. The position is checked and not used: the page computes its own.
    AddNode {
        /// The name for other commands.
        id: String,
        /// The name to show.
        name: String,
        /// The type: `-` for nothing in particular; Kamaelia's introspector sends `component`,
        /// `inbox`, `outbox`.
        kind: String,
    },
    /// `DEL NODE id`: removes the node and its links.
    DeleteNode(String),
    /// `ADD LINK from to`: adds a link between two nodes.
    AddLink(String, String),
    /// `DEL LINK from to`: removes that link.
    DeleteLink(String, String),
    /// `DEL ALL`: removes everything.
    DeleteAll,
    /// `GET ALL`: asks for the commands that would draw the current state.
    All,
    /// `UPDATE_NAME NODE id name`: renames the node, if it exists.
    UpdateName(String, String),
    /// `GET_NAME NODE id`: asks for the command that would set its current name.
    Name(String),
}

/// Why a line is not a command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// A quote is not closed, or text follows it immediately.
    #[error("a quoted word must end with its quote, and white space behind it")]
    Quote,
    /// There are too few or too many words.
    #[error("{0}")]
    Words(&'static str),
    /// The position is invalid.
    #[error("a position is auto, randompos, or x,y")]
    Position,
    /// There is no such command.
    #[error(
        "the commands are ADD NODE, DEL NODE, ADD LINK, DEL LINK, DEL ALL, GET ALL, UPDATE_NAME NODE and GET_NAME NODE"
    )]
    Unknown,
}

impl std::str::FromStr for Command {
    type Err = CommandError;

    fn from_str(line: &str) -> Result<Self, CommandError> {
        let mut words = words(line)?;
        let upper = |word: &String| word.to_ascii_uppercase();
        let name: Vec<_> = words.iter().take(2).map(upper).collect();
        let arguments = words.split_off(words.len().min(2));
        match [&name[..], &[String::new(), String::new()]].concat()[..2]
            .join(" ")
            .as_str()
        {
            "ADD NODE" => {
                let [id, name, position, kind] = take(
                    arguments,
                    "ADD NODE takes an id, a name, a position and a type",
                )?;
                is_position(&position)
                    .then_some(())
                    .ok_or(CommandError::Position)?;
                Ok(Self::AddNode { id, name, kind })
            }
            "DEL NODE" => take(arguments, "DEL NODE takes an id").map(|[id]| Self::DeleteNode(id)),
            "ADD LINK" => {
                take(arguments, "ADD LINK takes two ids").map(|[from, to]| Self::AddLink(from, to))
            }
            "DEL LINK" => take(arguments, "DEL LINK takes two ids")
                .map(|[from, to]| Self::DeleteLink(from, to)),
            "DEL ALL" => take(arguments, "DEL ALL takes nothing").map(|[]| Self::DeleteAll),
            "GET ALL" => take(arguments, "GET ALL takes nothing").map(|[]| Self::All),
            "UPDATE_NAME NODE" => take(arguments, "UPDATE_NAME NODE takes an id and a name")
                .map(|[id, name]| Self::UpdateName(id, name)),
            "GET_NAME NODE" => {
                take(arguments, "GET_NAME NODE takes an id").map(|[id]| Self::Name(id))
            }
            _ => Err(CommandError::Unknown),
        }
    }
}

/// Formats the command as a line, without the line end.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddNode { id, name, kind } => write!(
                f,
                "ADD NODE {} {} auto {}",
                Quoted(id),
                Quoted(name),
                Quoted(kind)
            ),
            Self::DeleteNode(id) => write!(f, "DEL NODE {}", Quoted(id)),
            Self::AddLink(from, to) => write!(f, "ADD LINK {} {}", Quoted(from), Quoted(to)),
            Self::DeleteLink(from, to) => write!(f, "DEL LINK {} {}", Quoted(from), Quoted(to)),
            Self::DeleteAll => f.write_str("DEL ALL"),
            Self::All => f.write_str("GET ALL"),
            Self::UpdateName(id, name) => {
                write!(f, "UPDATE_NAME NODE {} {}", Quoted(id), Quoted(name))
            }
            Self::Name(id) => write!(f, "GET_NAME NODE {}", Quoted(id)),
        }
    }
}

/// A word of a line, in quotes if it needs them to stay one word.
pub(super) struct Quoted<'a>(pub(super) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = !self.0.is_empty()
            && !self.0.starts_with(['"', '\''])
            && !self.0.contains(char::is_whitespace);
        if is_plain {
            return f.write_str(self.0);
        }
        write!(
            f,
            "\"{}\"",
            self.0.replace('\\', "\\\\").replace('"', "\\\"")
        )
    }
}

fn take<const N: usize>(
    words: Vec<String>,
    wrong: &'static str,
) -> Result<[String; N], CommandError> {
    words.try_into().map_err(|_| CommandError::Words(wrong))
}

fn is_position(text: &str) -> bool {
    let is_number = |number: &str| {
        let digits = number.strip_prefix(['+', '-']).unwrap_or(number);
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    // Kamaelia's viewer itself sends `random`, and its documentation puts numbers in parentheses.
    let in_parentheses = text
        .strip_prefix('(')
        .and_then(|text| text.strip_suffix(')'));
    match text.to_ascii_lowercase().as_str() {
        "auto" | "randompos" | "random" => true,
        _ => in_parentheses
            .unwrap_or(text)
            .split_once(',')
            .is_some_and(|(x, y)| is_number(x) && is_number(y)),
    }
}

/// The words of a line.
fn words(line: &str) -> Result<Vec<String>, CommandError> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        let (word, behind) = match first {
            '"' | '\'' => quoted(&rest[1..], first).ok_or(CommandError::Quote)?,
            _ => {
                let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                (rest[..end].to_owned(), &rest[end..])
            }
        };
        words.push(word);
        rest = behind.trim_start();
        if rest.len() == behind.len() && !rest.is_empty() {
            return Err(CommandError::Quote);
        }
    }
    Ok(words)
}

/// A word up to its quote, and the rest after that.
fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let mut word = String::new();
    let mut characters = text.char_indices();
    loop {
        match characters.next()? {
            (at, character) if character == quote => {
                return Some((word, &text[at + character.len_utf8()..]));
            }
            (_, '\\') => word.push(characters.next()?.1),
            (_, character) => word.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_kamaelias_documentation() {
        // The example in the documentation of Kamaelia's lines_to_tokenlists.
        let line =
            r#"Hello world "how are you" 'john said "hi"' "i replied \"hi\"" "c:\\windows" end"#;
        let expected = [
            "Hello",
            "world",
            "how are you",
            "john said \"hi\"",
            "i replied \"hi\"",
            "c:\\windows",
            "end",
        ];
        assert_eq!(words(line).unwrap(), expected);
    }

    #[test]
    fn lines_are_commands() {
        let node = |id: &str, name: &str, kind: &str| Command::AddNode {
            id: id.into(),
            name: name.into(),
            kind: kind.into(),
        };
        let two = |id: &str, other: &str| (id.to_owned(), other.to_owned());
        let link = |(from, to)| Command::AddLink(from, to);
        let table = [
            (
                r#"ADD NODE 1 "1st node" randompos -"#,
                node("1", "1st node", "-"),
            ),
            (
                "  add\tnode a b AUTO component  ",
                node("a", "b", "component"),
            ),
            ("ADD NODE a b -10,+20 -", node("a", "b", "-")),
            ("ADD NODE a b (10,20) -", node("a", "b", "-")),
            ("ADD NODE a it's random -", node("a", "it's", "-")),
            ("ADD NODE a '' auto -", node("a", "", "-")),
            ("DEL NODE 1", Command::DeleteNode("1".into())),
            ("ADD LINK 1 2", link(two("1", "2"))),
            (r#"ADD LINK "a b" 'ö'"#, link(two("a b", "ö"))),
            ("DEL LINK 1 2", Command::DeleteLink("1".into(), "2".into())),
            ("DEL ALL", Command::DeleteAll),
            ("get all", Command::All),
            (
                "UPDATE_NAME NODE 1 \"a b\"",
                Command::UpdateName("1".into(), "a b".into()),
            ),
            ("GET_NAME NODE 1", Command::Name("1".into())),
        ];
        for (line, command) in table {
            assert_eq!(line.parse(), Ok(command.clone()), "{line}");
            assert_eq!(
                command.to_string().parse(),
                Ok(command),
                "{line}, written again"
            );
        }
    }

    #[test]
    fn other_lines_are_not() {
        let table = [
            ("", CommandError::Unknown),
            ("ADD", CommandError::Unknown),
            ("ADD THING 1", CommandError::Unknown),
            (
                "ADD NODE 1 b auto",
                CommandError::Words("ADD NODE takes an id, a name, a position and a type"),
            ),
            ("DEL ALL 1", CommandError::Words("DEL ALL takes nothing")),
            ("ADD NODE 1 b here -", CommandError::Position),
            ("ADD NODE 1 b 1, -", CommandError::Position),
            ("ADD LINK \"1 2", CommandError::Quote),
            ("ADD LINK \"1\"2 3", CommandError::Quote),
            ("ADD LINK \"1\\", CommandError::Quote),
        ];
        for (line, error) in table {
            assert_eq!(line.parse::<Command>(), Err(error), "{line}");
        }
    }
}
