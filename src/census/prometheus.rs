//! The census in the text format of Prometheus
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>, version 0.0.4).

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use super::{Census, ComponentCensus, GraphCensus, LinkCensus, State};
use crate::graph::Plan;

impl Census {
    /// Returns the census in the text format of Prometheus. Its content type is
    /// `text/plain; version=0.0.4`.
    ///
    /// Graphs of the same name are one entry, and so are their instances. So the number of series
    /// depends only on the number of names in the program.
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
    /// let metrics = scheduler.census().to_prometheus();
    /// assert!(metrics.contains("kamea_link_messages_total{graph=\"greeting\",from=\"greet.outbox\",to=\"(outside)\"} 1\n"));
    /// # drop(greetings);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_prometheus(&self) -> String {
        let mut page = Page::default();
        page.add(&UPTIME, &[], Value::Seconds(self.uptime.as_secs_f64()));
        for worker in &self.workers {
            let index = worker.index.to_string();
            let labels = [("worker", &*index)];
            page.add(&WORKER_UP, &labels, Value::Count(worker.answers.into()));
            if worker.answers {
                page.add(&WORKER_RUNNING, &labels, Value::Count(worker.running));
                page.add(&WORKER_TURNS, &labels, Value::Count(worker.turns));
            }
        }
        for graph in &self.graphs {
            page.add_graph(graph);
        }
        page.to_string()
    }
}

/// A metric, with all its series.
struct Family {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
}

macro_rules! families {
    ($($id:ident $kind:ident $name:literal $help:literal;)*) => {
        $(const $id: Family = Family { name: $name, kind: stringify!($kind), help: $help };)*
    };
}

families! {
    UPTIME gauge "kamea_uptime_seconds" "How long the scheduler has been there.";
    WORKER_UP gauge "kamea_worker_answers" "Whether the worker answered in time.";
    WORKER_RUNNING gauge "kamea_worker_graphs" "Graphs that the worker runs.";
    WORKER_TURNS counter "kamea_worker_turns_total" "How often a graph of the worker was woken up.";
    RUNNING gauge "kamea_graphs" "Graphs that run.";
    STARTED counter "kamea_graphs_started_total" "Graphs that have been started.";
    FAILED counter "kamea_graphs_failed_total" "Graphs that were stopped by a fault.";
    RINGS gauge "kamea_graphs_in_a_ring" "Graphs in which components wait for each other for ever.";
    STATES gauge "kamea_components" "Components of graphs that run, by what they do.";
    POLLS counter "kamea_component_polls_total" "How often the component was polled.";
    BUSY counter "kamea_component_busy_seconds_total" "How long the component was busy, estimated.";
    FAULTS counter "kamea_component_faults_total" "How often the component failed.";
    RESTARTS counter "kamea_component_restarts_total" "How often the component was started again.";
    MESSAGES counter "kamea_link_messages_total" "Messages from this outbox.";
    BYTES counter "kamea_link_bytes_total" "Bytes that went into the inbox, where they are measured.";
    QUEUED gauge "kamea_link_queued" "Messages that wait at the inbox.";
    CAPACITY gauge "kamea_link_capacity" "Messages that may wait at the inbox.";
    HIGH_WATER gauge "kamea_link_high_water" "The most messages that ever waited at one inbox.";
}

/// The series of a page, by their metrics: all lines of a metric "must be provided as one single
/// group".
#[derive(Default)]
struct Page {
    families: Vec<(&'static Family, BTreeMap<String, Value>)>,
}

#[derive(Clone, Copy)]
enum Value {
    Count(u64),
    Most(u64),
    Seconds(f64),
}

impl Page {
    /// Adds to a series, which graphs of the same name have in common.
    fn add(&mut self, family: &'static Family, labels: &[(&str, &str)], value: Value) {
        let known = self
            .families
            .iter()
            .position(|(known, _)| known.name == family.name);
        let index = known.unwrap_or_else(|| {
            self.families.push((family, BTreeMap::new()));
            self.families.len() - 1
        });
        let series = &mut self.families[index].1;
        match series.entry(labelled(labels)) {
            std::collections::btree_map::Entry::Vacant(new) => {
                new.insert(value);
            }
            std::collections::btree_map::Entry::Occupied(mut sum) => {
                let sum = sum.get_mut();
                *sum = sum.with(value);
            }
        }
    }

    fn add_graph(&mut self, graph: &GraphCensus) {
        let labels = [("graph", &*graph.name)];
        self.add(&RUNNING, &labels, Value::Count(graph.running));
        self.add(&STARTED, &labels, Value::Count(graph.started));
        self.add(&FAILED, &labels, Value::Count(graph.failed));
        let in_ring = graph.rings.iter().map(|ring| ring.count).sum();
        self.add(&RINGS, &labels, Value::Count(in_ring));
        for component in &graph.components {
            self.add_component(&graph.name, component);
        }
        for link in &graph.links {
            self.add_link(graph, link);
        }
    }

    fn add_component(&mut self, graph: &str, component: &ComponentCensus) {
        if component.is_fused {
            return;
        }
        let labels = [("graph", graph), ("component", &*component.name)];
        for count in &component.states {
            let [graph, component] = labels;
            let labels = [graph, component, ("state", count.state.name())];
            self.add(&STATES, &labels, Value::Count(count.count));
        }
        let busy = component.busy.as_secs_f64();
        self.add(&POLLS, &labels, Value::Count(component.polls));
        self.add(&BUSY, &labels, Value::Seconds(busy));
        self.add(&FAULTS, &labels, Value::Count(component.faults));
        self.add(&RESTARTS, &labels, Value::Count(component.restarts));
    }

    fn add_link(&mut self, graph: &GraphCensus, link: &LinkCensus) {
        if link.is_fused {
            return;
        }
        let (name, to) = (("graph", &*graph.name), link.to_label());
        for feed in &link.from {
            let from = feed.label();
            let labels = [name, ("from", &*from), ("to", &*to)];
            self.add(&MESSAGES, &labels, Value::Count(feed.messages));
        }
        if link.from.is_empty() {
            let labels = [name, ("from", Plan::OUTSIDE), ("to", &*to)];
            self.add(&MESSAGES, &labels, Value::Count(link.messages));
        }
        let from = link.from_label();
        let labels = [name, ("from", &*from), ("to", &*to)];
        if let Some(bytes) = link.bytes {
            self.add(&BYTES, &labels, Value::Count(bytes));
        }
        let capacity = link.capacity as u64 * graph.running;
        self.add(&QUEUED, &labels, Value::Count(link.queued));
        self.add(&CAPACITY, &labels, Value::Count(capacity));
        self.add(&HIGH_WATER, &labels, Value::Most(link.high_water));
    }
}

impl Value {
    fn with(self, other: Self) -> Self {
        match (self, other) {
            (Self::Count(a), Self::Count(b)) => Self::Count(a + b),
            (Self::Most(a), Self::Most(b)) => Self::Most(a.max(b)),
            (Self::Seconds(a), Self::Seconds(b)) => Self::Seconds(a + b),
            (_, other) => other,
        }
    }
}

impl State {
    /// Its name, as in JSON.
    fn name(&self) -> &'static str {
        match self {
            Self::WaitingForSpace { .. } => "waiting_for_space",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::WaitingForWorld => "waiting_for_world",
            Self::WaitingForMessage { .. } => "waiting_for_message",
            Self::Ended => "ended",
        }
    }
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (family, series) in &self.families {
            writeln!(f, "# HELP {} {}", family.name, family.help)?;
            writeln!(f, "# TYPE {} {}", family.name, family.kind)?;
            for (labels, value) in series {
                match value {
                    Value::Count(value) | Value::Most(value) => {
                        writeln!(f, "{}{labels} {value}", family.name)?
                    }
                    Value::Seconds(value) => writeln!(f, "{}{labels} {value}", family.name)?,
                }
            }
        }
        Ok(())
    }
}

/// Labels as they stand behind a name: "backslash, double-quote, and line feed characters [are]
/// escaped as `\\`, `\"`, and `\n`".
fn labelled(labels: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (number, (name, value)) in labels.iter().enumerate() {
        let value = value
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\n', "\\n");
        let before = if number == 0 { '{' } else { ',' };
        // Writing into a string does not fail.
        let _ = write!(text, "{before}{name}=\"{value}\"");
    }
    if !labels.is_empty() {
        text.push('}');
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::Duration;

    use crate::census::tests::sample;

    #[derive(Debug, PartialEq)]
    struct Series<'a> {
        name: &'a str,
        labels: Vec<(&'a str, String)>,
        value: f64,
    }

    /// Parses a line of the format: `metric_name ["{" label_name "=" `"` label_value `"` { "," ...
    /// } "}"] value`.
    fn parse(line: &str) -> Series<'_> {
        let end = line.find(['{', ' ']).unwrap();
        let (name, mut rest) = line.split_at(end);
        let mut labels = Vec::new();
        if let Some(inside) = rest.strip_prefix('{') {
            rest = inside;
            loop {
                let (label, value) = rest.split_once("=\"").unwrap();
                assert!(
                    label
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b == b'_')
                );
                let mut unescaped = String::new();
                let mut chars = value.char_indices();
                let end = loop {
                    match chars.next().unwrap() {
                        (_, '\\') => unescaped.push(match chars.next().unwrap().1 {
                            'n' => '\n',
                            escaped @ ('\\' | '"') => escaped,
                            other => panic!("\\{other} is no escape"),
                        }),
                        (end, '"') => break end,
                        (_, other) => unescaped.push(other),
                    }
                };
                labels.push((label, unescaped));
                rest = &value[end + 1..];
                match rest.strip_prefix(',') {
                    Some(more) => rest = more,
                    None => break,
                }
            }
            rest = rest.strip_prefix('}').unwrap();
        }
        Series {
            name,
            labels,
            value: rest.strip_prefix(' ').unwrap().parse().unwrap(),
        }
    }

    #[test]
    fn the_page_keeps_the_rules_of_the_format() {
        let page = sample().to_prometheus();
        // "Each line [is] separated by a line feed character (`\n`). The last line must end with a
        // line feed character."
        assert!(page.ends_with('\n') && !page.contains("\n\n"));
        let (mut typed, mut helped, mut seen) = (Vec::new(), HashSet::new(), HashSet::new());
        for line in page.lines() {
            if let Some(comment) = line.strip_prefix("# ") {
                let (keyword, rest) = comment.split_once(' ').unwrap();
                let (name, text) = rest.split_once(' ').unwrap();
                match keyword {
                    // "Only one HELP line may exist for any given metric name."
                    "HELP" => assert!(helped.insert(name), "{name} is helped twice"),
                    "TYPE" => {
                        // "Only one TYPE line may exist for a given metric name. The TYPE line for
                        // a metric name must appear before the first sample is reported for that
                        // metric name."
                        assert!(!typed.contains(&name), "{name} is typed twice");
                        assert!(["counter", "gauge"].contains(&text));
                        assert_eq!(name.ends_with("_total"), text == "counter", "{name}");
                        typed.push(name);
                    }
                    other => panic!("{other} is no keyword"),
                }
                continue;
            }
            let series = parse(line);
            // "All lines for a given metric must be provided as one single group."
            assert_eq!(typed.last(), Some(&series.name), "{line}");
            let key = line.rsplit_once(' ').unwrap().0;
            // "Each line must have a unique combination of a metric name and labels."
            assert!(seen.insert(key), "{line} is there twice");
            assert!(series.value >= 0.0);
        }
        assert_eq!(typed.len(), 18, "{typed:?}");
    }

    #[test]
    fn labels_are_escaped_and_come_back() {
        let page = sample().to_prometheus();
        let line = page
            .lines()
            .find(|line| line.starts_with("kamea_graphs{"))
            .unwrap();
        assert_eq!(
            parse(line),
            Series {
                name: "kamea_graphs",
                labels: vec![("graph", "a \"graph\"\nof \\ <two> lines".to_owned())],
                value: 2.0,
            }
        );
    }

    #[test]
    fn graphs_of_the_same_name_are_summed_up() {
        let mut census = sample();
        let mut other = census.graphs[0].clone();
        other.shape = "1".repeat(16);
        other.links[0].high_water = 3;
        other.components[0].busy = Duration::from_millis(250);
        census.graphs.push(other);
        let page = census.to_prometheus();
        let value = |name: &str, label: &str| {
            let mut lines = page.lines();
            let line = lines.find(|line| line.starts_with(name) && line.contains(label));
            parse(line.unwrap()).value
        };
        let (link, component) = ("from=\"make.out\"", "component=\"make\"");
        assert_eq!(value("kamea_graphs{", "graph="), 4.0);
        assert_eq!(value("kamea_link_messages_total{", link), 20.0);
        assert_eq!(value("kamea_link_high_water{", link), 5.0, "the higher one");
        assert_eq!(
            value("kamea_component_busy_seconds_total{", component),
            0.75
        );
    }
}
