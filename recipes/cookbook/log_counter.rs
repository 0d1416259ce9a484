//! Counts the status codes of an access log: `log_counter access.log`.

use std::io::{Write, stdout};

use kamea::{ProgramError, filter_map, for_each, pipeline};
use kamea_components::file::read_file;
use kamea_components::stream::{LONGEST_LINE, count_by, lines};

/// The status in a line of the Common or Combined log format: the field after the quoted request.
fn status(line: String) -> Option<String> {
    let (_, behind) = line.split_once("\" ")?;
    Some(behind.split(' ').next()?.to_owned())
}

fn main() -> Result<(), ProgramError> {
    let path = std::env::args().nth(1).ok_or("usage: log_counter FILE")?;
    let print = for_each(async |(status, count): (String, u64)| {
        Ok(writeln!(stdout(), "{count:8} {status}")?)
    });
    let count = count_by(|status: &String| status.clone());
    kamea::run(pipeline!(
        read_file(path) => lines(LONGEST_LINE) => filter_map(status) => count => print
    ))
}
