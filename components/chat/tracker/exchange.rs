//! One request to the tracker, over a connection of its own.

use std::io;
use std::net::ToSocketAddrs;
use std::time::Duration;

use bytes::Bytes;
use futures_lite::future::or;
use http::{Method, Version};
use kamea::time::sleep;
use kamea::unblock;
use kamea_components::http::{
    BodyKind, Fields, Limits, Reply, ResponseDecoder, Target, Url, encode_request,
};
use kamea_components::net::Socket;
use serde_json::Value;

/// How long a request may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The largest answer, in bytes: a list of 10,000 peers.
const LARGEST: u64 = 4 << 20;

/// The answer of the tracker.
#[derive(Debug, Default)]
pub(super) struct Answered {
    pub(super) status: u16,
    /// `name=value` of a new session.
    pub(super) cookie: Option<String>,
    pub(super) body: Value,
}

/// Sends a request, and reads the answer.
pub(super) async fn exchange(
    url: &Url,
    method: &str,
    path: &str,
    cookie: Option<&str>,
    body: Option<&Value>,
) -> io::Result<Answered> {
    let wrong = |_| io::Error::other("the request is not a request");
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| wrong(()))?;
    let mut fields = Fields::new()
        .with("Host", url.authority())
        .with("Accept", "application/json")
        .with("Connection", "close");
    if let Some(cookie) = cookie {
        fields = fields.with("Cookie", cookie);
    }
    let body = body.map(Value::to_string);
    let kind = match &body {
        Some(body) => {
            fields = fields.with("Content-Type", "application/json");
            BodyKind::Sized(body.len() as u64)
        }
        None => BodyKind::None,
    };
    let mut head = url.request(method.clone(), Version::HTTP_11, fields);
    // The tracker may be below a path of a proxy.
    let base = url.target().trim_end_matches('/');
    let target = Target::parse(&method, format!("{base}{path}").into());
    head.target = target.map_err(|_| wrong(()))?;
    let mut request = Vec::new();
    encode_request(&mut request, &head, kind);
    request.extend_from_slice(body.unwrap_or_default().as_bytes());
    let late = async {
        sleep(PATIENCE).await;
        Err(io::ErrorKind::TimedOut.into())
    };
    or(converse(url, &method, &request), late).await
}

async fn converse(url: &Url, method: &Method, request: &[u8]) -> io::Result<Answered> {
    let server = url.server();
    let addresses = unblock(move || server.to_socket_addrs()).await?;
    let mut connected = Err(io::ErrorKind::AddrNotAvailable.into());
    for address in addresses {
        connected = Socket::connect(address).await;
        if connected.is_ok() {
            break;
        }
    }
    let socket = connected?;
    let mut sent = 0;
    while sent < request.len() {
        sent += socket.write(&request[sent..], false).await?;
    }
    read(&socket, method).await
}

async fn read(socket: &Socket, method: &Method) -> io::Result<Answered> {
    let limits = Limits {
        body: LARGEST,
        ..Limits::default()
    };
    let mut decoder = ResponseDecoder::new(limits);
    decoder.expect(method);
    let (mut answered, mut body, mut buffer) = (Answered::default(), Vec::new(), [0; 8192]);
    let mut is_finished = false;
    loop {
        let reply = match is_finished {
            false => decoder.next(),
            true => decoder.finish(),
        };
        match reply.map_err(io::Error::other)? {
            Some(Reply::Head(head, _)) => {
                answered.status = head.status.as_u16();
                let cookie = head.fields.get("set-cookie").map(String::from_utf8_lossy);
                let pair = cookie
                    .as_deref()
                    .and_then(|cookie| cookie.split(';').next());
                answered.cookie = pair.map(str::to_owned);
            }
            Some(Reply::Chunk(bytes)) => {
                if (body.len() + bytes.len()) as u64 > LARGEST {
                    return Err(io::Error::other("the answer is too long"));
                }
                body.extend_from_slice(&bytes);
            }
            Some(Reply::End(_)) => {
                answered.body = serde_json::from_slice(&body).unwrap_or_default();
                return Ok(answered);
            }
            Some(_) => {}
            None if is_finished => return Err(io::ErrorKind::UnexpectedEof.into()),
            None => match socket.read(&mut buffer).await? {
                0 => is_finished = true,
                count => decoder.feed(Bytes::copy_from_slice(&buffer[..count])),
            },
        }
    }
}
