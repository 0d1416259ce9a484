//! The rows of graphs as text: what `kamea` does with a log of 1 GiB, beside the tool that everybody
//! uses for it.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::links::measure;
use crate::server::program;
use crate::table::{Row, Target};
use crate::{Error, Setting};

/// The size of the log, in bytes.
const LOG: u64 = 1 << 30;

/// A command, and its arguments before the file.
type Tool = (&'static str, &'static [&'static str]);

/// What is done, the line of components behind the file, the tools, and the targets.
const WORK: &[(&str, &str, &[Tool], &[Target])] = &[
    (
        "a log of 1 GiB as text graph, lines counted",
        "lines => counter => console_echoer",
        &[("wc", &["-l"])],
        &[Target::MostOf(3.0, "wc")],
    ),
    (
        "a log of 1 GiB as text graph, one field of each line",
        "lines => field 7 => console_echoer",
        &[("mawk", &["{print $7}"])],
        &[Target::MostOf(1.5, "mawk")],
    ),
    (
        "a log of 1 GiB as text graph, lines with POST",
        "lines => filter POST => console_echoer",
        &[("grep", &["-F", "POST"]), ("rg", &["-F", "POST"])],
        &[Target::MostOf(1.5, "grep"), Target::MostOf(3.0, "rg")],
    ),
    (
        "a log of 1 GiB as text graph, copied",
        "console_echoer",
        &[("cat", &[])],
        &[Target::MostOf(1.2, "cat")],
    ),
];

/// Counts, cuts, filters and copies a log.
pub(crate) fn texts(setting: &Setting) -> Result<Vec<Row>, Error> {
    let log = log(&setting.data)?;
    let kamea = program("kamea")?;
    WORK.iter()
        .map(|&(what, line, tools, targets)| {
            let text = format!("read_file {} => {line}", log.display());
            let mut contenders: Vec<(_, Box<dyn Fn() -> _>)> = Vec::new();
            let kamea = kamea.clone();
            let by_kamea = move || milliseconds(Command::new(&kamea).arg(&text));
            contenders.push(("Kamea", Box::new(by_kamea)));
            for &(tool, arguments) in tools {
                let log = log.clone();
                let by_tool = move || milliseconds(Command::new(tool).args(arguments).arg(&log));
                contenders.push((tool, Box::new(by_tool)));
            }
            Ok(Row {
                what,
                unit: "ms",
                figures: measure(setting, &contenders)?,
                targets: targets.to_vec(),
            })
        })
        .collect()
}

/// How long a command takes whose output is read by nobody but `cat`: tools look whether it is
/// thrown away.
fn milliseconds(command: &mut Command) -> Result<f64, Error> {
    let start = Instant::now();
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let mut output = child.stdout.take().ok_or("no output")?;
    let length = io::copy(&mut output, &mut io::sink())?;
    if !child.wait()?.success() || length == 0 {
        return Err(format!("{command:?} failed").into());
    }
    Ok(start.elapsed().as_secs_f64() * 1e3)
}

/// Writes the log, unless it exists: lines of an access log, of which one in ten is a POST.
fn log(data: &Path) -> Result<PathBuf, Error> {
    fs::create_dir_all(data)?;
    let path = data.join("access.log");
    if fs::metadata(&path).is_ok_and(|known| known.len() >= LOG) {
        return Ok(path);
    }
    let mut file = BufWriter::with_capacity(1 << 20, File::create(&path)?);
    let (mut length, mut number) = (0, 0_u64);
    while length < LOG {
        let method = if number % 10 == 7 { "POST" } else { "GET" };
        let line = format!(
            "192.0.2.{} - - [29/Nov/2026:12:{:02}:{:02} +0000] \"{method} /pages/{number}.html HTTP/1.1\" 200 {}\n",
            number % 251,
            number / 60 % 60,
            number % 60,
            number % 9973,
        );
        file.write_all(line.as_bytes())?;
        length += line.len() as u64;
        number += 1;
    }
    file.flush()?;
    Ok(path)
}
