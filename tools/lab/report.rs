//! `lab report`: writes the results of a run as a page, tables, gnuplot and LaTeX.
//!
//! ```text
//! journal ─▶ findings (numbers) ─▶ claims (sentences) ─▶ text (the five sections) ─┬─▶ report.html
//!    │                                                                             ├─▶ report.tex
//!    └─▶ samples.csv                                                               └─▶ EXPERIMENT.dat, EXPERIMENT.gp
//! ```

mod claims;
mod findings;
mod formats;
mod samples;
#[cfg(test)]
mod tests;
mod text;

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use super::Failure;
use super::journal::Recorded;
use super::options;

use text::Report;

pub(crate) use formats::{GnuplotEscaper, TexEscaper};

/// Writes the report of a run.
///
/// # Errors
///
/// If there is no run, its journal cannot be read, or the report cannot be written.
pub(crate) fn report(options: &options::Report) -> Result<ExitCode, Failure> {
    let recorded = Recorded::read(&options.directory)?;
    let Some(plan) = &recorded.plan else {
        let directory = options.directory.display();
        return Err(Failure::Usage(format!(
            "there is no run in {directory}; lab run makes one"
        )));
    };
    let report = Report::new(plan, &recorded.samples);
    let directory = options
        .out
        .clone()
        .unwrap_or_else(|| options.directory.join("report"));
    let written = write(&directory, &report, &samples::csv(&recorded.samples));
    written.map_err(|error| format!("cannot write to {}: {error}", directory.display()))?;
    let page = directory.join("report.html");
    // If this output cannot be written, the report is there all the same.
    let _ = writeln!(io::stdout(), "{}", page.display());
    Ok(ExitCode::SUCCESS)
}

fn write(directory: &Path, report: &Report, samples: &str) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let file = |name: &str, text: &str| fs::write(directory.join(name), text);
    file("report.html", &formats::page(report))?;
    file("report.tex", &formats::tex(report))?;
    file("samples.csv", samples)?;
    for chart in report.charts() {
        file(&format!("{}.dat", chart.name), &formats::data(chart))?;
        file(&format!("{}.gp", chart.name), &formats::gnuplot(chart))?;
    }
    Ok(())
}
