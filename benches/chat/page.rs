//! The live connection of a page.

use std::io::{Read, Write};
use std::marker::PhantomData;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use kamea_components::websocket::{Assembler, Decoder, Encoder, Event, Limits, Message, Role};
use serde_json::{Value, json};

use super::programs::Peer;
use crate::Error;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// The page of a peer, which ends with it: so a page cannot outlive its peer.
pub(super) struct Page<'a> {
    peer: PhantomData<&'a Peer>,
    stream: TcpStream,
    encoder: Encoder,
    decoder: Decoder,
    assembler: Assembler,
    /// Events that came while something else was waited for.
    events: Vec<Value>,
    next: u64,
}

impl<'a> Page<'a> {
    pub(super) fn open(peer: &'a Peer) -> Result<Self, Error> {
        let (page, token) = (peer.page, &peer.token);
        let mut stream = TcpStream::connect(page)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let request = format!(
            "GET /live HTTP/1.1\r\nHost: {page}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        stream.write_all(request.as_bytes())?;
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        if !head.starts_with(b"HTTP/1.1 101 ") {
            return Err(String::from_utf8_lossy(&head).into());
        }
        let mut page = Self {
            peer: PhantomData,
            stream,
            encoder: Encoder::new(Role::Client, None),
            decoder: Decoder::new(Role::Client, Limits::default(), None),
            assembler: Assembler::default(),
            events: Vec::new(),
            next: 1 << 32,
        };
        page.send(&json!({"do": "log-in", "token": token}))?;
        Ok(page)
    }

    fn receive(&mut self) -> Result<Value, Error> {
        loop {
            while let Some(event) = self.decoder.next().map_err(|_| "an odd frame")? {
                match event {
                    Event::Data {
                        kind,
                        bytes,
                        is_last,
                    } => {
                        let message = self.assembler.add(kind, bytes, is_last);
                        if let Some(message) = message.map_err(|_| "an odd message")? {
                            return Ok(serde_json::from_slice(message.payload())?);
                        }
                    }
                    Event::Ping(payload) => {
                        let mut pong = BytesMut::new();
                        self.encoder.pong(&payload, &mut pong);
                        self.stream.write_all(&pong)?;
                    }
                    Event::Close(close) => {
                        let (code, reason) = (close.code.0, close.reason);
                        return Err(format!("the peer closes its page: {code} {reason}").into());
                    }
                    Event::Pong(_) => {}
                }
            }
            let mut buffer = [0; 16_384];
            match self.stream.read(&mut buffer)? {
                0 => return Err("the peer has closed its page".into()),
                count => self.decoder.feed(Bytes::copy_from_slice(&buffer[..count])),
            }
        }
    }

    fn send(&mut self, command: &Value) -> Result<(), Error> {
        let mut bytes = BytesMut::new();
        let message = Message::text(command.to_string());
        let rest = self.encoder.message(&message, &mut bytes);
        bytes.extend_from_slice(&rest.unwrap_or_default());
        Ok(self.stream.write_all(&bytes)?)
    }

    /// Does a command. Events that come before its answer are kept.
    pub(super) fn ask(&mut self, mut command: Value) -> Result<Value, Error> {
        self.next += 1;
        command["id"] = self.next.into();
        self.send(&command)?;
        loop {
            let value = self.receive()?;
            if value["reply"] == self.next {
                return match value["error"].as_str() {
                    Some(error) => Err(error.into()),
                    None => Ok(value["ok"].clone()),
                };
            }
            // The events of messages would become many.
            if !["message", "state"].contains(&value["event"].as_str().unwrap_or_default()) {
                self.events.push(value);
            }
        }
    }

    /// Waits for an event.
    pub(super) fn event(&mut self, is_it: impl Fn(&Value) -> bool) -> Result<Value, Error> {
        loop {
            if let Some(place) = self.events.iter().position(&is_it) {
                return Ok(self.events.remove(place));
            }
            let event = self.receive()?;
            self.events.push(event);
        }
    }

    /// Waits for messages whose texts are the nanoseconds from `start` to their sending. Returns the
    /// milliseconds that each took.
    pub(super) fn arrivals(mut self, count: u32, start: Instant) -> Result<Vec<f64>, Error> {
        let mut took = Vec::new();
        while took.len() < count as usize {
            let value = self.receive()?;
            if value["event"] == "message" {
                let text = value["message"]["text"].as_str().unwrap_or_default();
                let sent = Duration::from_nanos(text.parse()?);
                took.push((start.elapsed() - sent).as_secs_f64() * 1e3);
            }
        }
        Ok(took)
    }
}
