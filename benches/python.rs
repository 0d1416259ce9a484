//! A virtual environment of Python, with the packages from PyPI that the peers need.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Error;

/// The packages, and a file that shows that each is installed.
const PACKAGES: [(&str, &str); 4] = [
    ("flask", "bin/flask"),
    ("gunicorn", "bin/gunicorn"),
    ("granian", "bin/granian"),
    ("kamaelia-axon", "axon"),
];

/// Its path, beside the folder that the servers serve.
pub(crate) fn environment(data: &Path) -> PathBuf {
    data.with_file_name("bench-venv")
}

/// Makes the environment, unless it exists.
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
    // It installs no program that would show that it is installed.
    std::fs::write(folder.join("axon"), "")?;
    Ok(())
}

/// Runs a program. Returns its output.
pub(crate) fn run(command: &mut Command) -> Result<String, Error> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout)?);
    }
    let told = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?}: {}", told.trim()).into())
}
