//! What a program says of itself, on stderr.

use std::io::{self, LineWriter};

use log::{LevelFilter, SetLoggerError};
use simplelog::{ConfigBuilder, WriteLogger};
use time::macros::format_description;

/// What stands before each line of a program's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stamp {
    /// Nothing: whoever started the program looks at it.
    Nothing,
    /// `[2016-04-10 16:29:01]`, in local time where the system knows it.
    Time,
}

/// Has a program say on stderr what is worth knowing anyway, such as where a server listens; with `verbose` all that happens.
///
/// # Errors
///
/// If the program has a log already.
pub fn log_to_stderr(verbose: bool, stamp: Stamp) -> Result<(), SetLoggerError> {
    let level = if verbose {
        LevelFilter::Debug
    } else {
        LevelFilter::Info
    };
    log_modules_to_stderr(level, stamp, &[])
}

/// Has a program say on stderr what happens in certain modules alone, those whose paths begin like that; in all, if there are none.
///
/// # Errors
///
/// If the program has a log already.
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
            // Where the local time is not to be had, it stays UTC.
            let _ = config.set_time_offset_to_local();
        }
    }
    // Whole lines, because several processes may write there.
    WriteLogger::init(level, config.build(), LineWriter::new(io::stderr()))
}
