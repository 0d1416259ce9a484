//! One TLS connection without I/O: records in, plaintext out, and the reverse.

use std::fmt;
use std::mem;

use bytes::Bytes;
use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::pki_types::ServerName;
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedConnectionCommon,
    UnbufferedStatus, WriteTraffic,
};
use rustls::{AlertDescription, HandshakeKind, ProtocolVersion};

use super::error::{alert_name, last_alert};
use super::resolver::{Chosen, take_chosen};
use super::{ClientTls, ServerTls, TlsError};
use crate::tls::Certificate;

/// What a record adds to its plaintext at most, in bytes: header, explicit nonce, content type and
/// tag (RFC 8446 section 5.2, RFC 5246 section 6.2.3.3).
const OVERHEAD: usize = 64;

/// The largest plaintext of a record, in bytes (RFC 8446 section 5.1).
const LARGEST_RECORD: usize = 16 * 1024;

/// What both ends agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Facts {
    /// The version: `TLSv1.3` or `TLSv1.2`.
    pub version: &'static str,
    /// The cipher suite, under its IANA name.
    pub cipher: String,
    /// The group of the key exchange, such as `X25519`.
    pub key_exchange: String,
    /// The name that the client asked for (RFC 6066 section 3).
    pub server_name: Option<String>,
    /// The certificate that the server has shown, or would have shown if no session had been
    /// resumed; `None` on the side of the client.
    pub certificate: Option<Certificate>,
    /// The application protocol (RFC 7301).
    pub protocol: Option<String>,
    /// Whether the session of an earlier connection was resumed.
    pub resumed: bool,
    /// The certificates of the peer as DER, its own first. They have been verified.
    pub peer_certificates: Vec<Bytes>,
}

impl Facts {
    /// The certificate of the peer, if it has shown one.
    #[must_use]
    pub fn peer_certificate(&self) -> Option<Certificate> {
        let chain = self.peer_certificates.clone();
        (!chain.is_empty())
            .then(|| Certificate::new(chain, None).ok())
            .flatten()
    }
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.version, self.cipher, self.key_exchange)?;
        if let Some(name) = &self.server_name {
            write!(f, " for {name}")?;
        }
        f.write_str(if self.resumed { ", resumed" } else { "" })
    }
}

/// One TLS connection without I/O. It is given records, and returns plaintext; it is given
/// plaintext, and returns records.
///
/// # Examples
///
/// ```
/// use kamea_components::tls::{ClientTls, ServerTls, Session, TlsOptions, self_signed};
///
/// let certificate = self_signed(&["localhost"])?;
/// let server = ServerTls::new(TlsOptions::new(vec![certificate.clone()]))?;
/// let client = ClientTls::trusting(&certificate)?;
/// let mut server = Session::server(&server);
/// let mut client = Session::client(&client, "localhost")?;
/// while client.is_handshaking() || server.is_handshaking() {
///     server.receive(&client.take_outgoing())?;
///     client.receive(&server.take_outgoing())?;
/// }
/// let mut records = Vec::new();
/// client.encrypt(b"hello", &mut records)?;
/// server.receive(&records)?;
/// assert_eq!(server.take_plaintext(), "hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Session {
    side: Side,
    /// Records that are not complete yet.
    incoming: Vec<u8>,
    /// Handshake messages and alerts that must be sent.
    outgoing: Vec<u8>,
    /// Plaintext that nobody has taken yet.
    plaintext: Vec<u8>,
    has_peer_closed: bool,
    /// Whether anything of the protocol was sent.
    has_spoken: bool,
    failure: Option<TlsError>,
    /// The name that the client asked for, and the certificate for it.
    chosen: Option<Box<Chosen>>,
    /// Whether the last bytes that were encrypted were many.
    has_momentum: bool,
}

enum Side {
    Server(Box<UnbufferedServerConnection>),
    Client(Box<UnbufferedClientConnection>),
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("is_handshaking", &self.is_handshaking())
            .field("has_peer_closed", &self.has_peer_closed)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// The server's end of a connection.
    ///
    /// # Panics
    ///
    /// Never: [`ServerTls::new`] has made a session of the same options.
    #[must_use]
    pub fn server(tls: &ServerTls) -> Self {
        let connection = UnbufferedServerConnection::new(tls.config());
        #[expect(
            clippy::expect_used,
            reason = "the options are checked once, when they are made"
        )]
        let connection = connection.expect("these options have made a session before");
        Self::new(Side::Server(Box::new(connection)))
    }

    /// The client's end of a connection to the server of this name or address.
    ///
    /// # Errors
    ///
    /// If `server` is neither a name nor an address.
    pub fn client(tls: &ClientTls, server: &str) -> Result<Self, TlsError> {
        let name = ServerName::try_from(server.to_owned())
            .map_err(|_| TlsError::Name(server.to_owned()))?;
        let connection = UnbufferedClientConnection::new(tls.config(), name)?;
        let mut session = Self::new(Side::Client(Box::new(connection)));
        // The client speaks first.
        session.receive(&[])?;
        Ok(session)
    }

    fn new(side: Side) -> Self {
        Self {
            side,
            incoming: Vec::new(),
            outgoing: Vec::new(),
            plaintext: Vec::new(),
            has_peer_closed: false,
            has_spoken: false,
            failure: None,
            chosen: None,
            has_momentum: false,
        }
    }

    /// Takes records, cut anywhere. Their plaintext waits for
    /// [`take_plaintext`](Self::take_plaintext), and what must be sent for
    /// [`take_outgoing`](Self::take_outgoing).
    ///
    /// # Errors
    ///
    /// If the peer broke a rule, or sent an alert. The outgoing bytes then have our alert.
    pub fn receive(&mut self, records: &[u8]) -> Result<(), TlsError> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        self.incoming.extend_from_slice(records);
        let mut received = self.advance(|_, _| Ok(()));
        if let Err(TlsError::Refused { alert, .. }) = &mut received {
            self.tell(alert);
        }
        self.failure = received.clone().err();
        received
    }

    /// Notes which alert was sent. If none was, though the peer has heard nothing yet, it is sent:
    /// `rustls` is silent about some records that it cannot read.
    fn tell(&mut self, alert: &mut String) {
        if let Some(sent) = last_alert(&self.outgoing) {
            *alert = alert_name(sent);
        } else if !self.has_spoken && self.outgoing.is_empty() {
            let mut numbers = 0..=u8::MAX;
            let number =
                numbers.find(|number| alert_name(AlertDescription::from(*number)) == *alert);
            let number = number.unwrap_or(u8::from(AlertDescription::InternalError));
            *alert = alert_name(AlertDescription::from(number));
            self.outgoing.extend([21, 3, 3, 0, 2, 2, number]);
        }
    }

    /// Encrypts `plaintext` into complete records, and appends these to `records`.
    ///
    /// # Errors
    ///
    /// If the handshake is not complete, or the connection has failed.
    pub fn encrypt(&mut self, plaintext: &[u8], records: &mut Vec<u8>) -> Result<(), TlsError> {
        self.write(records, plaintext.len(), |traffic, into| {
            traffic.encrypt(plaintext, into)
        })
    }

    /// Appends a `close_notify` to `records`: nothing will follow (RFC 8446 section 6.1).
    ///
    /// # Errors
    ///
    /// Like [`encrypt`](Self::encrypt).
    pub fn close(&mut self, records: &mut Vec<u8>) -> Result<(), TlsError> {
        self.write(records, 0, |traffic, into| traffic.queue_close_notify(into))
    }

    fn write(
        &mut self,
        records: &mut Vec<u8>,
        length: usize,
        mut write: impl FnMut(&mut dyn Traffic, &mut [u8]) -> Result<usize, EncryptError>,
    ) -> Result<(), TlsError> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        // What the protocol wants to say goes first: a key update, for example.
        records.append(&mut self.outgoing);
        mem::swap(records, &mut self.outgoing);
        let mut has_written = false;
        let result = self.advance(|traffic, records| {
            let begin = records.len();
            let count = length.div_ceil(LARGEST_RECORD).max(1);
            records.resize(begin + length + count * OVERHEAD, 0);
            let written = write(traffic, &mut records[begin..]);
            records.truncate(begin + *written.as_ref().unwrap_or(&0));
            has_written = true;
            written.map(|_| ()).map_err(refused)
        });
        mem::swap(records, &mut self.outgoing);
        match result {
            Ok(()) if !has_written => {
                Err(TlsError::Session("the handshake is not complete".into()))
            }
            result => result,
        }
    }

    /// Takes the plaintext that has arrived; empty if nothing has.
    pub fn take_plaintext(&mut self) -> Bytes {
        mem::take(&mut self.plaintext).into()
    }

    /// Gives plaintext back that was taken too early: it is taken again before everything else.
    pub(crate) fn put_back(&mut self, plaintext: &[u8]) {
        self.plaintext.splice(..0, plaintext.iter().copied());
    }

    /// Takes what must be sent for the protocol itself: handshake messages, alerts, key updates.
    pub fn take_outgoing(&mut self) -> Bytes {
        self.has_spoken |= !self.outgoing.is_empty();
        mem::take(&mut self.outgoing).into()
    }

    /// Whether plaintext waits to be taken.
    pub fn has_plaintext(&self) -> bool {
        !self.plaintext.is_empty()
    }

    /// Whether the handshake is not complete yet.
    pub fn is_handshaking(&self) -> bool {
        match &self.side {
            Side::Server(connection) => connection.is_handshaking(),
            Side::Client(connection) => connection.is_handshaking(),
        }
    }

    /// Whether the last bytes that were encrypted were many: small records gain nothing then.
    pub(in crate::tls) fn has_momentum(&self) -> bool {
        self.has_momentum
    }

    pub(in crate::tls) fn set_momentum(&mut self, has_momentum: bool) {
        self.has_momentum = has_momentum;
    }

    /// Whether the peer has sent `close_notify`: it sends nothing any more.
    pub fn has_peer_closed(&self) -> bool {
        self.has_peer_closed
    }

    /// Why there is no session, if that is known.
    pub fn failure(&self) -> Option<&TlsError> {
        self.failure.as_ref()
    }

    pub(in crate::tls) fn fail(&mut self, failure: TlsError) {
        self.failure = Some(failure);
    }

    /// What both ends agreed on; `None` before the end of the handshake.
    pub fn facts(&self) -> Option<Facts> {
        match &self.side {
            Side::Server(connection) => facts(connection, self.chosen.as_deref()),
            Side::Client(connection) => facts(connection, None),
        }
    }

    /// Does whatever the protocol can do now. `write` is called once if plaintext can be encrypted.
    fn advance(
        &mut self,
        write: impl FnMut(&mut dyn Traffic, &mut Vec<u8>) -> Result<(), TlsError>,
    ) -> Result<(), TlsError> {
        let buffers = Buffers {
            incoming: &mut self.incoming,
            outgoing: &mut self.outgoing,
            plaintext: &mut self.plaintext,
            has_peer_closed: &mut self.has_peer_closed,
        };
        match &mut self.side {
            Side::Server(connection) => {
                let result = advance(&mut ***connection, buffers, write);
                if let Some(chosen) = take_chosen() {
                    self.chosen = Some(Box::new(chosen));
                }
                result
            }
            Side::Client(connection) => advance(&mut ***connection, buffers, write),
        }
    }
}

fn facts<Data>(
    connection: &UnbufferedConnectionCommon<Data>,
    chosen: Option<&Chosen>,
) -> Option<Facts> {
    let suite = connection.negotiated_cipher_suite()?.suite();
    let group = connection.negotiated_key_exchange_group();
    let certificates = connection.peer_certificates().unwrap_or_default();
    let version = match connection.protocol_version()? {
        ProtocolVersion::TLSv1_3 => "TLSv1.3",
        _ => "TLSv1.2",
    };
    Some(Facts {
        version,
        cipher: format!("{suite:?}").replacen("TLS13_", "TLS_", 1),
        key_exchange: group.map_or_else(String::new, |group| format!("{:?}", group.name())),
        server_name: chosen.and_then(|chosen| chosen.name.clone()),
        certificate: chosen.and_then(|chosen| chosen.certificate.clone()),
        protocol: connection
            .alpn_protocol()
            .map(|protocol| String::from_utf8_lossy(protocol).into_owned()),
        resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
        peer_certificates: certificates
            .iter()
            .map(|certificate| Bytes::copy_from_slice(certificate))
            .collect(),
    })
}

struct Buffers<'a> {
    incoming: &'a mut Vec<u8>,
    outgoing: &'a mut Vec<u8>,
    plaintext: &'a mut Vec<u8>,
    has_peer_closed: &'a mut bool,
}

/// Steps through the states of the protocol until it waits for the peer.
fn advance<E: Engine>(
    engine: &mut E,
    buffers: Buffers<'_>,
    mut write: impl FnMut(&mut dyn Traffic, &mut Vec<u8>) -> Result<(), TlsError>,
) -> Result<(), TlsError> {
    let mut used = 0;
    let mut failure: Option<TlsError> = None;
    let result = loop {
        // After a failure only our alert is left to encode: no record is looked at again.
        if failure.is_some() && !engine.has_more_to_say() {
            break Ok(());
        }
        let UnbufferedStatus { mut discard, state } = engine.process(&mut buffers.incoming[used..]);
        match state {
            Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                while let Some(record) = traffic.next_record() {
                    let record = record?;
                    discard += record.discard;
                    buffers.plaintext.extend_from_slice(record.payload);
                }
            }
            Ok(ConnectionState::EncodeTlsData(mut data)) => encode(&mut data, buffers.outgoing)?,
            Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
            Ok(ConnectionState::PeerClosed) => *buffers.has_peer_closed = true,
            Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                used += discard;
                break write(&mut traffic, buffers.outgoing);
            }
            // Early data are off: RFC 8446 section 8.
            Ok(_) => {
                used += discard;
                break Ok(());
            }
            // The next steps encode our alert. Until then the records stay where they are.
            Err(error) => {
                failure = Some(error.into());
                discard = 0;
            }
        }
        used += discard;
    };
    if failure.is_some() {
        used = buffers.incoming.len();
    }
    buffers.incoming.drain(..used);
    if buffers.incoming.is_empty() {
        // A connection at rest holds no buffer.
        *buffers.incoming = Vec::new();
    }
    match failure {
        Some(failure) => Err(failure),
        None => result,
    }
}

fn encode<Data>(
    data: &mut EncodeTlsData<'_, Data>,
    outgoing: &mut Vec<u8>,
) -> Result<(), TlsError> {
    let begin = outgoing.len();
    loop {
        match data.encode(&mut outgoing[begin..]) {
            Ok(length) => {
                outgoing.truncate(begin + length);
                return Ok(());
            }
            Err(EncodeError::InsufficientSize(needed)) => {
                outgoing.resize(begin + needed.required_size, 0);
            }
            Err(error) => return Err(TlsError::Session(error.to_string())),
        }
    }
}

fn refused(error: EncryptError) -> TlsError {
    TlsError::Session(error.to_string())
}

/// Either side of a connection.
trait Engine {
    type Data;

    /// Whether a message of the protocol waits to be encoded.
    fn has_more_to_say(&self) -> bool;

    fn process<'c, 'i>(&'c mut self, records: &'i mut [u8])
    -> UnbufferedStatus<'c, 'i, Self::Data>;
}

impl Engine for UnbufferedConnectionCommon<ServerConnectionData> {
    type Data = ServerConnectionData;

    fn has_more_to_say(&self) -> bool {
        self.wants_write()
    }

    fn process<'c, 'i>(
        &'c mut self,
        records: &'i mut [u8],
    ) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(records)
    }
}

impl Engine for UnbufferedConnectionCommon<ClientConnectionData> {
    type Data = ClientConnectionData;

    fn has_more_to_say(&self) -> bool {
        self.wants_write()
    }

    fn process<'c, 'i>(
        &'c mut self,
        records: &'i mut [u8],
    ) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(records)
    }
}

/// Encrypts on either side.
trait Traffic {
    fn encrypt(&mut self, plaintext: &[u8], into: &mut [u8]) -> Result<usize, EncryptError>;
    fn queue_close_notify(&mut self, into: &mut [u8]) -> Result<usize, EncryptError>;
}

impl<Data> Traffic for WriteTraffic<'_, Data> {
    fn encrypt(&mut self, plaintext: &[u8], into: &mut [u8]) -> Result<usize, EncryptError> {
        WriteTraffic::encrypt(self, plaintext, into)
    }

    fn queue_close_notify(&mut self, into: &mut [u8]) -> Result<usize, EncryptError> {
        WriteTraffic::queue_close_notify(self, into)
    }
}
