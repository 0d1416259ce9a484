//! The handshake: Noise XX, and in it each peer proves its key.
//!
//! ```text
//!  initiator                                    responder
//!     e                            ──▶
//!                                  ◀──   e, ee, s, es, proof
//!     s, se, proof                 ──▶
//!                    encrypted frames, both ways
//! ```
//!
//! The proof is the peer's Ed25519 key, and its signature of the X25519 key of this link.

use bytes::Bytes;
use snow::params::{CipherChoice, DHChoice, HashChoice};
use snow::resolvers::{CryptoResolver, DefaultResolver};
use snow::types::{Cipher, Dh, Hash, Random};
use snow::{Builder, HandshakeState, TransportState};

use crate::{Entropy, Identity, PeerKey};

/// The Noise protocol.
const PATTERN: &str = "Noise_XX_25519_ChaChaPoly_BLAKE2s";

/// Peers of another protocol fail in the handshake.
const PROLOGUE: &[u8] = b"kamea chat 1";

/// What the proof signs begins with this.
const CONTEXT: &[u8] = b"kamea chat link v1\0";

/// The largest record of the handshake, in bytes.
pub(super) const LARGEST_HANDSHAKE: usize = 256;

/// The largest record, in bytes.
pub(super) const LARGEST_RECORD: usize = 65_535;

/// Which end of a connection a peer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It has connected.
    Initiator,
    /// It was connected to.
    Responder,
}

/// Why a link has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// A record is too long.
    #[error("a record of the peer is too long")]
    Oversized,
    /// The handshake has failed.
    #[error("the handshake has failed: the peer speaks another protocol, or bytes were changed")]
    Handshake,
    /// The peer has not proved its key.
    #[error("the peer has not proved its key")]
    Unproved,
    /// A record cannot be decrypted.
    #[error("a record of the peer cannot be decrypted: it was changed, repeated or left out")]
    Decryption,
    /// A frame does not fit into a record.
    #[error("a frame is too long")]
    Frame,
}

/// Random bytes for Noise, from where the peer gets them.
struct Resolver(Entropy);

struct Drawn(Entropy);

impl Random for Drawn {
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), snow::Error> {
        (self.0)(bytes);
        Ok(())
    }
}

impl CryptoResolver for Resolver {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(Drawn(self.0)))
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

/// The handshake of one end. It needs no socket.
///
/// # Examples
///
/// ```
/// use kamea_chat::{Handshake, Identity, Role, system_random};
///
/// let (ada, bob) = (Identity::from_secret([1; 32]), Identity::from_secret([2; 32]));
/// let mut one = Handshake::new(Role::Initiator, &ada, system_random)?;
/// let mut two = Handshake::new(Role::Responder, &bob, system_random)?;
/// two.receive(&one.send()?.unwrap())?;
/// one.receive(&two.send()?.unwrap())?;
/// two.receive(&one.send()?.unwrap())?;
/// let (peer, mut one) = one.finish()?;
/// assert_eq!(peer, bob.key());
/// let (peer, mut two) = two.finish()?;
/// assert_eq!(peer, ada.key());
///
/// let record = one.seal(b"hello")?;
/// assert_eq!(two.open(&record)?, "hello");
/// assert!(two.open(&record).is_err(), "a record cannot be replayed");
/// # Ok::<(), kamea_chat::LinkError>(())
/// ```
#[derive(Debug)]
pub struct Handshake {
    state: Box<HandshakeState>,
    proof: Vec<u8>,
    peer: Option<PeerKey>,
}

impl Handshake {
    /// Begins a handshake, with a new X25519 key.
    ///
    /// # Errors
    ///
    /// [`LinkError::Handshake`].
    pub fn new(role: Role, identity: &Identity, entropy: Entropy) -> Result<Self, LinkError> {
        let begin = || {
            let builder = || {
                Some(Builder::with_resolver(
                    PATTERN.parse().ok()?,
                    Box::new(Resolver(entropy)),
                ))
            };
            let keys = builder()?.generate_keypair().ok()?;
            let builder = builder()?.local_private_key(&keys.private).ok()?;
            let builder = builder.prologue(PROLOGUE).ok()?;
            let state = match role {
                Role::Initiator => builder.build_initiator(),
                Role::Responder => builder.build_responder(),
            };
            let signature = identity.sign(&[CONTEXT, &keys.public].concat());
            Some(Self {
                state: Box::new(state.ok()?),
                proof: [&identity.key().0[..], &signature].concat(),
                peer: None,
            })
        };
        begin().ok_or(LinkError::Handshake)
    }

    /// Returns what to send now, if it is this end's turn.
    ///
    /// # Errors
    ///
    /// [`LinkError::Handshake`].
    pub fn send(&mut self) -> Result<Option<Bytes>, LinkError> {
        if self.state.is_handshake_finished() || !self.state.is_my_turn() {
            return Ok(None);
        }
        let mut message = [0; LARGEST_HANDSHAKE];
        // The first message would not be encrypted.
        let is_first = self.state.is_initiator() && self.state.get_remote_static().is_none();
        let payload = if is_first { &[][..] } else { &self.proof };
        let written = self.state.write_message(payload, &mut message);
        let length = written.map_err(|_| LinkError::Handshake)?;
        Ok(Some(Bytes::copy_from_slice(&message[..length])))
    }

    /// Takes a message of the other end.
    ///
    /// # Errors
    ///
    /// [`LinkError`].
    pub fn receive(&mut self, message: &[u8]) -> Result<(), LinkError> {
        let mut payload = [0; LARGEST_HANDSHAKE];
        let read = self.state.read_message(message, &mut payload);
        let length = read.map_err(|_| LinkError::Handshake)?;
        let Some(link_key) = self.state.get_remote_static() else {
            return match length {
                0 => Ok(()),
                _ => Err(LinkError::Handshake),
            };
        };
        let proof = payload[..length].split_first_chunk::<32>();
        let (key, signature) = proof.ok_or(LinkError::Unproved)?;
        let signature = signature.try_into().map_err(|_| LinkError::Unproved)?;
        let key = PeerKey(*key);
        if !key.verify(&[CONTEXT, link_key].concat(), signature) {
            return Err(LinkError::Unproved);
        }
        self.peer = Some(key);
        Ok(())
    }

    /// Whether both ends have proved their keys.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.state.is_handshake_finished()
    }

    /// Returns the key of the peer, and the encryption.
    ///
    /// # Errors
    ///
    /// [`LinkError::Handshake`], if it has not finished.
    pub fn finish(self) -> Result<(PeerKey, Transport), LinkError> {
        let peer = self.peer.ok_or(LinkError::Unproved)?;
        let state = self.state.into_transport_mode();
        let state = state.map_err(|_| LinkError::Handshake)?;
        Ok((peer, Transport(Box::new(state))))
    }
}

/// The encryption of a link.
#[derive(Debug)]
pub struct Transport(Box<TransportState>);

impl Transport {
    /// Encrypts a frame.
    ///
    /// # Errors
    ///
    /// [`LinkError::Frame`], if it is too long.
    pub fn seal(&mut self, frame: &[u8]) -> Result<Bytes, LinkError> {
        let mut record = vec![0; frame.len() + 16];
        match self.0.write_message(frame, &mut record) {
            Ok(length) if length == record.len() => Ok(record.into()),
            _ => Err(LinkError::Frame),
        }
    }

    /// Decrypts a record.
    ///
    /// # Errors
    ///
    /// [`LinkError::Decryption`].
    pub fn open(&mut self, record: &[u8]) -> Result<Bytes, LinkError> {
        let mut frame = vec![0; record.len()];
        let length = self.0.read_message(record, &mut frame);
        frame.truncate(length.map_err(|_| LinkError::Decryption)?);
        Ok(frame.into())
    }
}
