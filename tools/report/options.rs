//! The report options of programs that measure, and the reports.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::{Comparison, Summary, Threshold, csv, page, panels};

/// Which reports to make of a run.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Reports")]
pub struct ReportOptions {
    /// Print the figures as JSON, and nothing else
    #[arg(long)]
    pub json: bool,
    /// Write a row per second to a file
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Draw latency distribution, rate and latency over time to a file
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// Write a page with figures and charts to a file
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Compare with an earlier run, given its --json output: better, worse, or noise
    #[arg(long, value_name = "OLD.json")]
    pub compare: Option<PathBuf>,
    /// Fail the run on a condition such as p99>50ms, rate<1000/s, errors>0.1%; repeatable
    #[arg(long, value_name = "CONDITION")]
    pub fail_if: Vec<Threshold>,
}

/// The reports to make after the run. Their files are open, so an error shows before the run.
#[derive(Debug)]
pub struct Reporting {
    json: bool,
    files: Vec<(Kind, PathBuf, File)>,
    old: Option<(PathBuf, Summary)>,
    thresholds: Vec<Threshold>,
}

/// The content of a report file.
type Kind = fn(&Summary) -> String;

impl ReportOptions {
    /// Whether a report is requested.
    #[must_use]
    pub fn are_wanted(&self) -> bool {
        let files = [&self.csv, &self.svg, &self.html, &self.compare];
        self.json || !self.fail_if.is_empty() || files.iter().any(|file| file.is_some())
    }

    /// Opens the files to write, and reads the run to compare with.
    ///
    /// # Errors
    ///
    /// A line that names the file that cannot be opened, or is not a summary of a run.
    pub fn open(&self) -> Result<Reporting, String> {
        let old = self.compare.as_deref();
        let old = old.map(|path| read(path).map(|old| (path.to_owned(), old)));
        let old = old.transpose()?;
        let kinds: [(Kind, _); 3] = [(csv, &self.csv), (panels, &self.svg), (page, &self.html)];
        let files = kinds
            .into_iter()
            .filter_map(|(kind, path)| Some((kind, path.as_ref()?)));
        let open = |(kind, path): (Kind, &PathBuf)| match File::create(path) {
            Ok(file) => Ok((kind, path.clone(), file)),
            Err(error) => Err(format!("cannot write {}: {error}", path.display())),
        };
        Ok(Reporting {
            json: self.json,
            files: files.map(open).collect::<Result<_, _>>()?,
            old,
            thresholds: self.fail_if.clone(),
        })
    }
}

/// Reads the summary of a run from a file.
fn read(path: &Path) -> Result<Summary, String> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string());
    let summary =
        text.and_then(|text| Summary::from_json(&text).map_err(|error| error.to_string()));
    summary.map_err(|error| format!("cannot read {}: {error}", path.display()))
}

impl Reporting {
    /// Makes the reports of a run. JSON goes to `stdout`, and so does the comparison unless JSON
    /// does. Each failed condition is a line on `stderr`. Returns whether the run passed all of
    /// them.
    ///
    /// # Errors
    ///
    /// A line that names the file that cannot be written.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_tools::report::{ReportOptions, Summary};
    ///
    /// let options = ReportOptions { json: true, ..ReportOptions::default() };
    /// let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    /// let has_passed = options.open()?.finish(&Summary::default(), &mut stdout, &mut stderr)?;
    /// assert!(has_passed && stdout.starts_with(b"{") && stderr.is_empty());
    /// # Ok::<(), String>(())
    /// ```
    pub fn finish(
        self,
        run: &Summary,
        mut stdout: impl Write,
        mut stderr: impl Write,
    ) -> Result<bool, String> {
        for (kind, path, mut file) in self.files {
            let written = file.write_all(kind(run).as_bytes());
            written.map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        }
        let comparison = self.old.map(|(path, old)| {
            format!(
                "Compared with {}:\n{}",
                path.display(),
                Comparison::new(&old, run)
            )
        });
        let comparison = comparison.unwrap_or_default();
        let failures: Vec<_> = self
            .thresholds
            .iter()
            .filter_map(|threshold| threshold.failure(run))
            .collect();
        let mut say = || -> io::Result<()> {
            if self.json {
                stdout.write_all(run.to_json().as_bytes())?;
                stderr.write_all(comparison.as_bytes())?;
            } else {
                stdout.write_all(comparison.as_bytes())?;
            }
            stdout.flush()?;
            failures
                .iter()
                .try_for_each(|failure| writeln!(stderr, "failed: {failure}"))
        };
        match say() {
            // Its reader has what it wanted.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            said => said.map_err(|error| format!("cannot write what was measured: {error}"))?,
        }
        Ok(failures.is_empty())
    }
}
