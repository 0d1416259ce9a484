//! The log of a program, on stderr.

use std::io::{self, LineWriter};

use kamea_components::process::printable;
use log::{LevelFilter, Log, Metadata, Record, SetLoggerError};
use simplelog::{ConfigBuilder, WriteLogger};
use time::macros::format_description;

/// The prefix of each line in a program's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stamp {
    /// No prefix: the user who started the program reads it at once.
    Nothing,
    /// `[2016-04-10 16:29:01]`, in local time where the system knows it.
    Time,
}

/// Logs important messages of a program to stderr, such as the addresses of a server; with
/// `verbose` all messages.
///
/// # Errors
///
/// If the program already has a log.
pub fn log_to_stderr(verbose: bool, stamp: Stamp) -> Result<(), SetLoggerError> {
    let level = if verbose {
        LevelFilter::Debug
    } else {
        LevelFilter::Info
    };
    log_modules_to_stderr(level, stamp, &[])
}

/// Logs the messages of certain modules to stderr: those whose paths begin with one of `modules`,
/// or all if `modules` is empty.
///
/// # Errors
///
/// If the program already has a log.
pub fn log_modules_to_stderr(
    level: LevelFilter,
    stamp: Stamp,
    modules: &[&'static str],
) -> Result<(), SetLoggerError> {
    let mut config = ConfigBuilder::new();
    for module in modules {
        config.add_filter_allow_str(module);
    }
    config
        .set_max_level(LevelFilter::Off)
        .set_thread_level(LevelFilter::Off)
        .set_target_level(LevelFilter::Off)
        .set_location_level(LevelFilter::Off);
    match stamp {
        Stamp::Nothing => {
            config.set_time_level(LevelFilter::Off);
        }
        Stamp::Time => {
            config.set_time_format_custom(format_description!(
                "[[[year]-[month]-[day] [hour]:[minute]:[second]]"
            ));
            // If the local time is unknown, it stays UTC.
            let _ = config.set_time_offset_to_local();
        }
    }
    // Whole lines, because several processes may write there.
    let lines = WriteLogger::new(level, config.build(), LineWriter::new(io::stderr()));
    log::set_max_level(level);
    log::set_boxed_logger(Box::new(Printable(lines)))
}

/// Writes each record as one line without control characters, so that no text of a client or a
/// program can affect the terminal.
struct Printable<L>(L);

impl<L: Log> Log for Printable<L> {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.0.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let text = printable(record.args().to_string().as_bytes());
        self.0.log(
            &Record::builder()
                .metadata(record.metadata().clone())
                .module_path(record.module_path())
                .file(record.file())
                .line(record.line())
                .args(format_args!("{text}"))
                .build(),
        );
    }

    fn flush(&self) {
        self.0.flush();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Keeps the records that it gets.
    #[derive(Default)]
    struct Collected(Mutex<Vec<String>>);

    impl Log for Collected {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn log(&self, record: &Record<'_>) {
            self.0.lock().unwrap().push(record.args().to_string());
        }

        fn flush(&self) {}
    }

    #[test]
    fn a_record_is_one_line_that_does_nothing_to_a_terminal() {
        let log = Printable(Collected::default());
        for text in [
            "one\ntwo",
            "\r[forged]",
            "\u{1b}[2J\u{9b}",
            "a\u{202e}b",
            "caf\u{e9}\ttab",
        ] {
            log.log(&Record::builder().args(format_args!("{text}")).build());
        }
        let lines = log.0.0.into_inner().unwrap();
        let expected = [
            "one\\ntwo",
            "\\r[forged]",
            "\\u{1b}[2J\\u{9b}",
            "a\\u{202e}b",
            "caf\u{e9}\ttab",
        ];
        assert_eq!(lines, expected);
    }
}
