//! The census as a drawing, in the language of Graphviz
//! (<https://graphviz.org/doc/info/lang.html>).

use std::fmt::{self, Write};

use super::{Census, ComponentCensus, FeedCensus, GraphCensus, LinkCensus, State, StateCount};

impl Census {
    /// Returns the census as a drawing in the Graphviz language; `dot -Tsvg` renders it. Each graph
    /// is a frame. Each component is a box with its state. Each link is an arrow with its messages
    /// and the fill of its queue. A component that waits for space is red, and so is the arrow of
    /// the full link.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea::{Graph, Scheduler, Source};
    ///
    /// let mut graph = Graph::new("greeting");
    /// let greet = graph.add("greet", async |io: &mut Source<&'static str>| Ok(io.outbox.send("hello").await?));
    /// let greetings = graph.take(greet.outbox);
    /// let scheduler = Scheduler::with_workers(1);
    /// scheduler.run(graph)?.wait()?;
    /// let drawing = scheduler.census().to_dot();
    /// assert!(drawing.starts_with("digraph census {"));
    /// # drop(greetings);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_dot(&self) -> String {
        Drawing(self).to_string()
    }
}

struct Drawing<'a>(&'a Census);

impl fmt::Display for Drawing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "digraph census {{")?;
        writeln!(f, "  rankdir=LR;")?;
        writeln!(f, "  node [shape=box, fontname=\"sans-serif\"];")?;
        writeln!(f, "  edge [fontname=\"sans-serif\"];")?;
        for (number, graph) in self.0.graphs.iter().enumerate() {
            draw_graph(f, number, graph)?;
        }
        writeln!(f, "}}")
    }
}

fn draw_graph(f: &mut fmt::Formatter<'_>, number: usize, graph: &GraphCensus) -> fmt::Result {
    writeln!(f, "  subgraph cluster_{number} {{")?;
    let label = format!("{}\n{} of {} run", graph.name, graph.running, graph.started);
    writeln!(f, "    label={};", Quoted(&label))?;
    for component in &graph.components {
        draw_component(f, number, component)?;
    }
    for (index, link) in graph.links.iter().enumerate() {
        draw_link(f, number, index, graph, link)?;
    }
    writeln!(f, "  }}")
}

fn draw_component(
    f: &mut fmt::Formatter<'_>,
    graph: usize,
    component: &ComponentCensus,
) -> fmt::Result {
    let mut label = component.name.to_string();
    for StateCount { state, count, .. } in &component.states {
        write!(label, "\n{count} {state}")?;
    }
    let is_blocked = |known: &StateCount| matches!(known.state, State::WaitingForSpace { .. });
    let color = if component.states.iter().any(is_blocked) {
        ", color=red"
    } else {
        ""
    };
    let style = match component {
        component if component.own_thread => ", peripheries=2",
        component if component.is_fused => ", style=rounded",
        _ => "",
    };
    let node = node(graph, &component.name);
    writeln!(
        f,
        "    {} [label={}, tooltip={}{color}{style}];",
        Quoted(&node),
        Quoted(&label),
        Quoted(&format!(
            "{} {}:{}",
            component.kind, component.file, component.line
        )),
    )
}

fn draw_link(
    f: &mut fmt::Formatter<'_>,
    number: usize,
    index: usize,
    graph: &GraphCensus,
    link: &LinkCensus,
) -> fmt::Result {
    let outside = format!("{number}.{index} outside");
    let end = |component: Option<&str>| {
        component.map_or_else(|| outside.clone(), |name| node(number, name))
    };
    let to = end(link.to.as_deref());
    if link.to.is_none()
        || link.from.iter().any(|feed| feed.component.is_none())
        || link.from.is_empty()
    {
        writeln!(f, "    {} [shape=point];", Quoted(&outside))?;
    }
    for feed in &link.from {
        let from = end(feed.component.as_deref());
        let color = if graph.is_jammed(feed) {
            ", color=red"
        } else {
            ""
        };
        let style = if feed.feedback { ", style=dashed" } else { "" };
        draw_arrow(
            f,
            [&from, &to],
            feed.messages,
            link,
            &format!("{color}{style}"),
        )?;
    }
    if link.from.is_empty() {
        draw_arrow(f, [&outside, &to], link.messages, link, "")?;
    }
    Ok(())
}

fn draw_arrow(
    f: &mut fmt::Formatter<'_>,
    [from, to]: [&str; 2],
    messages: u64,
    link: &LinkCensus,
    style: &str,
) -> fmt::Result {
    let label = if link.is_fused {
        String::new()
    } else {
        format!("{messages}\n{} queued", link.queued)
    };
    writeln!(
        f,
        "    {} -> {} [label={}, tooltip={}{style}];",
        Quoted(from),
        Quoted(to),
        Quoted(&label),
        Quoted(link.message),
    )
}

impl GraphCensus {
    /// Whether a component waits for space behind this outbox.
    fn is_jammed(&self, feed: &FeedCensus) -> bool {
        let component = |known: &&ComponentCensus| Some(&known.name) == feed.component.as_ref();
        let mut states = self
            .components
            .iter()
            .filter(component)
            .flat_map(|known| &known.states);
        states.any(|known| matches!(&known.state, State::WaitingForSpace { outbox, .. } if *outbox == feed.outbox))
    }
}

/// The state in words.
impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WaitingForSpace {
                blocked_by,
                culprit,
                ..
            } => {
                let by = blocked_by.as_deref().unwrap_or("outside");
                let culprit = culprit.as_deref().unwrap_or("outside");
                write!(f, "blocked by {by}")?;
                if by != culprit {
                    write!(f, ", because of {culprit}")?;
                }
                Ok(())
            }
            Self::Ready => f.write_str("ready"),
            Self::Running => f.write_str("running"),
            Self::WaitingForWorld => f.write_str("waiting for the world"),
            Self::WaitingForMessage { inboxes } => write!(f, "waiting for {}", inboxes.join(", ")),
            Self::Ended => f.write_str("ended"),
        }
    }
}

/// The identifier of a component.
fn node(graph: usize, component: &str) -> String {
    format!("{graph} {component}")
}

/// A string of the language: in it "the only escaped character is double-quote", and labels
/// interpret `\n` and `\\`.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                c if c.is_control() => f.write_char(' ')?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use crate::census::tests::sample;

    /// Splits the text into tokens, as the lexer of the language does: strings without their
    /// quotes, the rest unchanged.
    fn tokens(text: &str) -> Vec<String> {
        let mut tokens = Vec::new();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                c if c.is_whitespace() => {}
                '"' => {
                    let mut string = "\"".to_owned();
                    loop {
                        match chars.next().expect("a string ends") {
                            '"' => break,
                            '\\' => {
                                let escaped = chars.next().unwrap();
                                assert!(matches!(escaped, '"' | '\\' | 'n'), "\\{escaped}");
                                string.push(if escaped == 'n' { '\n' } else { escaped });
                            }
                            '\n' => panic!("a line ends in a string"),
                            other => string.push(other),
                        }
                    }
                    tokens.push(string);
                }
                '-' => {
                    assert_eq!(chars.next(), Some('>'));
                    tokens.push("->".to_owned());
                }
                '{' | '}' | '[' | ']' | ';' | ',' | '=' => tokens.push(c.to_string()),
                c => {
                    assert!(c.is_alphanumeric() || c == '_', "{c:?} starts no word");
                    let mut word = c.to_string();
                    while let Some(&c) = chars.peek()
                        && (c.is_alphanumeric() || c == '_')
                    {
                        word.push(c);
                        chars.next();
                    }
                    tokens.push(word);
                }
            }
        }
        tokens
    }

    /// Checks the statements of a graph against the grammar. Returns its nodes and edges.
    fn parse(tokens: &[String]) -> (HashSet<&str>, Vec<(&str, &str)>) {
        let words: Vec<&str> = tokens.iter().map(String::as_str).collect();
        assert_eq!(words[..3], ["digraph", "census", "{"]);
        let (mut nodes, mut edges, mut depth, mut at) = (HashSet::new(), Vec::new(), 1, 3);
        while at < words.len() {
            match words[at..] {
                ["}", ..] => {
                    depth -= 1;
                    at += 1;
                }
                ["subgraph", _, "{", ..] => {
                    depth += 1;
                    at += 3;
                }
                [_, "=", _, ";", ..] => at += 4,
                ["node" | "edge", "[", ..] => at = attributes(&words, at + 1),
                [from, "->", to, "[", ..] => {
                    edges.push((from, to));
                    at = attributes(&words, at + 3);
                }
                [node, "[", ..] => {
                    assert!(nodes.insert(node), "{node} is there twice");
                    at = attributes(&words, at + 1);
                }
                ref other => panic!("no statement: {other:?}"),
            }
        }
        assert_eq!(depth, 0);
        (nodes, edges)
    }

    /// `"[" ID "=" ID { "," ID "=" ID } "]" ";"`. Returns the rest.
    fn attributes(words: &[&str], mut at: usize) -> usize {
        loop {
            assert_eq!(words[at + 2], "=", "{:?}", &words[at..at + 4]);
            match words[at + 4] {
                "," => at += 4,
                "]" => break,
                other => panic!("{other:?} in attributes"),
            }
        }
        assert_eq!(words[at + 5], ";");
        at + 6
    }

    #[test]
    fn the_drawing_keeps_the_grammar_and_names_every_end() {
        let drawing = sample().to_dot();
        let tokens = tokens(&drawing);
        let (nodes, edges) = parse(&tokens);
        assert_eq!(
            nodes.len(),
            4,
            "three components, one end outside: {nodes:?}"
        );
        assert_eq!(edges.len(), 3);
        for (from, to) in edges {
            assert!(nodes.contains(from) && nodes.contains(to), "{from} -> {to}");
        }
        let name = "\"a \"graph\"\nof \\ <two> lines\n2 of 2 run";
        assert!(tokens.iter().any(|token| token == name), "{drawing}");
    }

    #[test]
    fn a_jam_is_red() {
        let drawing = sample().to_dot();
        let red: Vec<_> = drawing
            .lines()
            .filter(|line| line.contains("color=red"))
            .collect();
        let [component, arrow] = red[..] else {
            panic!("{red:?}");
        };
        assert!(
            component.contains("blocked by take, because of \\\"last\\\""),
            "{component}"
        );
        assert!(arrow.contains("\"0 make\" -> \"0 take\""), "{arrow}");
    }
}
