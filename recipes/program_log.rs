//! What `spidey` says of itself, on stderr.

use std::io::{self, LineWriter};

use log::LevelFilter;
use simplelog::{ConfigBuilder, WriteLogger};
use time::macros::format_description;

/// Log lines as `[2016-04-10 16:29:01] what happened`, in local time where the system knows it.
pub(crate) fn write_to_stderr(verbose: bool) -> Result<(), log::SetLoggerError> {
    let level = if verbose {
        LevelFilter::Debug
    } else {
        LevelFilter::Info
    };
    let mut config = ConfigBuilder::new();
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
