//! What an application receives of a request.

use std::borrow::Cow;
use std::fmt;
use std::io;

use bytes::Bytes;
use futures_lite::{Stream, StreamExt, stream};

use super::Variables;
use crate::web::{Content, Incomplete};

/// What an application receives of a request, as in PEP 3333: the [`Variables`] of CGI, the body,
/// and a writer to the log.
///
/// In addition to those of CGI it has the variables of the interface: `gateway.version` (`1.0`),
/// `gateway.url_scheme` (`http`), `gateway.multithread` (`true`: another thread may call the
/// application at the same time), `gateway.multiprocess` and `gateway.run_once` (`false`).
///
/// # Examples
///
/// ```
/// use kamea_components::gateway::{BoxError, Environ, StartResponse};
///
/// async fn who(environ: Environ, start_response: StartResponse) -> Result<String, BoxError> {
///     start_response.ok([("Content-Type", "text/plain")])?;
///     Ok(format!("{} from {}\n", environ.text("REQUEST_METHOD"), environ.text("REMOTE_ADDR")))
/// }
/// # fn is_an_application(_: impl kamea_components::gateway::Application) {}
/// # is_an_application(who);
/// ```
#[derive(Debug)]
pub struct Environ {
    /// The variables. Middleware may set more, for the application that it wraps.
    pub variables: Variables,
    /// `gateway.input`: the body of the request.
    pub input: Input,
    /// `gateway.errors`: a writer to the log.
    pub errors: Errors,
}

impl Environ {
    /// The value of a variable.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.variables.get(name)
    }

    /// The value of a variable as text; invalid UTF-8 is replaced. Empty if the variable is
    /// missing.
    #[must_use]
    pub fn text(&self, name: &str) -> Cow<'_, str> {
        String::from_utf8_lossy(self.get(name).unwrap_or_default())
    }

    /// Sets a variable.
    pub fn set(&mut self, name: &str, value: impl AsRef<[u8]>) {
        self.variables.set(name, value);
    }

    /// `gateway.url_scheme`: the scheme of the request's URL.
    #[must_use]
    pub fn url_scheme(&self) -> Cow<'_, str> {
        self.text("gateway.url_scheme")
    }

    /// `gateway.multithread`: whether another thread may call the application at the same time.
    #[must_use]
    pub fn is_multithread(&self) -> bool {
        self.get("gateway.multithread") == Some(b"true")
    }

    /// `gateway.multiprocess`: whether another process may call the same application at the same
    /// time.
    #[must_use]
    pub fn is_multiprocess(&self) -> bool {
        self.get("gateway.multiprocess") == Some(b"true")
    }

    /// `gateway.run_once`: whether its process calls the application only once.
    #[must_use]
    pub fn is_run_once(&self) -> bool {
        self.get("gateway.run_once") == Some(b"true")
    }
}

/// The body of a request, while it arrives; also for a request without a body.
#[derive(Debug, Default)]
pub struct Input(Option<Box<Content>>);

impl Input {
    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    ///
    /// [`Incomplete`], if the body ended too early.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Incomplete> {
        match &mut self.0 {
            Some(content) => content.next().await,
            None => Ok(None),
        }
    }

    /// Reads the rest of the body, up to `limit` bytes.
    ///
    /// # Errors
    ///
    /// [`Incomplete`], if the body ended too early, or with 413 (Content Too Large) if it is
    /// longer.
    pub async fn read_to_end(&mut self, limit: usize) -> Result<Bytes, Incomplete> {
        match &mut self.0 {
            Some(content) => content.read_to_end(limit).await,
            None => Ok(Bytes::new()),
        }
    }

    /// The body as a stream, for a library that reads one.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes, Incomplete>> + Send {
        stream::iter(self.0).flat_map(|content| content.into_stream())
    }
}

impl From<Option<Box<Content>>> for Input {
    fn from(content: Option<Box<Content>>) -> Self {
        Self(content)
    }
}

/// The longest line of [`Errors`], in bytes; longer ones are split.
const LINE: usize = 8 * 1024;

/// A writer to the log. It logs line by line, under the name of the application; control characters
/// are escaped.
///
/// # Examples
///
/// ```
/// use std::io::Write;
/// use kamea_components::gateway::{BoxError, Environ, StartResponse};
///
/// async fn complain(mut environ: Environ, start_response: StartResponse) -> Result<&'static str, BoxError> {
///     writeln!(environ.errors, "nobody told me of {}", environ.variables.iter().len())?;
///     start_response.ok([])?;
///     Ok("")
/// }
/// # fn is_an_application(_: impl kamea_components::gateway::Application) {}
/// # is_an_application(complain);
/// ```
pub struct Errors {
    name: String,
    /// The current line, without its end.
    line: Vec<u8>,
}

impl Errors {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            line: Vec::new(),
        }
    }

    fn end_line(&mut self) {
        log::error!("{} | {}", self.name, printable(&self.line));
        self.line.clear();
    }
}

/// A single line, with any content.
fn printable(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() && character != '\t' {
            printable.extend(character.escape_default());
        } else {
            printable.push(character);
        }
    }
    printable
}

impl io::Write for Errors {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for piece in bytes.split_inclusive(|&b| b == b'\n') {
            let text = piece.strip_suffix(b"\n").unwrap_or(piece);
            for part in text.chunks(LINE) {
                if self.line.len() + part.len() > LINE {
                    self.end_line();
                }
                self.line.extend_from_slice(part);
            }
            if piece.ends_with(b"\n") {
                self.end_line();
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.line.is_empty() {
            self.end_line();
        }
        Ok(())
    }
}

impl Drop for Errors {
    fn drop(&mut self) {
        // It does not fail.
        let _ = io::Write::flush(self);
    }
}

impl fmt::Debug for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Errors").field(&self.name).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn what_is_written_is_kept_until_its_line_ends_and_no_longer_than_a_line() {
        let mut errors = Errors::new("/app");
        write!(errors, "one\ntwo").unwrap();
        assert_eq!(errors.line, b"two");
        errors.write_all(&[b'x'; 3 * LINE]).unwrap();
        assert!(errors.line.len() <= LINE);
        errors.flush().unwrap();
        assert!(errors.line.is_empty());
    }

    #[test]
    fn a_line_cannot_pretend_to_be_another() {
        for (line, printed) in [
            (&b"tab\tand caf\xc3\xa9"[..], "tab\tand caf\u{e9}"),
            (b"a\rb\x1b[2J\0", "a\\rb\\u{1b}[2J\\u{0}"),
            (b"\xff", "\u{fffd}"),
        ] {
            assert_eq!(printable(line), printed);
        }
    }
}
