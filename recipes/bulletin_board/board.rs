//! The messages of the bulletin board, kept in a file by one component: whoever wants something of them asks it.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use kamea::{Blocking, Done, Inbox, Outbox, Ports, Sender, blocking};

/// How many messages the board has room for.
const ROOM: usize = 1000;

/// What may be asked of the board; the answer goes to the sender.
#[derive(Debug)]
pub(crate) enum Ask {
    /// All messages, a line each.
    Read(Sender<String>),
    /// To keep one more.
    Write(String, Sender<String>),
}

/// The ports of [`keep_board`].
#[derive(Debug, Ports)]
pub(crate) struct BoardPorts {
    /// What is asked.
    pub(crate) asks: Inbox<Ask>,
    /// Each message that is new.
    pub(crate) news: Option<Outbox<String>>,
}

/// Keeps the messages in a file. It has a thread of its own, because files block.
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
            // Whoever has gone meanwhile needs no answer.
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
