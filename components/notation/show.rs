//! Describes a component in words: for `kamea show`.

use std::fmt;

use kamea::{Direction, MessageType, PortInfo};

use super::entry::{Entry, Form};
use super::parameter::Count;
use super::source::plain;

/// Its syntax, its purpose, its options, its ports and the path of its source.
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
        let messages: Vec<_> = self.forms[0]
            .ports
            .iter()
            .map(|port| self.message(port))
            .collect();
        let rows = self.forms[0]
            .ports
            .iter()
            .zip(&messages)
            .map(|(port, (message, _))| {
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
                [format!("{arrow} {}", port.name), message.clone(), doc]
            });
        table(f, "ports", &rows.collect::<Vec<_>>())?;
        if !messages.iter().any(|(_, is_of_t)| *is_of_t) {
            return Ok(());
        }
        let types = self.forms.iter().map(|form| form.message.short_name());
        writeln!(f, "\nT is one of: {}", types.collect::<Vec<_>>().join(", "))
    }

    /// Returns the message type of a port, and whether it contains `T`: if the forms differ only in
    /// that.
    fn message(&self, port: &PortInfo) -> (String, bool) {
        let ports = self.forms.iter().filter_map(|form| {
            let known = form.ports.iter().find(|known| known.name == port.name);
            known.map(|known| (form, known.message))
        });
        let ports: Vec<(&Form, MessageType)> = ports.collect();
        if ports.iter().all(|(_, message)| *message == port.message) {
            return (port.message.short_name(), false);
        }
        let pattern = |(form, message): &(&Form, MessageType)| {
            message
                .short_name()
                .replace(&form.message.short_name(), "T")
        };
        let mut patterns = ports.iter().map(pattern);
        let first = patterns.next().unwrap_or_default();
        if patterns.all(|pattern| pattern == first) {
            return (first, true);
        }
        let mut names: Vec<_> = ports
            .iter()
            .map(|(_, message)| message.short_name())
            .collect();
        names.sort();
        names.dedup();
        (names.join(" | "), false)
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
