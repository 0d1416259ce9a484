//! Whether standard output and standard error were closed when the program started, as by `>&-`.
//!
//! Rust opens `/dev/null` in their place before `main`, so that all output is lost without an
//! error. This looks before that.

use std::fmt;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

static OUTPUT_IS_CLOSED: AtomicBool = AtomicBool::new(false);
static ERROR_IS_CLOSED: AtomicBool = AtomicBool::new(false);

// It runs before `main`, when nothing of the program is there yet: it duplicates two descriptors, and
// stores the results.
#[ctor::ctor(unsafe)]
fn look() {
    OUTPUT_IS_CLOSED.store(is_closed(&io::stdout()), Relaxed);
    ERROR_IS_CLOSED.store(is_closed(&io::stderr()), Relaxed);
}

/// What is closed cannot be duplicated.
fn is_closed(stream: &impl AsFd) -> bool {
    stream.as_fd().try_clone_to_owned().is_err()
}

/// A standard stream was closed when the program started, so that what is written to it is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{stream} is closed: redirect it, to /dev/null if you do not need it")]
pub struct StreamClosed {
    stream: Stream,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stream {
    Output,
    Error,
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Output => "standard output",
            Self::Error => "standard error",
        })
    }
}

/// Checks that standard output was open when the program started.
///
/// # Errors
///
/// [`StreamClosed`], as after `program >&-`. Without this check the program would write to
/// `/dev/null` and succeed, because Rust opens that in place of a closed stream.
///
/// # Examples
///
/// ```
/// kamea::check_standard_output()?;
/// # Ok::<(), kamea::StreamClosed>(())
/// ```
pub fn check_standard_output() -> Result<(), StreamClosed> {
    open_unless(&OUTPUT_IS_CLOSED, Stream::Output)
}

/// Checks that standard output and standard error were open when the program started. Call it at
/// the start of a program that writes to them; [`run`](crate::run) does. If standard error is
/// closed, this writes the error to standard output, because nobody would see it otherwise.
///
/// # Errors
///
/// [`StreamClosed`] names the closed one: see [`check_standard_output`].
///
/// # Examples
///
/// ```
/// kamea::check_standard_streams()?;
/// # Ok::<(), kamea::StreamClosed>(())
/// ```
pub fn check_standard_streams() -> Result<(), StreamClosed> {
    check_standard_output()?;
    open_unless(&ERROR_IS_CLOSED, Stream::Error).inspect_err(|error| {
        // If that fails too, the status of the program must do.
        let _ = writeln!(io::stdout(), "error: {error}");
    })
}

fn open_unless(is_closed: &AtomicBool, stream: Stream) -> Result<(), StreamClosed> {
    if is_closed.load(Relaxed) {
        return Err(StreamClosed { stream });
    }
    Ok(())
}
