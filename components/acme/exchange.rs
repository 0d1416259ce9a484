//! HTTPS for the client of ACME: its requests leave by a link, and are made here.

use std::future::Future;
use std::io;
use std::net::ToSocketAddrs;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_lite::future::or;
use http::{Method, Response, Version};
use instant_acme::{BodyWrapper, BytesResponse, HttpClient};
use kamea::time::sleep;
use kamea_components::http::{
    BodyKind, Fields, Limits, Reply, ResponseDecoder, Url, encode_request,
};
use kamea_components::net::Socket;
use kamea_components::process::run_unconfined;
use kamea_components::tls::{ClientTls, connect_tls};
use tokio::sync::{mpsc, oneshot};

use crate::AcmeError;
use crate::error::short;

/// How long a request may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The largest answer, in bytes: a chain of certificates has some 10 KiB.
const LARGEST: u64 = 256 << 10;

type Request = http::Request<BodyWrapper<Bytes>>;
type Answer = Result<BytesResponse, instant_acme::Error>;

/// A request of the client, and where its answer goes.
pub(crate) type Asked = (Request, oneshot::Sender<Answer>);

/// What the client of ACME sends its requests by. The client wants futures that may move between
/// threads, which those of a connection may not: so requests go to [`serve_requests`].
#[derive(Clone)]
pub(crate) struct Link(mpsc::UnboundedSender<Asked>);

/// Makes a link. The client waits for each answer, so that one request is under way at most.
pub(crate) fn link() -> (Link, mpsc::UnboundedReceiver<Asked>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (Link(sender), receiver)
}

impl HttpClient for Link {
    fn request(&self, request: Request) -> Pin<Box<dyn Future<Output = Answer> + Send>> {
        let (answer, answered) = oneshot::channel();
        let sent = self.0.send((request, answer));
        Box::pin(async move {
            let gone = || instant_acme::Error::Str("the server stops");
            sent.map_err(|_| gone())?;
            answered.await.map_err(|_| gone())?
        })
    }
}

/// Makes the requests of a client, until it is dropped.
pub(crate) async fn serve_requests(tls: &ClientTls, requests: &mut mpsc::UnboundedReceiver<Asked>) {
    while let Some((request, answer)) = requests.recv().await {
        let made = exchange(tls, request).await;
        let made = made.map_err(|error| instant_acme::Error::Other(Box::new(error)));
        // The client may have given up.
        let _ = answer.send(made);
    }
}

async fn exchange(tls: &ClientTls, request: Request) -> Result<BytesResponse, AcmeError> {
    let (parts, body) = request.into_parts();
    let not_https = || AcmeError::Answer("a URL of the authority is not https".into());
    let url: Url = parts.uri.to_string().parse().map_err(|_| not_https())?;
    if !url.is_https() {
        return Err(not_https());
    }
    let wrong = |_| AcmeError::Answer("a request cannot be made".into());
    // The client reads all bodies by this type.
    let mut body = BytesResponse::from(Response::new(body)).body;
    let body = body.into_bytes().await.map_err(|_| wrong(()))?;
    let mut fields = Fields::new()
        .with("Host", url.authority())
        .with("Connection", "close");
    for (name, value) in &parts.headers {
        fields
            .push(name.as_str(), value.as_bytes())
            .map_err(|_| wrong(()))?;
    }
    let kind = match body.len() {
        0 => BodyKind::None,
        length => BodyKind::Sized(length as u64),
    };
    let head = url.request(parts.method.clone(), Version::HTTP_11, fields);
    let mut bytes = Vec::new();
    encode_request(&mut bytes, &head, kind);
    bytes.extend_from_slice(&body);
    let late = async {
        sleep(PATIENCE).await;
        Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "no answer within 30 s",
        ))
    };
    let made = or(converse(tls, &url, &parts.method, &bytes), late).await;
    made.map_err(|error| AcmeError::Unreachable {
        server: url.server(),
        why: short(&error.to_string()),
    })
}

async fn converse(
    tls: &ClientTls,
    url: &Url,
    method: &Method,
    request: &[u8],
) -> io::Result<BytesResponse> {
    let server = url.server();
    // The resolver of the system reads files that serving threads cannot.
    let addresses = run_unconfined(move || server.to_socket_addrs()).await?;
    let mut connected = Err(io::Error::other("its name has no address"));
    for address in addresses {
        connected = connect_tls(tls, url.host(), address).await;
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

async fn read(socket: &Socket, method: &Method) -> io::Result<BytesResponse> {
    let limits = Limits {
        body: LARGEST,
        ..Limits::default()
    };
    let mut decoder = ResponseDecoder::new(limits);
    decoder.expect(method);
    let (mut response, mut body, mut buffer) = (Response::builder(), Vec::new(), [0; 8192]);
    let mut is_finished = false;
    loop {
        let reply = match is_finished {
            false => decoder.next(),
            true => decoder.finish(),
        };
        match reply.map_err(io::Error::other)? {
            Some(Reply::Head(head, _)) => {
                response = response.status(head.status);
                for (name, value) in head.fields.iter() {
                    response = response.header(name, value);
                }
            }
            Some(Reply::Chunk(bytes)) => {
                if (body.len() + bytes.len()) as u64 > LARGEST {
                    return Err(io::Error::other("the answer is too long"));
                }
                body.extend_from_slice(&bytes);
            }
            Some(Reply::End(_)) => {
                let response = response.body(BodyWrapper::from(body));
                return Ok(response.map_err(io::Error::other)?.into());
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
