//! The log of a program that has not set up one: a line for each record, on standard error.

use std::env;
use std::io::{self, Write};

use log::{LevelFilter, Log, Metadata, Record};

struct StderrLog;

impl Log for StderrLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let (level, text) = (record.level(), record.args());
            // If standard error is closed, there is no other place to report that.
            let _ = writeln!(io::stderr().lock(), "{level}: {text}");
        }
    }

    fn flush(&self) {}
}

/// Makes the program log to standard error, a line for each record, unless it has a log. The level
/// is that of the variable `KAMEA_LOG`, such as `debug`; without it, `info`.
///
/// # Examples
///
/// ```
/// kamea::log_to_stderr();
/// ```
pub fn log_to_stderr() {
    if log::set_logger(&StderrLog).is_ok() {
        let wanted = env::var("KAMEA_LOG").ok();
        let level = wanted.and_then(|level| level.parse().ok());
        log::set_max_level(level.unwrap_or(LevelFilter::Info));
    }
}
