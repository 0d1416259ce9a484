//! The command line of a program: read, or the program ends with a line that says what is wrong.

use std::io::{self, Write};
use std::process;

use clap::{Command, Parser};

/// Reads the options of a program. Ends the program if it is asked for help, with status 2 and a
/// line on stderr if something is wrong, and with status 1 if nobody could see what it writes,
/// because standard output or standard error is closed. Built for packages, it also answers
/// `--generate`.
///
/// # Examples
///
/// ```no_run
/// use clap::Parser;
///
/// #[derive(Parser)]
/// struct Options {
///     /// Report each step
///     #[arg(short, long)]
///     verbose: bool,
/// }
///
/// let options: Options = kamea_recipes::parse();
/// # let _ = options.verbose;
/// ```
#[must_use]
pub fn parse<O: Parser>() -> O {
    parse_with(O::command(), O::try_parse)
}

/// The same with a function that reads the options, for a program that changes their `definition`.
#[must_use]
pub fn parse_with<O>(definition: Command, read: impl FnOnce() -> Result<O, clap::Error>) -> O {
    if let Err(closed) = kamea::check_standard_streams() {
        end(&format!("error: {closed}"), 1);
    }
    answer_generate(definition);
    read().unwrap_or_else(|error| match error.use_stderr() {
        true => end(&wrong_usage(&error), 2),
        false => error.exit(),
    })
}

#[cfg(feature = "packaging")]
fn answer_generate(definition: Command) {
    match crate::packaging::generated(definition) {
        Ok(false) => {}
        Ok(true) => process::exit(0),
        Err(error) => end(&format!("error: {error}"), 2),
    }
}

#[cfg(not(feature = "packaging"))]
fn answer_generate(_: Command) {}

fn end(line: &str, status: i32) -> ! {
    // If stderr is closed, the status still says it.
    let _ = writeln!(io::stderr(), "{line}");
    process::exit(status)
}

/// The error in a command line, as one line: the text of clap without the usage.
#[must_use]
pub fn wrong_usage(error: &clap::Error) -> String {
    let text = error.to_string();
    let what = text.lines().take_while(|line| !line.is_empty());
    what.map(str::trim).collect::<Vec<_>>().join(" ")
}
