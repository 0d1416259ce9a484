//! The site that all servers serve, and what their answers have to be.

use std::fs::{self, File, Permissions};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::experiment::Experiment;
use super::plan::Plan;

/// How many files the listed directory has.
const LISTED: usize = 100;

/// What a file consists of, again and again, in bytes.
const BLOCK: usize = 1 << 16;

/// What the content of an answer has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    /// Something with each of these texts in it.
    With(Vec<String>),
    /// So many bytes, of which these are the first.
    Long { first: Vec<u8>, length: u64 },
}

/// Where the thing is that an experiment asks for.
pub(crate) fn path(experiment: Experiment) -> &'static str {
    match experiment {
        Experiment::Listing => "/listed/",
        Experiment::Cgi => "/cgi-bin/hello",
        Experiment::File | Experiment::Kilobyte => "/1kb.txt",
        Experiment::Megabyte => "/1mb.bin",
        Experiment::Gigabyte => "/1gb.bin",
    }
}

/// How many bytes it has, if each server answers with the same.
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

/// What the answer to an experiment's request has to be. No server of another run answers so.
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

/// Writes what the experiments of a plan ask for, where it is not there yet.
///
/// # Errors
///
/// Whatever the system says.
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

/// What the program says.
fn hello(seed: u64) -> String {
    format!("hello from {seed:016x}\n")
}

/// Writes data, not a hole, and waits until it is on the disk: nothing is written any more when it is measured.
fn write_file(path: &Path, length: u64, seed: u64) -> io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    // What has its name is complete.
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
