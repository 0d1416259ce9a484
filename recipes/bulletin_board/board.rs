//! The messages of the bulletin board. One component keeps them in a file; other components send it
//! requests.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use kamea::{Blocking, Done, Inbox, Outbox, Ports, Sender, blocking};

/// The most messages on the board.
const ROOM: usize = 1000;

/// A request to the board; the answer goes to the sender.
#[derive(Debug)]
pub(crate) enum Ask {
    /// Returns all messages, one per line.
    Read(Sender<String>),
    /// Adds a message.
    Write(String, Sender<String>),
}

/// The ports of [`keep_board`].
#[derive(Debug, Ports)]
pub(crate) struct BoardPorts {
    /// The requests.
    pub(crate) asks: Inbox<Ask>,
    /// Each new message.
    pub(crate) news: Option<Outbox<String>>,
}

/// Keeps the messages in a file. It has a thread of its own, because file access blocks.
pub(crate) fn keep_board(
    file: PathBuf,
) -> Blocking<impl FnMut(&mut BoardPorts) -> Done + Send + 'static> {
    blocking(move |io: &mut BoardPorts| {
        while let Some(ask) = io.asks.next_blocking() {
            let (done, answer) = match ask {
                Ask::Read(answer) => (read(&file), answer),
                Ask::Write(message, answer) => {
                    let written = write(&file, &message);
                    if let (Ok(()), Some(news)) = (&written, &io.news) {
                        news.send_blocking(message)?;
                    }
                    (written.map(|()| "It is on the board.".to_owned()), answer)
                }
            };
            // If the client has disconnected meanwhile, it needs no answer.
            let _ = answer.send_blocking(done.unwrap_or_else(|error| error.to_string()));
        }
        Ok(())
    })
}

fn read(file: &Path) -> io::Result<String> {
    match fs::read_to_string(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        read => read,
    }
}

fn write(file: &Path, message: &str) -> io::Result<()> {
    if read(file)?.lines().count() >= ROOM {
        return Err(io::Error::other("The board is full."));
    }
    let mut file = OpenOptions::new().create(true).append(true).open(file)?;
    file.write_all(format!("{message}\n").as_bytes())
}
