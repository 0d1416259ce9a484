//! Members of a channel, on threads of the harness: they take what is published, and send receipts.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use kamea_chat::{
    Body, ChannelId, Draft, Frame, Handshake, Identity, Message, PeerName, Receipt, Records, Role,
    Session, Transport, system_random,
};
use serde_json::Value;

use crate::Error;

/// The largest record, in bytes.
const LARGEST: usize = 65_535;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Members, all on one thread.
pub(super) struct Members {
    /// How many messages each of them has.
    counts: mpsc::Receiver<Result<Option<u32>, String>>,
    count: usize,
}

struct Member {
    stream: TcpStream,
    records: Records,
    transport: Transport,
}

impl Members {
    /// Connects to a peer, so many times, and keeps one of its channels.
    pub(super) fn connect(peer: SocketAddr, count: usize, channel: &Value) -> Result<Self, Error> {
        let channel: ChannelId = channel.as_str().unwrap_or_default().parse()?;
        let members: Result<Vec<_>, Error> = (0..count)
            .map(|number| Member::connect(peer, number, channel))
            .collect();
        let (sender, counts) = mpsc::channel();
        for mut member in members? {
            let sender = sender.clone();
            thread::spawn(move || {
                let mut read = 0;
                loop {
                    let taken = member.take(channel, read);
                    let is_last = taken.is_err();
                    let news = taken.map(|is_new| {
                        read += u32::from(is_new);
                        is_new.then_some(read)
                    });
                    if sender
                        .send(news.map_err(|error| error.to_string()))
                        .is_err()
                        || is_last
                    {
                        return;
                    }
                }
            });
        }
        Ok(Self { counts, count })
    }

    /// Waits until each has so many messages.
    pub(super) fn finished(self, messages: u32) -> Result<(), Error> {
        let mut finished = 0;
        while finished < self.count {
            let read = self.counts.recv_timeout(PATIENCE)??;
            finished += usize::from(read == Some(messages));
        }
        Ok(())
    }
}

impl Member {
    fn connect(peer: SocketAddr, number: usize, channel: ChannelId) -> Result<Self, Error> {
        let mut secret = [6; 32];
        secret[..8].copy_from_slice(&number.to_be_bytes());
        let identity = Identity::from_secret(secret);
        let mut stream = TcpStream::connect(peer)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let mut records = Records::default();
        let mut handshake = Handshake::new(Role::Initiator, &identity, system_random)?;
        let transport = loop {
            if let Some(message) = handshake.send()? {
                stream.write_all(&Records::write(&message))?;
            }
            if handshake.is_finished() {
                break handshake.finish()?.1;
            }
            handshake.receive(&next(&mut stream, &mut records)?)?;
        };
        let mut member = Self {
            stream,
            records,
            transport,
        };
        let name: PeerName = format!("member{number}").parse()?;
        member.send(&Session::greeting(&name))?;
        // Its heads are known when it is announced.
        while !matches!(member.receive()?, Frame::Heads { .. }) {}
        let heads = vec![channel];
        member.send(&Frame::Heads { channel, heads })?;
        let draft = Draft {
            channel: Some(channel),
            name,
            counter: 1,
            time: 0,
            predecessors: vec![channel],
            body: Body::Join { invitation: None },
        };
        let joins = Message::sign(draft, &identity)?;
        member.send(&Frame::Publish(joins.bytes().clone()))?;
        // Then it gets every later message.
        while !matches!(member.receive()?, Frame::Receipt { .. }) {}
        Ok(member)
    }

    fn send(&mut self, frame: &Frame) -> Result<(), Error> {
        let record = self.transport.seal(&frame.encode())?;
        Ok(self.stream.write_all(&Records::write(&record))?)
    }

    fn receive(&mut self) -> Result<Frame, Error> {
        let record = next(&mut self.stream, &mut self.records)?;
        Ok(Frame::decode(&self.transport.open(&record)?)?)
    }

    /// Takes a frame. Returns whether it was a message.
    fn take(&mut self, channel: ChannelId, read: u32) -> Result<bool, Error> {
        match self.receive()? {
            Frame::Ping(number) => self.send(&Frame::Pong(number)).map(|()| false),
            Frame::Publish(_) => {
                // The first message of the owner has created the channel.
                let held = u64::from(read) + 2;
                let receipt = Receipt { held, read: 0 };
                self.send(&Frame::Receipt { channel, receipt })?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }
}

/// Reads the next record.
fn next(stream: &mut TcpStream, records: &mut Records) -> Result<bytes::Bytes, Error> {
    loop {
        if let Some(record) = records.next(LARGEST)? {
            return Ok(record);
        }
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer) {
            Ok(0) => return Err("the peer has closed a link".into()),
            Ok(count) => records.feed(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}
