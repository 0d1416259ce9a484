//! Sessions of tower-sessions in Redis, over one connection: commands that wait for it are written
//! together, and their answers are read together.
//!
//! The store that exists for it needs a large client library. This one sends the same commands with
//! less work.

use std::io;
use std::net::SocketAddr;

use async_trait::async_trait;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tower_sessions::SessionStore;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{Error, Result};

use crate::sessions::backend;

/// The answer of Redis: a value, if it has one.
type Answer = io::Result<Option<Vec<u8>>>;

/// A command in RESP, and where its answer goes.
type Question = (Vec<u8>, oneshot::Sender<Answer>);

/// How many commands may wait.
const MOST: usize = 256;

/// Sessions in Redis.
#[derive(Debug, Clone)]
pub(crate) struct Redis(mpsc::Sender<Question>);

impl Redis {
    pub(crate) async fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (questions, waiting) = mpsc::channel(MOST);
        tokio::spawn(speak(stream, waiting));
        Ok(Self(questions))
    }

    async fn ask(&self, words: &[&[u8]]) -> Result<Option<Vec<u8>>> {
        let mut command = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            command.extend(format!("${}\r\n", word.len()).as_bytes());
            command.extend(*word);
            command.extend(b"\r\n");
        }
        let (told, answer) = oneshot::channel();
        self.0.send((command, told)).await.map_err(backend)?;
        answer.await.map_err(backend)?.map_err(backend)
    }
}

async fn speak(mut stream: TcpStream, mut waiting: mpsc::Receiver<Question>) -> io::Result<()> {
    let (reader, mut writer) = stream.split();
    let mut reader = BufReader::new(reader);
    let mut questions = Vec::new();
    while waiting.recv_many(&mut questions, MOST).await > 0 {
        let commands = questions.iter().flat_map(|(command, _)| command);
        writer
            .write_all(&commands.copied().collect::<Vec<_>>())
            .await?;
        for (_, told) in questions.drain(..) {
            // Nobody waits for it, if the client has gone.
            let _ = told.send(read(&mut reader).await);
        }
    }
    Ok(())
}

/// Reads one answer.
async fn read(reader: &mut (impl AsyncBufReadExt + Unpin)) -> Answer {
    let mut line = String::new();
    reader.read_line(&mut line).await?;
    let other = |line: &str| io::Error::other(format!("Redis says {line:?}"));
    let line = line.trim_end();
    match line.split_at_checked(1) {
        Some(("+" | ":", _)) => Ok(None),
        Some(("$", "-1")) => Ok(None),
        Some(("$", length)) => {
            let length: usize = length.parse().map_err(|_| other(line))?;
            let mut value = vec![0; length + 2];
            reader.read_exact(&mut value).await?;
            value.truncate(length);
            Ok(Some(value))
        }
        _ => Err(other(line)),
    }
}

#[async_trait]
impl SessionStore for Redis {
    async fn create(&self, record: &mut Record) -> Result<()> {
        self.save(record).await
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let data = rmp_serde::to_vec(record).map_err(|error| Error::Encode(error.to_string()))?;
        let (id, expiry) = (record.id.to_string(), record.expiry_date.unix_timestamp());
        let expiry = expiry.to_string();
        let words: [&[u8]; 5] = [b"SET", id.as_bytes(), &data, b"EXAT", expiry.as_bytes()];
        self.ask(&words).await.map(drop)
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let Some(data) = self.ask(&[b"GET", id.to_string().as_bytes()]).await? else {
            return Ok(None);
        };
        let record = rmp_serde::from_slice(&data);
        record.map_err(|error| Error::Decode(error.to_string()))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        self.ask(&[b"DEL", id.to_string().as_bytes()])
            .await
            .map(drop)
    }
}
