//! The keys of session tickets (RFC 8446 section 2.2, RFC 5077): all workers and all processes of
//! a server have the same, and each key makes tickets for six hours.
//!
//! The keys are a chain. The seed of a period gives its key, and the seed of the next period, which
//! replaces the first one. So processes that begin with the same seed have the same keys without
//! talking to each other, and no seed tells the keys of earlier periods.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Prk};
use ring::rand::{SecureRandom as _, SystemRandom};
use rustls::server::ProducesTickets;

use super::TlsError;

/// For how long a key makes tickets, in seconds. It opens them for as long again, so that a ticket
/// is good for this time at least.
const PERIOD: u64 = 6 * 60 * 60;

/// The length of a seed and of a key, in bytes.
const SECRET: usize = 32;

/// The length of the name of a key, in bytes (RFC 5077 section 4).
const NAME: usize = 16;

/// The length of exported keys: the period, its seed, and whether there is a previous key, with it.
const EXPORTED: usize = 8 + SECRET + 1 + SECRET;

type Secret = [u8; SECRET];

/// The keys of session tickets. A clone is the same. Servers with the same keys resume each other's
/// sessions, if they ask clients for the same certificates.
///
/// # Examples
///
/// ```
/// use kamea_components::tls::{ServerTls, TicketKeys, TlsOptions, self_signed};
///
/// let keys = TicketKeys::new()?;
/// let other_process = TicketKeys::import(&keys.export()).expect("they were exported");
/// let options = TlsOptions::new(vec![self_signed(&["localhost"])?]);
/// let tls = ServerTls::new(options)?.with_ticket_keys(&other_process);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct TicketKeys(Arc<Mutex<Chain>>);

struct Chain {
    /// The number of the period since 1970.
    period: u64,
    seed: Secret,
    current: Arc<TicketKey>,
    previous: Option<Arc<TicketKey>>,
}

struct TicketKey {
    name: [u8; NAME],
    secret: Secret,
    key: LessSafeKey,
}

impl fmt::Debug for TicketKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // They are secrets.
        f.debug_struct("TicketKeys").finish_non_exhaustive()
    }
}

impl TicketKeys {
    /// Makes keys that nobody else has.
    ///
    /// # Errors
    ///
    /// If the system has no random numbers.
    pub fn new() -> Result<Self, TlsError> {
        let mut seed = [0; SECRET];
        SystemRandom::new()
            .fill(&mut seed)
            .map_err(|_| TlsError::Options("the system has no random numbers".to_owned()))?;
        Ok(Self::begun_at(seed, period_now()))
    }

    fn begun_at(seed: Secret, period: u64) -> Self {
        Self(Arc::new(Mutex::new(Chain {
            period,
            current: Arc::new(TicketKey::of(derived(&seed, b"key"))),
            seed,
            previous: None,
        })))
    }

    /// The keys of the present period and of the one before it, for another process of the same
    /// server. They are secrets: who has them can read the sessions of their tickets.
    #[must_use]
    pub fn export(&self) -> Vec<u8> {
        self.export_at(period_now())
    }

    fn export_at(&self, period: u64) -> Vec<u8> {
        let mut chain = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        chain.advance(period);
        let mut exported = Vec::with_capacity(EXPORTED);
        exported.extend(chain.period.to_be_bytes());
        exported.extend(chain.seed);
        exported.push(chain.previous.is_some().into());
        exported.extend(
            chain
                .previous
                .as_ref()
                .map_or([0; SECRET], |key| key.secret),
        );
        exported
    }

    /// The keys that another process has exported; `None` if they are not such keys.
    #[must_use]
    pub fn import(exported: &[u8]) -> Option<Self> {
        let (period, rest) = exported.split_first_chunk::<8>()?;
        let (seed, rest) = rest.split_first_chunk::<SECRET>()?;
        let (has_previous, previous) = rest.split_first()?;
        let previous: &Secret = previous.try_into().ok()?;
        let keys = Self::begun_at(*seed, u64::from_be_bytes(*period));
        if *has_previous == 1 {
            let mut chain = keys.0.lock().unwrap_or_else(PoisonError::into_inner);
            chain.previous = Some(Arc::new(TicketKey::of(*previous)));
        }
        Some(keys)
    }

    /// The keys of a period: the one that makes tickets, and the one before it.
    fn at(&self, period: u64) -> [Option<Arc<TicketKey>>; 2] {
        let mut chain = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        chain.advance(period);
        [Some(chain.current.clone()), chain.previous.clone()]
    }
}

impl Chain {
    /// Goes on to a later period. If the clock was set back, nothing changes.
    fn advance(&mut self, period: u64) {
        while self.period < period {
            self.seed = derived(&self.seed, b"seed");
            let next = Arc::new(TicketKey::of(derived(&self.seed, b"key")));
            self.previous = Some(std::mem::replace(&mut self.current, next));
            self.period += 1;
        }
    }
}

impl TicketKey {
    #[expect(
        clippy::expect_used,
        reason = "the length of a secret is that of a key"
    )]
    fn of(secret: Secret) -> Self {
        let mut name = [0; NAME];
        name.copy_from_slice(&derived(&secret, b"name")[..NAME]);
        let key = UnboundKey::new(&AES_256_GCM, &secret).expect("a key has 32 bytes");
        Self {
            name,
            secret,
            key: LessSafeKey::new(key),
        }
    }

    /// Encrypts the state of a session: the name of the key, a nonce, and the rest.
    fn encrypt(&self, context: &[u8], state: &[u8]) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).ok()?;
        let mut ticket = Vec::with_capacity(NAME + NONCE_LEN + state.len() + AES_256_GCM.tag_len());
        ticket.extend(self.name);
        ticket.extend(nonce);
        let begin = ticket.len();
        ticket.extend_from_slice(state);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce, Aad::from(context), &mut ticket[begin..])
            .ok()?;
        ticket.extend(tag.as_ref());
        Some(ticket)
    }

    /// Decrypts a ticket that begins with the name of this key.
    fn decrypt(&self, context: &[u8], ticket: &[u8]) -> Option<Vec<u8>> {
        let (nonce, rest) = ticket.strip_prefix(&self.name)?.split_first_chunk()?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let mut state = rest.to_vec();
        let opened = self
            .key
            .open_in_place(nonce, Aad::from(context), &mut state);
        let length = opened.ok()?.len();
        state.truncate(length);
        Some(state)
    }
}

/// Tickets of one server. Those of another context are not accepted: a session that was made
/// without a certificate of the client must not be resumed where one is required.
#[derive(Debug)]
pub(super) struct Tickets {
    pub(super) keys: TicketKeys,
    pub(super) context: Vec<u8>,
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        PERIOD as u32
    }

    fn encrypt(&self, state: &[u8]) -> Option<Vec<u8>> {
        let [current, _] = self.keys.at(period_now());
        current?.encrypt(&self.context, state)
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let keys = self.keys.at(period_now());
        let mut keys = keys.iter().flatten();
        keys.find_map(|key| key.decrypt(&self.context, ticket))
    }
}

fn period_now() -> u64 {
    let seconds = time::UtcDateTime::now().unix_timestamp();
    u64::try_from(seconds).unwrap_or_default() / PERIOD
}

/// HKDF-Expand (RFC 5869 section 2.3).
#[expect(
    clippy::expect_used,
    reason = "a secret is shorter than the limit of HKDF"
)]
fn derived(secret: &Secret, label: &[u8]) -> Secret {
    struct Length;

    impl KeyType for Length {
        fn len(&self) -> usize {
            SECRET
        }
    }

    let mut derived = [0; SECRET];
    Prk::new_less_safe(HKDF_SHA256, secret)
        .expand(&[b"kamea ticket ", label], Length)
        .and_then(|material| material.fill(&mut derived))
        .expect("32 bytes are within the limit");
    derived
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encrypt(keys: &TicketKeys, period: u64) -> Vec<u8> {
        let [current, _] = keys.at(period);
        current.unwrap().encrypt(b"context", b"a session").unwrap()
    }

    fn opens(keys: &TicketKeys, period: u64, context: &[u8], ticket: &[u8]) -> bool {
        let keys = keys.at(period);
        let mut keys = keys.iter().flatten();
        let opened = keys.find_map(|key| key.decrypt(context, ticket));
        assert!(opened.is_none() || opened.as_deref() == Some(b"a session"));
        opened.is_some()
    }

    #[test]
    fn a_key_opens_tickets_for_one_period_more_than_it_makes_them() {
        for (later, is_opened) in [(0, true), (1, true), (2, false), (3, false), (1_000, false)] {
            let keys = TicketKeys::begun_at([7; SECRET], 100);
            let ticket = encrypt(&keys, 100);
            assert_eq!(
                opens(&keys, 100 + later, b"context", &ticket),
                is_opened,
                "{later}"
            );
        }
        // A clock that is set back changes nothing.
        let keys = TicketKeys::begun_at([7; SECRET], 100);
        let ticket = encrypt(&keys, 101);
        assert!(opens(&keys, 90, b"context", &ticket));
    }

    #[test]
    fn processes_have_the_same_keys_whenever_they_began() {
        let server = TicketKeys::begun_at([7; SECRET], 100);
        let ticket = encrypt(&server, 101);
        for exported_at in [100, 101, 102] {
            // Each is a server that has come so far.
            let server = TicketKeys::begun_at([7; SECRET], 100);
            let exported = server.export_at(exported_at);
            assert_eq!(exported.len(), EXPORTED);
            let process = TicketKeys::import(&exported).unwrap();
            assert!(opens(&process, 102, b"context", &ticket), "{exported_at}");
            let own = encrypt(&process, 102);
            assert!(opens(&server, 103, b"context", &own));
            assert!(!opens(&process, 103, b"context", &ticket));
        }
        // What is exported later opens no earlier ticket.
        let late = TicketKeys::import(&server.export_at(103)).unwrap();
        assert!(!opens(&late, 103, b"context", &ticket));
    }

    #[test]
    fn what_is_no_ticket_of_ours_is_not_opened() {
        let keys = TicketKeys::begun_at([7; SECRET], 100);
        let ticket = encrypt(&keys, 100);
        assert!(!opens(&keys, 100, b"other context", &ticket));
        let others = TicketKeys::begun_at([8; SECRET], 100);
        assert!(!opens(&others, 100, b"context", &ticket));
        for length in 0..ticket.len() {
            assert!(
                !opens(&keys, 100, b"context", &ticket[..length]),
                "{length}"
            );
        }
        for index in 0..ticket.len() {
            let mut forged = ticket.clone();
            forged[index] ^= 1;
            assert!(!opens(&keys, 100, b"context", &forged), "{index}");
        }
    }

    #[test]
    fn what_is_no_export_is_not_imported() {
        let exported = TicketKeys::new().unwrap().export();
        assert!(TicketKeys::import(&exported).is_some());
        for length in 0..exported.len() {
            assert!(
                TicketKeys::import(&exported[..length]).is_none(),
                "{length}"
            );
        }
        assert!(TicketKeys::import(&[exported, vec![0]].concat()).is_none());
    }
}
