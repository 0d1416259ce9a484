//! `kamea` runs graphs that are written as text.
//!
//! `cargo run --bin kamea -- 'read_file /etc/hosts => console_echoer'`

mod options;

use std::io::{self, ErrorKind, Write as _};
use std::panic;
use std::process::ExitCode;
use std::time::Duration;

use clap::CommandFactory as _;
use kamea::Scheduler;
use kamea_components::inspect::InspectError;
use kamea_components::notation::{Catalogue, Draft, Entry};
use kamea_recipes::{Stamp, log_to_stderr};

use options::{Command, Format, Options, Run, Text};

/// How long accepted messages may take to drain after a signal to stop.
const DRAIN: Duration = Duration::from_secs(5);

/// Why the command failed.
enum Failure {
    /// The input is wrong.
    Usage(String),
    /// The run failed.
    Run(String),
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Run(format!("error: {error}"))
    }
}

fn main() -> ExitCode {
    let options = kamea_recipes::parse();
    match execute(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Usage(text)) => fail(&text, 2),
        Err(Failure::Run(text)) => fail(&text, 1),
    }
}

fn fail(text: &str, status: u8) -> ExitCode {
    let _ = writeln!(io::stderr(), "{text}");
    ExitCode::from(status)
}

fn execute(options: Options) -> Result<(), Failure> {
    match options.command {
        None => run(&options.run),
        Some(Command::Run(options)) => run(&options),
        Some(Command::List) => list(),
        Some(Command::Show { name }) => show(&name),
        Some(Command::Draw { text, format }) => {
            let draft = check(&text)?.draft;
            match format {
                Format::Svg => say(&draft.to_svg()),
                Format::Dot => say(&draft.to_dot()),
            }
        }
    }
}

/// The graph of a text, after its check.
struct Checked {
    draft: Draft,
    text: String,
    /// The file that contains the text, if there is one.
    origin: String,
}

fn check(text: &Text) -> Result<Checked, Failure> {
    let wrong = |line| Failure::Usage(format!("error: {line}"));
    let (text, origin) = text.read().map_err(wrong)?;
    let draft = Catalogue::shipped().read(&text);
    let draft = draft.map_err(|mistake| {
        let shown = mistake.show(&origin, &text);
        let hint = near_command(&text).filter(|_| origin.is_empty());
        let hint = hint.map(|name| format!("\n    the command `kamea {name}` is near it"));
        Failure::Usage(shown + &hint.unwrap_or_default())
    })?;
    Ok(Checked {
        draft,
        text,
        origin,
    })
}

/// The most similar command, if the text is one word.
fn near_command(text: &str) -> Option<String> {
    let command = Options::command();
    let names = command.get_subcommands().map(|command| command.get_name());
    let similarity = |name: &str| strsim::jaro_winkler(name, text.trim());
    let nearest = names.max_by(|a, b| similarity(a).total_cmp(&similarity(b)))?;
    (similarity(nearest) > 0.8).then(|| nearest.to_owned())
}

fn run(options: &Run) -> Result<(), Failure> {
    let Checked {
        draft,
        text,
        origin,
    } = check(&options.text)?;
    if options.check {
        return say(&draft.to_string());
    }
    log_to_stderr(options.verbose, Stamp::Nothing)?;
    let name = if origin.is_empty() { "kamea" } else { &origin };
    let graph = draft.into_graph(name);
    let graph = graph.map_err(|mistake| Failure::Run(mistake.show(&origin, &text)))?;
    // A panic is reported as a fault. Its location is only for debugging.
    panic::set_hook(Box::new(|panic| log::debug!("{panic}")));
    let scheduler = match options.workers {
        None => Scheduler::new(),
        Some(count) => Scheduler::with_workers(count.get().into()),
    };
    let inspecting = options.inspect.run(&scheduler, None);
    let _inspecting = inspecting.map_err(|error| match error {
        InspectError::Access(_) | InspectError::PublicTopologies(_) => {
            Failure::Usage(format!("error: {error}"))
        }
        error => error.into(),
    })?;
    let running = scheduler.run(graph)?;
    let mut outcome = Ok(());
    let finished = async { outcome = running.finished().await };
    let stopped = scheduler.until_ctrl_c_or(finished, DRAIN);
    outcome?;
    Ok(stopped?)
}

fn list() -> Result<(), Failure> {
    let entries = || Catalogue::shipped().iter();
    let width = entries().map(|entry| entry.name().len()).max().unwrap_or(0);
    let line = |entry: &Entry| format!("{:width$}  {}\n", entry.name(), entry.summary());
    let (ours, of_programs): (Vec<_>, Vec<_>) =
        entries().partition(|entry| entry.needs().is_none());
    let lines = ours.into_iter().map(line).collect::<String>();
    let others = of_programs.into_iter().map(line).collect::<String>();
    say(&format!(
        "{lines}\nOnly a program can make these:\n\n{others}"
    ))
}

fn show(name: &str) -> Result<(), Failure> {
    let catalogue = Catalogue::shipped();
    if let Some(entry) = catalogue.find(name) {
        return say(&entry.to_string());
    }
    let near = match &catalogue.near(name)[..] {
        [] => "kamea list has all of them".to_owned(),
        near => format!("near it: {}", near.join(", ")),
    };
    let unknown = format!("error: there is no component `{name}`; {near}");
    Err(Failure::Usage(unknown))
}

/// Writes to the standard output. Its reader may close it early.
fn say(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}
