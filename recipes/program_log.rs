//! What the programs say of themselves, on stderr: `[2016-04-10 16:29:01] what happened`.

use std::io::{self, LineWriter};

use log::{LevelFilter, SetLoggerError};
use simplelog::{ConfigBuilder, WriteLogger};
use time::macros::format_description;

/// Logs lines to stderr, in local time where the system knows it; with `verbose` all that happens.
///
/// # Errors
///
/// If something logs already.
pub fn log_to_stderr(verbose: bool) -> Result<(), SetLoggerError> {
    let level = if verbose {
        LevelFilter::Debug
    } else {
        LevelFilter::Info
    };
    log_some_to_stderr(level, &[])
}

/// Logs lines of that level to stderr, but only those of modules whose paths begin with one of `modules`, if there are any.
///
/// # Errors
///
/// If something logs already.
pub fn log_some_to_stderr(
    level: LevelFilter,
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
        .set_location_level(LevelFilter::Off)
        .set_time_format_custom(format_description!(
            "[[[year]-[month]-[day] [hour]:[minute]:[second]]"
        ));
    // Where the local time is not to be had, it stays UTC.
    let _ = config.set_time_offset_to_local();
    // Whole lines, because several processes may write there.
    WriteLogger::init(level, config.build(), LineWriter::new(io::stderr()))
}
