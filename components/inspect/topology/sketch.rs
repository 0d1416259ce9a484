//! The current drawing of a program.

use std::collections::{BTreeMap, BTreeSet};

use super::command::{Command, Quoted};

/// Nodes and links, as drawn by the commands of one program.
///
/// # Examples
///
/// ```
/// use kamea_components::inspect::Sketch;
///
/// let mut sketch = Sketch::default();
/// for line in ["ADD NODE 1 reader auto -", "ADD NODE 2 writer auto -", "ADD LINK 1 2"] {
///     assert_eq!(sketch.command(line), "");
/// }
/// assert_eq!(sketch.command("ADD LINK 1 3"), "ERROR \"there is no node 3\"\n");
/// assert_eq!(sketch.command("GET_NAME NODE 1"), "UPDATE_NAME NODE 1 reader\n");
/// assert_eq!(
///     sketch.command("GET ALL"),
///     "DEL ALL\nADD NODE 1 reader auto -\nADD NODE 2 writer auto -\nADD LINK 1 2\n",
/// );
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sketch {
    nodes: BTreeMap<String, Node>,
    links: BTreeSet<(String, String)>,
}

/// A node of a [`Sketch`].
#[derive(Debug, Clone, PartialEq, Eq)]
struct Node {
    name: String,
    kind: String,
}

impl Sketch {
    /// The most nodes.
    pub const NODES: usize = 2_000;

    /// The most links.
    pub const LINKS: usize = 8_000;

    /// Whether it is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Executes a line. Returns the answer: the requested lines, `ERROR` and the reason, or
    /// nothing.
    pub fn command(&mut self, line: &str) -> String {
        let obeyed = match line.parse() {
            Ok(command) => self.obey(command),
            Err(error) => Err(error.to_string()),
        };
        obeyed.unwrap_or_else(|error| refusal(&error))
    }

    /// As JSON: `{"nodes": [{"id", "name", "kind"}], "links": [{"from", "to"}]}`.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let node = |(id, node): (&String, &Node)| serde_json::json!({"id": id, "name": node.name, "kind": node.kind});
        let link = |(from, to): &(String, String)| serde_json::json!({"from": from, "to": to});
        serde_json::json!({
            "nodes": self.nodes.iter().map(node).collect::<Vec<_>>(),
            "links": self.links.iter().map(link).collect::<Vec<_>>(),
        })
    }

    fn obey(&mut self, command: Command) -> Result<String, String> {
        match command {
            Command::AddNode { id, name, kind } => {
                if self.nodes.len() >= Self::NODES && !self.nodes.contains_key(&id) {
                    return Err(format!("there may be {} nodes", Self::NODES));
                }
                self.nodes.insert(id, Node { name, kind });
            }
            Command::DeleteNode(id) => {
                self.node(&id)?;
                self.nodes.remove(&id);
                self.links.retain(|(from, to)| *from != id && *to != id);
            }
            Command::AddLink(from, to) => {
                self.node(&from)?;
                self.node(&to)?;
                if self.links.len() >= Self::LINKS {
                    return Err(format!("there may be {} links", Self::LINKS));
                }
                self.links.insert((from, to));
            }
            Command::DeleteLink(from, to) => {
                if !self.links.remove(&(from.clone(), to.clone())) {
                    return Err(format!("there is no link from {from} to {to}"));
                }
            }
            Command::DeleteAll => *self = Self::default(),
            Command::All => return Ok(self.to_string()),
            Command::UpdateName(id, name) => {
                if let Some(node) = self.nodes.get_mut(&id) {
                    node.name = name;
                }
            }
            Command::Name(id) => {
                let name = self.node(&id)?.name.clone();
                return Ok(format!("{}\n", Command::UpdateName(id, name)));
            }
        }
        Ok(String::new())
    }

    fn node(&self, id: &str) -> Result<&Node, String> {
        let node = self.nodes.get(id);
        node.ok_or_else(|| format!("there is no node {id}"))
    }
}

/// The lines that draw it from an empty state.
impl std::fmt::Display for Sketch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}", Command::DeleteAll)?;
        for (id, node) in self.nodes.clone() {
            let Node { name, kind } = node;
            writeln!(f, "{}", Command::AddNode { id, name, kind })?;
        }
        for (from, to) in self.links.clone() {
            writeln!(f, "{}", Command::AddLink(from, to))?;
        }
        Ok(())
    }
}

/// The answer to an invalid line.
pub(super) fn refusal(why: &str) -> String {
    // A control character of the program must not break the line.
    let why = why.replace(char::is_control, " ");
    format!("ERROR {}\n", Quoted(&why))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sketch(lines: &[&str]) -> Sketch {
        let mut sketch = Sketch::default();
        for line in lines {
            assert_eq!(sketch.command(line), "", "{line}");
        }
        sketch
    }

    #[test]
    fn a_node_goes_with_its_links() {
        let lines = [
            "ADD NODE a A auto -",
            "ADD NODE b B auto -",
            "ADD LINK a b",
            "ADD LINK b b",
        ];
        let mut all = sketch(&lines);
        assert_eq!(all.command("DEL NODE a"), "");
        assert_eq!(all, sketch(&["ADD NODE b B auto -", "ADD LINK b b"]));
        assert_eq!(all.command("DEL ALL"), "");
        assert!(all.is_empty());
    }

    #[test]
    fn what_is_not_there_is_named() {
        let mut one = sketch(&["ADD NODE a A auto -"]);
        for (line, answer) in [
            ("DEL NODE b", "ERROR \"there is no node b\"\n"),
            ("ADD LINK a b", "ERROR \"there is no node b\"\n"),
            ("DEL LINK a a", "ERROR \"there is no link from a to a\"\n"),
            ("GET_NAME NODE \"x\\y\"", "ERROR \"there is no node xy\"\n"),
            ("DEL NODE 'x \u{7}'", "ERROR \"there is no node x  \"\n"),
            (
                "HELLO THERE",
                "ERROR \"the commands are ADD NODE, DEL NODE, ADD LINK, DEL LINK, DEL ALL, GET ALL, UPDATE_NAME NODE and GET_NAME NODE\"\n",
            ),
            // "If the node does not already exist, this does NOT cause it to be created."
            ("UPDATE_NAME NODE b B", ""),
        ] {
            assert_eq!(one.command(line), answer, "{line}");
        }
        assert_eq!(one, sketch(&["ADD NODE a A auto -"]));
    }

    #[test]
    fn what_a_program_may_draw_is_bounded() {
        let mut full = Sketch::default();
        for id in 0..Sketch::NODES {
            assert_eq!(full.command(&format!("ADD NODE {id} n auto -")), "");
        }
        assert_eq!(
            full.command("ADD NODE more n auto -"),
            "ERROR \"there may be 2000 nodes\"\n"
        );
        assert_eq!(full.command("ADD NODE 7 renamed auto -"), "");
        for number in 0..Sketch::LINKS {
            let (from, to) = (number / 1000, number % 1000);
            assert_eq!(full.command(&format!("ADD LINK {from} {to}")), "");
        }
        assert_eq!(
            full.command("ADD LINK 1999 1999"),
            "ERROR \"there may be 8000 links\"\n"
        );
    }
}
