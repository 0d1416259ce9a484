//! What a program that measures is told of its reports, and how it makes them.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::{Comparison, Summary, Threshold, csv, page, panels};

/// Which reports a run is to make.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Reports")]
pub struct ReportOptions {
    /// Write the figures to standard output as JSON, and nothing else
    #[arg(long)]
    pub json: bool,
    /// Write a row for each second into a file
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Draw latency distribution, rate and latency over time into a file
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// Write a page with figures and charts into a file
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Say what is better or worse than in an earlier run, by its --json, and what is noise
    #[arg(long, value_name = "OLD.json")]
    pub compare: Option<PathBuf>,
    /// When the run has failed, such as p99>50ms, rate<1000/s, errors>0.1%; may be repeated
    #[arg(long, value_name = "CONDITION")]
    pub fail_if: Vec<Threshold>,
}

/// Reports that are to be made when the run is over. Their files are open: what cannot be written is known before a minute has been measured for it.
#[derive(Debug)]
pub struct Reporting {
    json: bool,
    files: Vec<(Kind, PathBuf, File)>,
    old: Option<(PathBuf, Summary)>,
    thresholds: Vec<Threshold>,
}

/// What a file is to hold.
type Kind = fn(&Summary) -> String;

impl ReportOptions {
    /// Whether any is wanted.
    #[must_use]
    pub fn are_wanted(&self) -> bool {
        let files = [&self.csv, &self.svg, &self.html, &self.compare];
        self.json || !self.fail_if.is_empty() || files.iter().any(|file| file.is_some())
    }

    /// Opens what is to be written, and reads what is to be compared with.
    ///
    /// # Errors
    ///
    /// A line that says what cannot be opened, or is no summary of a run.
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
    /// Makes the reports of a run: JSON goes to `stdout`; so does the comparison, but for where JSON does; thresholds that it has failed by go to `stderr`, a line each. Gives whether it has passed them all.
    ///
    /// # Errors
    ///
    /// A line that says what cannot be written.
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
        say().map_err(|error| format!("cannot write what was measured: {error}"))?;
        Ok(failures.is_empty())
    }
}
