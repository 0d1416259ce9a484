//! The opening handshake (RFC 6455 section 4).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{Method, StatusCode, Version};
use sha1::{Digest, Sha1};

use super::{Deflate, DeflateOptions, negotiate_deflate};
use crate::http::{Fields, RequestHead};

/// Which pages may connect. Browsers send `Origin`, and a page of any site may open a WebSocket to
/// any other, with its cookies (RFC 6455 section 10.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Origins {
    /// Pages from the host that the request is for, and clients that send no `Origin`.
    #[default]
    Same,
    /// These, such as `https://example.org`, and clients that send no `Origin`.
    These(Vec<String>),
    /// All.
    Any,
}

/// What a server accepts.
///
/// # Examples
///
/// ```
/// use kamea_components::websocket::HandshakeOptions;
///
/// let options = HandshakeOptions { protocols: vec!["chat".to_owned()], ..HandshakeOptions::default() };
/// assert!(options.deflate.is_some());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandshakeOptions {
    /// The only path that is served; others get 404. Default: any path.
    pub path: Option<String>,
    /// Which pages may connect. Default: pages of the same host.
    pub origins: Origins,
    /// The subprotocols that it speaks, best first. Default: none.
    pub protocols: Vec<String>,
    /// How to compress, if at all. Default: with [`DeflateOptions::default`].
    pub deflate: Option<DeflateOptions>,
}

impl Default for HandshakeOptions {
    fn default() -> Self {
        Self {
            path: None,
            origins: Origins::Same,
            protocols: Vec::new(),
            deflate: Some(DeflateOptions::default()),
        }
    }
}

/// An accepted handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handshake {
    /// The subprotocol, if the client offers one that the server speaks.
    pub protocol: Option<String>,
    /// The agreed compression.
    pub deflate: Option<Deflate>,
    /// The fields of the response 101.
    pub fields: Fields,
}

/// Why a request is not answered by 101.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Refusal {
    /// The status of the response.
    pub status: StatusCode,
    /// The reason, for the client.
    pub why: &'static str,
    /// Fields of the response.
    pub fields: Fields,
}

impl Refusal {
    fn new(status: StatusCode, why: &'static str) -> Self {
        let fields = Fields::new();
        Self {
            status,
            why,
            fields,
        }
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.fields = self.fields.with(name, value);
        self
    }
}

/// The version of the protocol.
const VERSION: &str = "13";

/// RFC 6455 section 1.3.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The value of `Sec-WebSocket-Accept` for a key (RFC 6455 section 4.2.2).
///
/// # Examples
///
/// ```
/// use kamea_components::websocket::accept_key;
///
/// assert_eq!(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// ```
#[must_use]
pub fn accept_key(key: &str) -> String {
    let digest = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    STANDARD.encode(digest)
}

/// Checks a request for a WebSocket (RFC 6455 section 4.2.1), and chooses subprotocol and
/// compression.
///
/// # Errors
///
/// A [`Refusal`]: 404 for another path, 405 for another method than GET, 426 for a request that is
/// no handshake or of another version, 400 for one that is malformed, 403 for a page of another
/// site.
pub fn check_handshake(
    head: &RequestHead,
    options: &HandshakeOptions,
) -> Result<Handshake, Refusal> {
    if options
        .path
        .as_deref()
        .is_some_and(|path| path != head.target.path())
    {
        return Err(Refusal::new(
            StatusCode::NOT_FOUND,
            "there is no WebSocket at this path",
        ));
    }
    let key = check_request(head)?;
    check_origin(head, &options.origins)?;
    let mut fields = Fields::new()
        .with("Upgrade", "websocket")
        .with("Sec-WebSocket-Accept", accept_key(key));
    let protocol = choose_protocol(&head.fields, &options.protocols);
    if let Some(protocol) = &protocol {
        fields = fields.with("Sec-WebSocket-Protocol", protocol);
    }
    let offers = head.fields.get_all("sec-websocket-extensions");
    let offers = offers.filter_map(|offer| std::str::from_utf8(offer).ok());
    let deflate = options.deflate.as_ref();
    let agreed = deflate.and_then(|deflate| negotiate_deflate(offers, deflate));
    let deflate = agreed.map(|(deflate, response)| {
        fields = std::mem::take(&mut fields).with("Sec-WebSocket-Extensions", response);
        deflate
    });
    Ok(Handshake {
        protocol,
        deflate,
        fields,
    })
}

/// Checks everything but what the server may choose. Returns the key.
fn check_request(head: &RequestHead) -> Result<&str, Refusal> {
    let fields = &head.fields;
    if head.method != Method::GET {
        let refusal = Refusal::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "a WebSocket begins with GET",
        );
        return Err(refusal.with("Allow", "GET"));
    }
    let upgrades = head.version >= Version::HTTP_11
        && fields.list_contains("connection", "upgrade")
        && fields.list_contains("upgrade", "websocket");
    if !upgrades {
        let why = "this address is for WebSockets: the request has no Upgrade to one";
        let refusal = Refusal::new(StatusCode::UPGRADE_REQUIRED, why);
        return Err(refusal.with("Upgrade", "websocket"));
    }
    if single(fields, "sec-websocket-version") != Some(VERSION) {
        let why = "this version of WebSocket is not spoken here, version 13 is";
        let refusal = Refusal::new(StatusCode::UPGRADE_REQUIRED, why);
        let refusal = refusal.with("Upgrade", "websocket");
        return Err(refusal.with("Sec-WebSocket-Version", VERSION));
    }
    let key = single(fields, "sec-websocket-key");
    key.filter(|key| STANDARD.decode(key).is_ok_and(|key| key.len() == 16))
        .ok_or_else(|| {
            let why = "Sec-WebSocket-Key must be 16 bytes in base64, once";
            Refusal::new(StatusCode::BAD_REQUEST, why)
        })
}

/// A field that stands in a request once.
fn single<'a>(fields: &'a Fields, name: &'a str) -> Option<&'a str> {
    let mut values = fields.get_all(name);
    let value = values.next()?;
    match values.next() {
        None => std::str::from_utf8(value).ok(),
        Some(_) => None,
    }
}

fn check_origin(head: &RequestHead, origins: &Origins) -> Result<(), Refusal> {
    let mut sent = head.fields.get_all("origin");
    let Some(origin) = sent.next() else {
        return Ok(());
    };
    let is_allowed = match origins {
        Origins::Any => true,
        Origins::These(allowed) => {
            let is_it = |one: &String| one.as_bytes().eq_ignore_ascii_case(origin);
            allowed.iter().any(is_it)
        }
        Origins::Same => head.is_own_origin(origin),
    };
    if is_allowed && sent.next().is_none() {
        return Ok(());
    }
    let why = "pages of this origin may not connect";
    Err(Refusal::new(StatusCode::FORBIDDEN, why))
}

/// The first of our protocols that the client offers.
fn choose_protocol(fields: &Fields, ours: &[String]) -> Option<String> {
    let is_offered = |name: &&String| {
        let mut offered = fields
            .get_all("sec-websocket-protocol")
            .flat_map(|value| value.split(|byte| *byte == b','));
        offered.any(|offer| offer.trim_ascii() == name.as_bytes())
    };
    ours.iter().find(is_offered).cloned()
}
