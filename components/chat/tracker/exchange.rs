//! Requests to the tracker, one after another, over a connection that is kept between them.

use std::io;
use std::net::ToSocketAddrs;
use std::time::Duration;

use bytes::Bytes;
use futures_lite::future::or;
use http::{Method, Version};
use kamea::time::sleep;
use kamea::unblock;
use kamea_components::http::{
    BodyKind, Fields, Limits, Reply, ReplyBody, ResponseDecoder, Target, Url, encode_request,
};
use kamea_components::net::Socket;
use kamea_components::tls::{ClientTls, connect_tls};
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

/// A connection to the tracker, between two requests.
#[derive(Debug)]
pub(super) struct Kept {
    socket: Socket,
    decoder: ResponseDecoder,
}

/// A request.
pub(super) struct TrackerRequest<'a> {
    pub(super) url: &'a Url,
    /// Whom to trust, if the tracker speaks TLS.
    pub(super) tls: Option<&'a ClientTls>,
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) cookie: Option<&'a str>,
    pub(super) body: Option<&'a Value>,
}

/// Sends a request, and reads the answer. The connection is that of the last request, if that is
/// still there.
pub(super) async fn exchange(
    kept: &mut Option<Kept>,
    asked: TrackerRequest<'_>,
) -> io::Result<Answered> {
    let wrong = |_| io::Error::other("the request is not a request");
    let method = Method::from_bytes(asked.method.as_bytes()).map_err(|_| wrong(()))?;
    let request = encode(&asked, &method).map_err(wrong)?;
    let late = async {
        sleep(PATIENCE).await;
        Err(io::ErrorKind::TimedOut.into())
    };
    or(converse(kept, &asked, &method, &request), late).await
}

fn encode(asked: &TrackerRequest<'_>, method: &Method) -> Result<Vec<u8>, ()> {
    let mut fields = Fields::new()
        .with("Host", asked.url.authority())
        .with("Accept", "application/json");
    if let Some(cookie) = asked.cookie {
        fields = fields.with("Cookie", cookie);
    }
    let body = asked.body.map(Value::to_string);
    let kind = match &body {
        Some(body) => {
            fields = fields.with("Content-Type", "application/json");
            BodyKind::Sized(body.len() as u64)
        }
        None => BodyKind::None,
    };
    let mut head = asked.url.request(method.clone(), Version::HTTP_11, fields);
    // The tracker may be below a path of a proxy.
    let base = asked.url.target().trim_end_matches('/');
    let target = Target::parse(method, format!("{base}{}", asked.path).into());
    head.target = target.map_err(|_| ())?;
    let mut request = Vec::new();
    encode_request(&mut request, &head, kind);
    request.extend_from_slice(body.unwrap_or_default().as_bytes());
    Ok(request)
}

async fn converse(
    kept: &mut Option<Kept>,
    asked: &TrackerRequest<'_>,
    method: &Method,
    request: &[u8],
) -> io::Result<Answered> {
    // The tracker closes a connection that it has not been asked on for long, or when it ends.
    if let Some(connection) = kept.take().filter(|kept| !kept.socket.has_input())
        && let Some(answered) = connection.ask(kept, method, request).await?
    {
        return Ok(answered);
    }
    let connection = Kept::open(asked.url, asked.tls).await?;
    let answered = connection.ask(kept, method, request).await?;
    answered.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

impl Kept {
    async fn open(url: &Url, tls: Option<&ClientTls>) -> io::Result<Self> {
        let server = url.server();
        let addresses = unblock(move || server.to_socket_addrs()).await?;
        let mut connected = Err(io::ErrorKind::AddrNotAvailable.into());
        for address in addresses {
            connected = match tls {
                _ if !url.is_https() => Socket::connect(address).await,
                Some(tls) => connect_tls(tls, url.host(), address).await,
                None => Err(io::Error::other("nobody is trusted for TLS")),
            };
            if connected.is_ok() {
                break;
            }
        }
        let limits = Limits {
            body: LARGEST,
            ..Limits::default()
        };
        Ok(Self {
            socket: connected?,
            decoder: ResponseDecoder::new(limits),
        })
    }

    /// Sends a request, and keeps the connection if the tracker does. Returns `None` if the
    /// connection has ended before anything was answered: the request is to be sent again.
    async fn ask(
        mut self,
        kept: &mut Option<Self>,
        method: &Method,
        request: &[u8],
    ) -> io::Result<Option<Answered>> {
        self.decoder.expect(method);
        let mut sent = 0;
        while sent < request.len() {
            match self.socket.write(&request[sent..], false).await {
                Ok(count) => sent += count,
                Err(_) => return Ok(None),
            }
        }
        let mut buffer = [0; 8192];
        let first = match self.socket.read(&mut buffer).await {
            Ok(0) | Err(_) => return Ok(None),
            Ok(count) => count,
        };
        self.decoder.feed(Bytes::copy_from_slice(&buffer[..first]));
        let (answered, is_persistent) = self.read().await?;
        if is_persistent && self.decoder.unread() == 0 {
            *kept = Some(self);
        }
        Ok(Some(answered))
    }

    /// Reads an answer. Returns whether another one can follow on this connection.
    async fn read(&mut self) -> io::Result<(Answered, bool)> {
        let (mut answered, mut body, mut buffer) = (Answered::default(), Vec::new(), [0; 8192]);
        let (mut is_finished, mut is_persistent) = (false, false);
        loop {
            let reply = match is_finished {
                false => self.decoder.next(),
                true => self.decoder.finish(),
            };
            match reply.map_err(io::Error::other)? {
                Some(Reply::Head(head, framing)) => {
                    answered.status = head.status.as_u16();
                    answered.cookie = cookie(&head.fields);
                    is_persistent = head.is_persistent() && framing != ReplyBody::UntilClose;
                }
                Some(Reply::Chunk(bytes)) => {
                    if (body.len() + bytes.len()) as u64 > LARGEST {
                        return Err(io::Error::other("the answer is too long"));
                    }
                    body.extend_from_slice(&bytes);
                }
                Some(Reply::End(_)) => {
                    answered.body = serde_json::from_slice(&body).unwrap_or_default();
                    return Ok((answered, is_persistent));
                }
                Some(_) => {}
                None if is_finished => return Err(io::ErrorKind::UnexpectedEof.into()),
                None => match self.socket.read(&mut buffer).await? {
                    0 => is_finished = true,
                    count => self.decoder.feed(Bytes::copy_from_slice(&buffer[..count])),
                },
            }
        }
    }
}

/// `name=value` of a cookie that is set.
fn cookie(fields: &Fields) -> Option<String> {
    let cookie = String::from_utf8_lossy(fields.get("set-cookie")?);
    cookie.split(';').next().map(str::to_owned)
}
