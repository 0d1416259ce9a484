//! Peers as the tracker sees them: each with its own address, its own connection, and a session.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use kamea_chat::{Identity, to_hex};
use serde_json::{Value, json};
use tokio::net::TcpSocket;

use super::programs::Tracker;
use crate::Error;

/// A peer that has logged in.
pub(super) struct Registered {
    connection: Connection,
    session: String,
}

impl Registered {
    /// Logs in, as `start_peer` does, and puts the peer on the list.
    pub(super) fn new(tracker: &Tracker, number: u32) -> Result<Self, Error> {
        let mut secret = [5; 32];
        secret[..4].copy_from_slice(&number.to_be_bytes());
        let identity = Identity::from_secret(secret);
        let (name, key) = (format!("peer{number}"), identity.key().to_string());
        // 127.1.0.0 and the addresses after it.
        let address = Ipv4Addr::from_bits(0x7f01_0000 + number);
        let mut connection = Connection::open(address, tracker.address)?;
        let who = json!({"name": name, "key": key});
        let (asked, _) = connection.ask("POST", "/login/", "", Some(&who))?;
        let nonce = asked["nonce"].as_str().unwrap_or_default();
        let signed = format!("kamea-chat login 1\n{nonce}\n{name}\n{key}\n");
        let signature = to_hex(&identity.sign(signed.as_bytes()));
        let proof = json!({"name": name, "key": key, "nonce": nonce, "signature": signature});
        let (_, session) = connection.ask("POST", "/login/", "", Some(&proof))?;
        let mut peer = Self {
            connection,
            session,
        };
        peer.heartbeat()?;
        peer.post("/add-list/", &json!({}))?;
        Ok(peer)
    }

    pub(super) fn heartbeat(&mut self) -> Result<(), Error> {
        let info = json!({"addresses": ["0.0.0.0:9101"], "links": ["peer1", "peer2"]});
        self.post("/submit-info/", &info)
    }

    fn post(&mut self, path: &str, body: &Value) -> Result<(), Error> {
        let asked = self
            .connection
            .ask("POST", path, &self.session, Some(body))?;
        drop(asked);
        Ok(())
    }
}

/// Asks for the list, over a new connection. Returns how many peers are on it.
pub(super) fn list(tracker: &Tracker) -> Result<usize, Error> {
    let mut connection = Connection::open(Ipv4Addr::LOCALHOST, tracker.address)?;
    let (answer, _) = connection.ask("GET", "/get-list/", "", None)?;
    Ok(answer["peers"].as_array().map_or(0, Vec::len))
}

struct Connection(BufReader<TcpStream>);

impl Connection {
    /// Connects from an address of this machine.
    fn open(from: Ipv4Addr, to: SocketAddr) -> Result<Self, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()?;
        let connected = runtime.block_on(async {
            let socket = TcpSocket::new_v4()?;
            socket.bind((from, 0).into())?;
            socket.connect(to).await?.into_std()
        });
        let stream = connected?;
        stream.set_nonblocking(false)?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Sends a request. Returns the body of the answer, and the session that it gives.
    fn ask(
        &mut self,
        method: &str,
        path: &str,
        session: &str,
        body: Option<&Value>,
    ) -> Result<(Value, String), Error> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let count = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nCookie: {session}\r\n\
             Content-Type: application/json\r\nContent-Length: {count}\r\n\r\n{body}"
        );
        self.0.get_mut().write_all(request.as_bytes())?;
        let (mut line, mut length, mut session) = (String::new(), 0, String::new());
        self.0.read_line(&mut line)?;
        if !line.starts_with("HTTP/1.1 200 ") {
            return Err(format!("{path}: {line}").into());
        }
        loop {
            line.clear();
            self.0.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse()?,
                "set-cookie" => {
                    let pair = value.split(';').next();
                    pair.unwrap_or_default().clone_into(&mut session);
                }
                _ => {}
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body)?;
        Ok((serde_json::from_slice(&body)?, session))
    }
}
