//! The command line of `kamea`.

use std::fs;
use std::num::NonZeroU16;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use kamea_recipes::{InspectOptions, whole};

/// Run a graph of components that is written as text: kamea 'read_file access.log => lines =>
/// filter POST => console_echoer'
#[derive(Debug, Parser)]
#[command(name = "kamea", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) run: Run,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a graph; the default command
    Run(Run),
    /// List the components
    List,
    /// Show a component: usage, options, ports and their types
    Show {
        /// Its name, such as read_file
        name: String,
    },
    /// Draw a graph
    Draw {
        #[command(flatten)]
        text: Text,
        /// The format
        #[arg(long = "as", value_name = "FORMAT", default_value = "svg")]
        format: Format,
    },
}

/// How to run a graph.
#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) text: Text,
    /// Check the graph, print its links, and run nothing
    #[arg(long)]
    pub(crate) check: bool,
    /// Report each step on stderr
    #[arg(short, long)]
    pub(crate) verbose: bool,
    /// Number of worker threads [default: one per core]
    #[arg(long, value_name = "N", value_parser = whole::<NonZeroU16>)]
    pub(crate) workers: Option<NonZeroU16>,
    #[command(flatten)]
    pub(crate) inspect: InspectOptions,
}

/// The text that describes a graph.
#[derive(Debug, Args)]
#[group(required = false, multiple = false)]
pub(crate) struct Text {
    /// The graph, such as 'read_file access.log => lines => counter => console_echoer'
    #[arg(value_name = "GRAPH")]
    text: Option<String>,
    /// A file that describes the graph
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// The format of a drawn graph.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Format {
    /// A picture for browsers
    Svg,
    /// A text for Graphviz
    Dot,
}

impl Text {
    /// Returns the text and the name of its file; the name is empty for the command line.
    ///
    /// # Errors
    ///
    /// A line that names the missing or unreadable text.
    pub(crate) fn read(&self) -> Result<(String, String), String> {
        match (&self.text, &self.file) {
            (Some(text), _) => Ok((text.clone(), String::new())),
            (None, Some(file)) => {
                let origin = file.display().to_string();
                let text = fs::read_to_string(file);
                let text = text.map_err(|error| format!("cannot read {origin}: {error}"))?;
                Ok((text, origin))
            }
            (None, None) => Err(
                "there is no graph: name it, as in kamea 'read_file access.log => console_echoer', or a file of it (-f)".to_owned(),
            ),
        }
    }
}
