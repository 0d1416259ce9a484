//! All that is known of a component, in words: for `kamea show`.

use std::fmt;

use kamea::{Direction, MessageType, PortInfo};

use super::entry::{Entry, Form};
use super::parameter::Count;
use super::source::plain;

/// How it is written, what it does, its options, its ports and where its source is.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n\n{}", self.usage(), self.source.doc())?;
        if let Some(needs) = self.needs {
            writeln!(f, "\nOnly a program can make it: it needs {needs}.")?;
        }
        self.fmt_options(f)?;
        self.fmt_ports(f)?;
        let (function, file) = self.source();
        writeln!(f, "\n{function} in components/{file}")
    }
}

impl Entry {
    fn fmt_options(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let written = self
            .parameters()
            .iter()
            .filter(|known| known.count != Count::Shared);
        let rows = written.map(|parameter| {
            let doc = match parameter.default {
                Some(default) => format!("{} [default: {default}]", parameter.doc),
                None => parameter.doc.clone(),
            };
            [parameter.name.to_owned(), parameter.kind.to_owned(), doc]
        });
        table(f, "options", &rows.collect::<Vec<_>>())
    }

    fn fmt_ports(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.forms[0].ports.iter().map(|port| {
            let arrow = match port.direction {
                Direction::Inbox => "──▶",
                Direction::Outbox => "◀──",
            };
            let need = if port.optional {
                " (may be left unlinked)"
            } else {
                ""
            };
            let doc = format!("{}{need}", plain(port.doc));
            [format!("{arrow} {}", port.name), self.message(port), doc]
        });
        table(f, "ports", &rows.collect::<Vec<_>>())?;
        if self.forms.len() < 2 {
            return Ok(());
        }
        let types = self.forms.iter().map(|form| form.message.short_name());
        writeln!(f, "\nT is one of: {}", types.collect::<Vec<_>>().join(", "))
    }

    /// What travels through a port: with `T`, if that is in what the forms differ.
    fn message(&self, port: &PortInfo) -> String {
        let ports = self.forms.iter().filter_map(|form| {
            let known = form.ports.iter().find(|known| known.name == port.name);
            known.map(|known| (form, known.message))
        });
        let ports: Vec<(&Form, MessageType)> = ports.collect();
        if ports.iter().all(|(_, message)| *message == port.message) {
            return port.message.short_name();
        }
        let pattern = |(form, message): &(&Form, MessageType)| {
            message
                .short_name()
                .replace(&form.message.short_name(), "T")
        };
        let mut patterns: Vec<_> = ports.iter().map(pattern).collect();
        patterns.sort();
        patterns.dedup();
        patterns.join(" | ")
    }
}

fn table(f: &mut fmt::Formatter<'_>, title: &str, rows: &[[String; 3]]) -> fmt::Result {
    if rows.is_empty() {
        return Ok(());
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let (first, second) = (width(0).unwrap_or(0), width(1).unwrap_or(0));
    writeln!(f, "\n{title}")?;
    for [name, kind, doc] in rows {
        let row = format!("  {name:first$}  {kind:second$}  {doc}");
        writeln!(f, "{}", row.trim_end())?;
    }
    Ok(())
}
