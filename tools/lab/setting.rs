//! The setting in which samples are taken: the plan, the programs, and where they run.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kamea_components::process::Stdio;

use super::guard::{Guarded, Program};
use super::plan::Plan;
use super::servers::Installed;

/// The setting in which samples are taken.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) plan: Plan,
    pub(crate) installed: Vec<Installed>,
    pub(crate) thor: PathBuf,
    /// The folder that the servers serve.
    pub(crate) site: PathBuf,
    /// The folder in which programs run, with their own files and logs. It has no other use.
    pub(crate) run: PathBuf,
}

/// The programs that run for a sample, in the order in which they were started.
#[derive(Debug, Default)]
pub(crate) struct Running(Vec<Guarded>);

impl Setting {
    /// Runs a program whose output goes into the log of this name.
    ///
    /// # Errors
    ///
    /// If the log cannot be made.
    pub(crate) fn program(
        &self,
        log: &str,
        path: &Path,
        arguments: Vec<OsString>,
        cores: &[usize],
    ) -> Result<Program, String> {
        let log = File::create(self.log(log)).map_err(|error| format!("no log: {error}"))?;
        let log = Stdio::Fd(Arc::new(log.into()));
        Ok(Program {
            path: path.to_owned(),
            arguments,
            folder: self.run.clone(),
            cores: cores.to_vec(),
            stdout: log.clone(),
            stderr: log,
        })
    }

    fn log(&self, name: &str) -> PathBuf {
        self.run.join(name).with_extension("log")
    }

    /// The last line of a log.
    pub(crate) fn last_words(&self, log: &str) -> String {
        let text = fs::read(self.log(log)).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let line = text.lines().rfind(|line| !line.trim().is_empty());
        line.unwrap_or("it said nothing").trim().to_owned()
    }

    /// Removes all traces of the previous sample.
    ///
    /// # Errors
    ///
    /// Any error of the system.
    pub(crate) fn tidy(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.run)? {
            let path = entry?.path();
            if path.is_dir() {
                fs::remove_dir_all(path)?;
            } else {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

impl Running {
    /// Starts a program.
    ///
    /// # Errors
    ///
    /// Why it cannot be started.
    pub(crate) async fn start(&mut self, program: Program) -> Result<&mut Guarded, String> {
        let name = program.path.display().to_string();
        let started = Guarded::start(program).await;
        let started = started.map_err(|error| format!("cannot start {name}: {error}"))?;
        Ok(self.0.push_mut(started))
    }

    /// Ends all of them, the last one first, and waits.
    pub(crate) async fn stop(mut self) {
        while let Some(last) = self.0.pop() {
            last.stop().await;
        }
    }
}
