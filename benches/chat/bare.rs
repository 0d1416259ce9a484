//! What the broadcast is compared with: a loop that encrypts a message for each connection with
//! snow, and sends it with tokio. Each delivery is acknowledged, as by a receipt.

use std::cell::{Cell, RefCell};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use kamea_chat::system_random;
use snow::params::{CipherChoice, DHChoice, HashChoice};
use snow::resolvers::{CryptoResolver, DefaultResolver};
use snow::types::{Cipher, Dh, Hash, Random};
use snow::{Builder, HandshakeState, TransportState};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

use crate::{Error, process};

const PATTERN: &str = "Noise_XX_25519_ChaChaPoly_BLAKE2s";

/// A message with its signature and some predecessors; and a receipt.
const MESSAGE: [u8; 320] = [7; 320];
const RECEIPT: [u8; 49] = [12; 49];

pub(super) struct Bare;

type Sent = Result<f64, String>;

impl Bare {
    /// Sends so many messages to so many members. Returns the CPU time of the loop, in
    /// microseconds.
    pub(super) fn run(members: usize, messages: u32, rate: u32) -> Result<f64, Error> {
        let (ready, address) = mpsc::channel();
        let server = thread::spawn(move || -> Sent {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let runtime = runtime.map_err(|error| error.to_string())?;
            let served = serve(&runtime, ready, members, (messages, rate));
            served.map_err(|error| error.to_string())
        });
        let address = address.recv()?;
        let clients: Vec<_> = (0..members)
            .map(|_| thread::spawn(move || take(address, messages).map_err(|e| e.to_string())))
            .collect();
        let used = server.join().map_err(|_| "the loop has failed")??;
        for client in clients {
            client.join().map_err(|_| "a member has failed")??;
        }
        Ok(used)
    }
}

type Link = (OwnedWriteHalf, Rc<RefCell<TransportState>>);

fn serve(
    runtime: &Runtime,
    ready: mpsc::Sender<SocketAddr>,
    members: usize,
    (messages, rate): (u32, u32),
) -> Result<f64, Error> {
    let tasks = tokio::task::LocalSet::new();
    tasks.block_on(runtime, async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        ready.send(listener.local_addr()?)?;
        let acknowledged = Rc::new(Cell::new(0));
        let mut links: Vec<Link> = Vec::new();
        for _ in 0..members {
            let (mut stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let transport = Rc::new(RefCell::new(respond(&mut stream).await?));
            let (reader, writer) = stream.into_split();
            tasks.spawn_local(count(reader, transport.clone(), acknowledged.clone()));
            links.push((writer, transport));
        }
        let (before, start) = (process::thread_cpu_us()?, Instant::now());
        for number in 0..messages {
            let due = start + Duration::from_secs(1) * number / rate;
            tokio::time::sleep_until(due.into()).await;
            for (writer, transport) in &mut links {
                let mut record = [0; 2 + MESSAGE.len() + 16];
                let length = transport
                    .borrow_mut()
                    .write_message(&MESSAGE, &mut record[2..])?;
                record[..2].copy_from_slice(&(length as u16).to_be_bytes());
                writer.write_all(&record).await?;
            }
        }
        while acknowledged.get() < members * messages as usize {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(process::thread_cpu_us()? - before)
    })
}

/// Counts the acknowledgements of a member.
async fn count(
    mut reader: OwnedReadHalf,
    transport: Rc<RefCell<TransportState>>,
    count: Rc<Cell<usize>>,
) {
    let mut record = [0; RECEIPT.len() + 16];
    while reader.read_u16().await.is_ok() && reader.read_exact(&mut record).await.is_ok() {
        let mut receipt = [0; RECEIPT.len() + 16];
        if transport
            .borrow_mut()
            .read_message(&record, &mut receipt)
            .is_ok()
        {
            count.set(count.get() + 1);
        }
    }
}

async fn respond(stream: &mut TcpStream) -> Result<TransportState, Error> {
    let mut handshake = state(false)?;
    let mut buffer = [0; 256];
    loop {
        let length = stream.read_u16().await?.into();
        stream.read_exact(&mut buffer[..length]).await?;
        handshake.read_message(&buffer[..length], &mut [0; 256])?;
        if handshake.is_handshake_finished() {
            return Ok(handshake.into_transport_mode()?);
        }
        let length = handshake.write_message(&[], &mut buffer)?;
        stream.write_u16(length as u16).await?;
        stream.write_all(&buffer[..length]).await?;
    }
}

/// snow is built without a source of random numbers, as kamea-chat uses it.
struct Resolver;

struct FromSystem;

impl Random for FromSystem {
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), snow::Error> {
        system_random(bytes);
        Ok(())
    }
}

impl CryptoResolver for Resolver {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(FromSystem))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        DefaultResolver.resolve_dh(choice)
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        DefaultResolver.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        DefaultResolver.resolve_cipher(choice)
    }
}

fn state(is_initiator: bool) -> Result<HandshakeState, Error> {
    let new = || Ok::<_, Error>(Builder::with_resolver(PATTERN.parse()?, Box::new(Resolver)));
    let secret = new()?.generate_keypair()?.private;
    let builder = new()?.local_private_key(&secret)?;
    Ok(match is_initiator {
        true => builder.build_initiator()?,
        false => builder.build_responder()?,
    })
}

/// A member: takes messages, and acknowledges each.
fn take(address: SocketAddr, messages: u32) -> Result<(), Error> {
    let mut stream = std::net::TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut handshake = state(true)?;
    let mut buffer = [0; 1024];
    let mut read = |stream: &mut std::net::TcpStream| -> Result<Vec<u8>, Error> {
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let length = usize::from(u16::from_be_bytes(length));
        stream.read_exact(&mut buffer[..length])?;
        Ok(buffer[..length].to_vec())
    };
    let write = |stream: &mut std::net::TcpStream, record: &[u8]| -> Result<(), Error> {
        let length = (record.len() as u16).to_be_bytes();
        Ok(stream.write_all(&[&length, record].concat())?)
    };
    let mut out = [0; 1024];
    let length = handshake.write_message(&[], &mut out)?;
    write(&mut stream, &out[..length])?;
    handshake.read_message(&read(&mut stream)?, &mut out)?;
    let length = handshake.write_message(&[], &mut out)?;
    write(&mut stream, &out[..length])?;
    let mut transport = handshake.into_transport_mode()?;
    for _ in 0..messages {
        transport.read_message(&read(&mut stream)?, &mut out)?;
        let length = transport.write_message(&RECEIPT, &mut out)?;
        write(&mut stream, &out[..length])?;
    }
    Ok(())
}
