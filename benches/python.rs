//! A virtual environment of Python, with what the peers need from PyPI.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Error;

/// What is installed, and what is there once it is.
const PACKAGES: [(&str, &str); 3] = [
    ("gunicorn", "bin/gunicorn"),
    ("granian", "bin/granian"),
    ("kamaelia-axon", "axon"),
];

/// Where it is, beside the folder that the servers serve.
pub(crate) fn environment(data: &Path) -> PathBuf {
    data.with_file_name("bench-venv")
}

/// Makes the environment, unless it is there.
pub(crate) fn make_environment(folder: &Path) -> Result<(), Error> {
    let is_there = |(_, file): &(_, &str)| folder.join(file).exists();
    if PACKAGES.iter().all(is_there) {
        return Ok(());
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
    let names = PACKAGES.map(|(name, _)| name);
    run(Command::new(folder.join("bin/pip"))
        .args(["install", "-q"])
        .args(names))?;
    // It installs no program that would show that it is there.
    std::fs::write(folder.join("axon"), "")?;
    Ok(())
}

/// Runs a program; gives what it says.
pub(crate) fn run(command: &mut Command) -> Result<String, Error> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout)?);
    }
    let told = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?}: {}", told.trim()).into())
}
