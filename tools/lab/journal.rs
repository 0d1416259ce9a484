//! The journal of a run, `journal.jsonl`: a line of JSON for the plan, then one for each sample, in
//! the order of measurement.
//!
//! ```text
//! {"plan":{"lab":"0.1.0","seed":7,"repetitions":5,...}}
//! {"sample":{"experiment":"1kb","server":"spidey","mode":"pool","repetition":1,"at_s":1480000000,"outcome":{"measured":{"requests":...}}}}
//! {"sample":{"experiment":"cgi","server":"nginx","mode":null,"repetition":1,"at_s":1480000004,"outcome":{"failed":"nginx did not start: ..."}}}
//! ```

use std::fs::File;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use kamea_tools::report::Summary;

use super::plan::{Cell, Plan};

/// A line of the journal.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line<P, S> {
    Plan(P),
    Sample(S),
}

/// The result of a cell of the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sample {
    #[serde(flatten)]
    pub(crate) cell: Cell,
    /// When it was taken, in seconds since 1970.
    pub(crate) at_s: u64,
    pub(crate) outcome: Outcome,
}

/// The outcome of a sample.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    /// It was measured, and every response was right.
    Measured(Box<Summary>),
    /// It could not be measured, for this reason.
    Failed(String),
}

/// The journal of a run, open for further samples.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
    path: PathBuf,
}

/// The content of a journal.
#[derive(Debug, Default)]
pub(crate) struct Recorded {
    /// `None` if nothing has begun yet.
    pub(crate) plan: Option<Plan>,
    pub(crate) samples: Vec<Sample>,
    /// The length of its complete lines in bytes. What follows is from a run that was killed while
    /// it wrote.
    pub(crate) complete: u64,
    /// Whether something follows.
    pub(crate) is_torn: bool,
}

impl Recorded {
    /// Reads the journal in a directory. It may be missing.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or if it has an invalid line.
    pub(crate) fn read(directory: &Path) -> Result<Self, String> {
        let path = path(directory);
        let mut bytes = Vec::new();
        match File::open(&path).and_then(|mut file| file.read_to_end(&mut bytes)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(format!("cannot read {}: {error}", path.display())),
            Ok(_) => Self::parse(&bytes).map_err(|wrong| format!("{}: {wrong}", path.display())),
        }
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let complete = bytes
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |end| end + 1);
        let mut recorded = Self {
            complete: complete as u64,
            is_torn: complete < bytes.len(),
            ..Self::default()
        };
        let lines = bytes[..complete].split(|byte| *byte == b'\n');
        for (index, line) in lines.filter(|line| !line.is_empty()).enumerate() {
            let line: serde_json::Result<Line<Plan, Sample>> = serde_json::from_slice(line);
            let line = line.map_err(|error| format!("line {}: {error}", index + 1))?;
            match (line, &recorded.plan) {
                (Line::Plan(plan), None) => recorded.plan = Some(plan),
                (Line::Sample(sample), Some(_)) => recorded.samples.push(sample),
                (Line::Plan(_), Some(_)) => {
                    return Err(format!("line {}: a second plan", index + 1));
                }
                (Line::Sample(_), None) => return Err("it begins without a plan".to_owned()),
            }
        }
        Ok(recorded)
    }
}

impl Journal {
    /// Opens the journal in a directory, for this process alone, and returns its content. An
    /// incomplete last line is removed.
    ///
    /// # Errors
    ///
    /// The same as those of [`Recorded::read`]. Also if it cannot be written, or another process
    /// has it open.
    pub(crate) fn open(directory: &Path) -> Result<(Self, Recorded), String> {
        let path = path(directory);
        let wrong = |error: io::Error| format!("cannot write {}: {error}", path.display());
        let file = File::options()
            .append(true)
            .create(true)
            .open(&path)
            .map_err(wrong)?;
        if let Err(errno) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
            return Err(match errno {
                Errno::WOULDBLOCK => format!("another lab is at work in {}", directory.display()),
                errno => wrong(errno.into()),
            });
        }
        let recorded = Recorded::read(directory)?;
        file.set_len(recorded.complete).map_err(wrong)?;
        Ok((Self { file, path }, recorded))
    }

    /// Writes the plan, which is the first line.
    ///
    /// # Errors
    ///
    /// The same as those of [`Journal::append`].
    pub(crate) fn begin(&mut self, plan: &Plan) -> Result<(), String> {
        self.write(Line::Plan(plan))
    }

    /// Adds a sample. It is on the disk when this returns.
    ///
    /// # Errors
    ///
    /// Any error of the system.
    pub(crate) fn append(&mut self, sample: &Sample) -> Result<(), String> {
        self.write(Line::Sample(sample))
    }

    fn write(&mut self, line: Line<&Plan, &Sample>) -> Result<(), String> {
        let text = serde_json::to_string(&line).map_err(io::Error::from);
        let written = text.and_then(|text| {
            self.file.write_all(format!("{text}\n").as_bytes())?;
            self.file.sync_data()
        });
        written.map_err(|error| format!("cannot write {}: {error}", self.path.display()))
    }
}

fn path(directory: &Path) -> PathBuf {
    directory.join("journal.jsonl")
}
