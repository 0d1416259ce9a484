//! The site that all servers serve, and the expected answers.

use std::fs::{self, File, Permissions};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::experiment::Experiment;
use super::plan::Plan;

/// The number of files in the listed directory.
const LISTED: usize = 100;

/// The length of the block that files repeat, in bytes.
const BLOCK: usize = 1 << 16;

/// The expected body of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    /// A body that contains each of these texts.
    With(Vec<String>),
    /// A body of this many bytes, with these first bytes.
    Long { first: Vec<u8>, length: u64 },
}

/// The path that an experiment requests.
pub(crate) fn path(experiment: Experiment) -> &'static str {
    match experiment {
        Experiment::Listing => "/listed/",
        Experiment::Cgi => "/cgi-bin/hello",
        Experiment::File | Experiment::Kilobyte => "/1kb.txt",
        Experiment::Megabyte => "/1mb.bin",
        Experiment::Gigabyte => "/1gb.bin",
    }
}

/// The size of the body in bytes, if it is the same for each server.
pub(crate) fn length(experiment: Experiment, seed: u64, is_quick: bool) -> Option<u64> {
    Some(match (experiment, is_quick) {
        (Experiment::Listing, _) => return None,
        (Experiment::Cgi, _) => hello(seed).len() as u64,
        (Experiment::File | Experiment::Kilobyte, _) => 1 << 10,
        (Experiment::Megabyte, true) => 1 << 17,
        (Experiment::Megabyte, false) | (Experiment::Gigabyte, true) => 1 << 20,
        (Experiment::Gigabyte, false) => 1 << 30,
    })
}

/// The expected answer to an experiment's request. A server of another run answers differently.
pub(crate) fn content(experiment: Experiment, plan: &Plan) -> Content {
    let Some(length) = length(experiment, plan.seed, plan.quick) else {
        let names = [0, LISTED - 1].map(|number| listed(plan.seed, number));
        return Content::With(names.into());
    };
    let mut first = match experiment {
        Experiment::Cgi => hello(plan.seed).into_bytes(),
        _ => block(plan.seed),
    };
    first.truncate(usize::try_from(length).unwrap_or(BLOCK));
    Content::Long { first, length }
}

/// Writes the files that the experiments of a plan request, unless they exist.
///
/// # Errors
///
/// Any error of the system.
pub(crate) fn write(folder: &Path, plan: &Plan) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for asked in &plan.experiments {
        let path = folder.join(path(asked.experiment).trim_start_matches('/'));
        match asked.experiment {
            Experiment::Listing => write_listed(&path, plan.seed)?,
            Experiment::Cgi => write_program(&path, plan.seed)?,
            _ => write_file(&path, asked.length.unwrap_or_default(), plan.seed)?,
        }
    }
    Ok(())
}

fn write_listed(folder: &Path, seed: u64) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let names = (0..LISTED).map(|number| listed(seed, number));
    names
        .into_iter()
        .try_for_each(|name| fs::write(folder.join(name), "listed\n"))
}

/// The name of one of the listed files.
fn listed(seed: u64, number: usize) -> String {
    format!("{number:02}-{seed:016x}.txt")
}

fn write_program(path: &Path, seed: u64) -> io::Result<()> {
    fs::create_dir_all(path.parent().unwrap_or(path))?;
    let hello = hello(seed);
    let script = format!(
        "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\nContent-Length: {}\\r\\n\\r\\n%s\\n' '{}'\n",
        hello.len(),
        hello.trim_end()
    );
    fs::write(path, script)?;
    fs::set_permissions(path, Permissions::from_mode(0o755))
}

/// The output of the program.
fn hello(seed: u64) -> String {
    format!("hello from {seed:016x}\n")
}

/// Writes data, not a hole, and waits until it is on the disk: the disk is idle during the
/// measurement.
fn write_file(path: &Path, length: u64, seed: u64) -> io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    // A file with its final name is complete.
    let unfinished = path.with_extension("unfinished");
    let (mut file, block) = (BufWriter::new(File::create(&unfinished)?), block(seed));
    let mut left = length;
    while left > 0 {
        let piece = block.len().min(usize::try_from(left).unwrap_or(BLOCK));
        file.write_all(&block[..piece])?;
        left -= piece as u64;
    }
    file.into_inner()?.sync_all()?;
    fs::rename(unfinished, path)
}

fn block(seed: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    let digit = |_| random.alphanumeric();
    (0..BLOCK).map(digit).map(|digit| digit as u8).collect()
}
