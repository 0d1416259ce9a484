//! Rows, medians, targets, and the table of them.

use std::fmt;

/// The results of one contender in one row, over all rounds.
#[derive(Debug, Default)]
pub(crate) struct Figure {
    pub(crate) of: &'static str,
    pub(crate) rounds: Vec<f64>,
}

impl Figure {
    pub(crate) fn new(of: &'static str) -> Self {
        Self {
            of,
            rounds: Vec::new(),
        }
    }

    /// The median of the rounds. For an even number of rounds, it is the lower of the two in the
    /// middle.
    pub(crate) fn median(&self) -> f64 {
        let mut sorted = self.rounds.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
            .get(sorted.len().saturating_sub(1) / 2)
            .copied()
            .unwrap_or(f64::NAN)
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let least = self.rounds.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self
            .rounds
            .iter()
            .copied()
            .fold(f64::NEG_INFINITY, f64::max);
        write!(f, "{:.2} ({least:.2} to {most:.2})", self.median())
    }
}

/// The target of a row.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    /// At most this value, in the row's unit.
    Most(f64),
    /// At most this many times the figure of this peer.
    MostOf(f64, &'static str),
    /// At most this much more than the figure of this peer, in the row's unit.
    MostAbove(f64, &'static str),
    /// At least this many times the figure of this peer.
    LeastOf(f64, &'static str),
    /// At most this many times the smallest figure of the peers.
    MostOfLeast(f64),
}

/// A row: the first figure is Kamea's, the others are those of its peers.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) what: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) figures: Vec<Figure>,
    pub(crate) targets: Vec<Target>,
}

impl Row {
    /// The value that a target refers to, its text, and whether it was reached.
    fn verdict(&self, target: Target) -> (String, String, bool) {
        let kamea = self.figures.first().map_or(f64::NAN, Figure::median);
        let of = |peer| {
            let figure = self.figures.iter().find(|figure| figure.of == peer);
            figure.map_or(f64::NAN, Figure::median)
        };
        let ratio = |peer| kamea / of(peer);
        match target {
            Target::Most(limit) => (
                format!("{kamea:.2}"),
                format!("at most {limit} {}", self.unit),
                kamea <= limit,
            ),
            Target::MostOf(limit, peer) => (
                format!("{:.2} of {peer}", ratio(peer)),
                format!("at most {limit} of {peer}"),
                ratio(peer) <= limit,
            ),
            Target::MostAbove(limit, peer) => (
                format!("{:+.2} to {peer}", kamea - of(peer)),
                format!("at most {limit} {} more than {peer}", self.unit),
                kamea - of(peer) <= limit,
            ),
            Target::MostOfLeast(limit) => {
                let (peer, ratio) = self.figures[1..]
                    .iter()
                    .map(|figure| (figure.of, kamea / figure.median()))
                    .max_by(|a, b| a.1.total_cmp(&b.1))
                    .unwrap_or(("nobody", f64::NAN));
                (
                    format!("{ratio:.2} of {peer}"),
                    format!("at most {limit:.2} of the least"),
                    ratio <= limit,
                )
            }
            Target::LeastOf(limit, peer) => (
                format!("{:.2} of {peer}", ratio(peer)),
                format!("at least {limit} of {peer}"),
                ratio(peer) >= limit,
            ),
        }
    }
}

/// Writes the rows as a Markdown table with aligned columns.
pub(crate) fn markdown(rows: &[Row]) -> String {
    let mut lines =
        vec![["what", "Kamea", "peers", "ratio", "target", "verdict"].map(String::from)];
    for row in rows {
        let peers: Vec<_> = row
            .figures
            .iter()
            .skip(1)
            .map(|figure| format!("{} {figure}", figure.of))
            .collect();
        let kamea = row
            .figures
            .first()
            .map(Figure::to_string)
            .unwrap_or_default();
        for (index, target) in row.targets.iter().enumerate() {
            let (ratio, target, reached) = row.verdict(*target);
            let verdict = if reached { "reached" } else { "MISSED" };
            let [what, kamea, peers] = if index == 0 {
                [
                    format!("{}, {}", row.what, row.unit),
                    kamea.clone(),
                    peers.join(", "),
                ]
            } else {
                Default::default()
            };
            lines.push([what, kamea, peers, ratio, target, verdict.to_owned()]);
        }
    }
    align(&lines)
}

fn align(lines: &[[String; 6]]) -> String {
    let widths: [usize; 6] = std::array::from_fn(|column| {
        lines
            .iter()
            .map(|line| line[column].chars().count())
            .max()
            .unwrap_or(0)
    });
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        for (cell, width) in line.iter().zip(widths) {
            text.push_str(&format!("| {cell:width$} "));
        }
        text.push_str("|\n");
        if index == 0 {
            for width in widths {
                text.push_str(&format!("|{}", "-".repeat(width + 2)));
            }
            text.push_str("|\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(kamea: f64, targets: Vec<Target>) -> Row {
        let figure = |of, rounds| Figure { of, rounds };
        let figures = vec![
            figure("Kamea", vec![9.0, kamea, 0.0]),
            figure("nginx", vec![2.0]),
        ];
        Row {
            what: "what",
            unit: "us",
            figures,
            targets,
        }
    }

    #[test]
    fn a_target_is_reached_at_its_limit_and_missed_beyond_it() {
        for (target, reached, missed) in [
            (Target::Most(3.0), 3.0, 3.1),
            (Target::MostOf(1.5, "nginx"), 3.0, 3.1),
            (Target::LeastOf(1.5, "nginx"), 3.0, 2.9),
            (Target::MostAbove(1.0, "nginx"), 3.0, 3.1),
            (Target::MostOf(1.5, "nobody"), f64::NAN, 1.0),
            (Target::MostOfLeast(1.5), 3.0, 3.1),
        ] {
            let verdict = |kamea| row(kamea, Vec::new()).verdict(target).2;
            assert_eq!(verdict(reached), !reached.is_nan(), "{target:?}");
            assert!(!verdict(missed), "{target:?}");
        }
    }

    #[test]
    fn the_table_has_a_line_for_each_target() {
        let text = markdown(&[row(
            3.0,
            vec![Target::Most(3.0), Target::MostOf(1.0, "nginx")],
        )]);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 4);
        assert!(lines[2].contains("3.00 (0.00 to 9.00)") && lines[2].ends_with("| reached |"));
        assert!(lines[3].contains("1.50 of nginx") && lines[3].ends_with("| MISSED  |"));
    }
}
