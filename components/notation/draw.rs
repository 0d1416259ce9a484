//! Shows a draft as words, as DOT and as a picture.

mod picture;

use std::fmt::{self, Write as _};

use super::draft::{Draft, End, Node};
use kamea::{Direction, PortInfo};
use picture::{Link, Picture};

/// A link as it is drawn: from one port to one port.
struct Edge<'d> {
    from: (usize, &'d PortInfo),
    to: (usize, &'d PortInfo),
    feedback: bool,
}

impl Draft {
    /// Returns the graph in the language of Graphviz.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_components::notation::Catalogue;
    ///
    /// let draft = Catalogue::shipped().read("read_file a => console_echoer")?;
    /// assert_eq!(draft.to_dot(), "\
    /// digraph {
    ///   rankdir=LR
    ///   node [shape=box]
    ///   n0 [label=\"read_file a\"]
    ///   n1 [label=\"console_echoer\"]
    ///   n0 -> n1 [label=\"Bytes\"]
    /// }
    /// ");
    /// # Ok::<(), kamea_components::notation::Mistake>(())
    /// ```
    #[must_use]
    pub fn to_dot(&self) -> String {
        let mut dot = "digraph {\n  rankdir=LR\n  node [shape=box]\n".to_owned();
        for (index, node) in self.nodes.iter().enumerate() {
            // Writing to a text cannot fail.
            let _ = writeln!(dot, "  n{index} [label={}]", quoted(&label(node)));
        }
        for edge in self.edges() {
            let style = if edge.feedback { " style=dashed" } else { "" };
            let (from, to, text) = (edge.from.0, edge.to.0, quoted(&edge.label()));
            let _ = writeln!(dot, "  n{from} -> n{to} [label={text}{style}]");
        }
        dot + "}\n"
    }

    /// Returns the graph as a picture.
    #[must_use]
    pub fn to_svg(&self) -> String {
        let link = |edge: Edge<'_>| Link {
            from: edge.from.0,
            to: edge.to.0,
            text: edge.label(),
            back: edge.feedback,
        };
        let picture = Picture {
            boxes: self.nodes.iter().map(label).collect(),
            links: self.edges().into_iter().map(link).collect(),
        };
        picture.to_svg()
    }

    fn edges(&self) -> Vec<Edge<'_>> {
        let port = |end: &End, direction| {
            let form = self.nodes[end.node].form();
            let index = end.find(form, direction);
            index.map(|index| (end.node, &form.ports[index]))
        };
        let edges = self.links.iter().flat_map(|link| {
            link.from.iter().filter_map(move |from| {
                Some(Edge {
                    from: port(from, Direction::Outbox)?,
                    to: port(&link.to, Direction::Inbox)?,
                    feedback: link.feedback,
                })
            })
        });
        edges.collect()
    }
}

impl Edge<'_> {
    /// The message type, and the port that it comes from if that is not the default one.
    fn label(&self) -> String {
        let (_, port) = self.from;
        let message = port.message.short_name();
        match port.name {
            "outbox" => message,
            name => format!("{name}: {message}"),
        }
    }
}

/// The links, one in each line: `parser.requests ──▶ router.requests`; feedback as `╌╌▶`.
impl fmt::Display for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name =
            |(node, port): (usize, &PortInfo)| format!("{}.{}", self.nodes[node].name, port.name);
        let edges = self.edges();
        let width = edges
            .iter()
            .map(|edge| name(edge.from).chars().count())
            .max();
        for edge in &edges {
            let arrow = if edge.feedback {
                "╌╌▶"
            } else {
                "──▶"
            };
            let (from, to, width) = (name(edge.from), name(edge.to), width.unwrap_or(0));
            let message = edge.from.1.message.short_name();
            writeln!(f, "{from:width$} {arrow} {to}  {message}")?;
        }
        Ok(())
    }
}

/// Returns a component as it is written in the text, after its name there.
fn label(node: &Node) -> String {
    let is_named = !node.text.starts_with(node.entry.name) || node.name != node.entry.name;
    match is_named && !node.name.starts_with(&format!("{} ", node.entry.name)) {
        true => format!("{} = {}", node.name, node.text),
        false => node.text.clone(),
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
