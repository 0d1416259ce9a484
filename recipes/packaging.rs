//! Generates the man page and the shell completions of a program from its options. It is compiled
//! only for packages.

use std::env;
use std::io::{self, Write as _};

use clap::Command;
use clap_complete::{Shell, generate};
use clap_mangen::Man;

/// Writes the output of `--generate man`, `bash`, `zsh` or `fish` to the standard output, if the
/// command line has that option; returns whether it has.
///
/// # Errors
///
/// If the argument is unknown, or the output cannot be written.
pub(crate) fn generated(mut command: Command) -> io::Result<bool> {
    let mut arguments = env::args().skip(1);
    if arguments.next().as_deref() != Some("--generate") {
        return Ok(false);
    }
    let what = arguments.next().unwrap_or_default();
    let mut text = Vec::new();
    match (what.as_str(), what.parse::<Shell>()) {
        ("man", _) => Man::new(command).render(&mut text)?,
        (_, Ok(shell)) => {
            let name = command.get_name().to_owned();
            generate(shell, &mut command, name, &mut text);
        }
        (_, Err(_)) => {
            let wanted = "--generate is followed by man, bash, zsh or fish";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, wanted));
        }
    }
    io::stdout().write_all(&text)?;
    Ok(true)
}
