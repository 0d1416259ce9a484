//! The man page and the shell completions of a program, made from its options. Only packages are built with this.

use std::env;
use std::io::{self, Write as _};

use clap::Command;
use clap_complete::{Shell, generate};
use clap_mangen::Man;

/// Writes what `--generate man`, `bash`, `zsh` or `fish` asks for to the standard output, if that is what the command line says;
/// says whether it was.
///
/// # Errors
///
/// If it asks for something else, or nothing can be written.
pub fn generated(mut command: Command) -> io::Result<bool> {
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
