//! The negotiation of permessage-deflate (RFC 7692 section 7.1).

use super::DeflateOptions;

/// What both ends have agreed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deflate {
    /// Messages of the server refer to no earlier ones.
    pub server_no_context_takeover: bool,
    /// Messages of the client refer to no earlier ones.
    pub client_no_context_takeover: bool,
    /// The window of the server's messages, from 9 to 15.
    pub server_max_window_bits: u8,
    /// The window of the client's messages, from 8 to 15.
    pub client_max_window_bits: u8,
}

/// The largest window.
const MOST: u8 = 15;

impl Default for Deflate {
    fn default() -> Self {
        Self {
            server_no_context_takeover: false,
            client_no_context_takeover: false,
            server_max_window_bits: MOST,
            client_max_window_bits: MOST,
        }
    }
}

const NAME: &str = "permessage-deflate";

/// Chooses among the offers of a client: the values of its `Sec-WebSocket-Extensions`, in their
/// order. Returns what is agreed and the value of the response's field; `None` to go on without
/// compression.
///
/// An offer with an unknown, repeated or invalid parameter is declined (RFC 7692 section 7.1), and
/// so is one that wants a window of 256 bytes from us, which zlib cannot make.
///
/// # Examples
///
/// ```
/// use kamea_components::websocket::{DeflateOptions, negotiate_deflate};
///
/// let offers = ["permessage-deflate; client_max_window_bits", "x-webkit-deflate-frame"];
/// let (agreed, response) = negotiate_deflate(offers, &DeflateOptions::default()).unwrap();
/// assert!(agreed.client_no_context_takeover);
/// assert_eq!(response, "permessage-deflate; client_no_context_takeover");
/// ```
pub fn negotiate_deflate<'a>(
    offers: impl IntoIterator<Item = &'a str>,
    options: &DeflateOptions,
) -> Option<(Deflate, String)> {
    let offers = offers.into_iter().flat_map(|value| split(value, ','));
    offers
        .filter_map(Offer::parse)
        .find_map(|offer| offer.agree(options))
}

/// The values of a list, split outside of quotes.
fn split(value: &str, at: char) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    value
        .split(move |c: char| {
            is_quoted ^= c == '"';
            c == at && !is_quoted
        })
        .map(str::trim)
        .filter(|part| !part.is_empty())
}

/// A valid offer of a client.
#[derive(Debug, Default)]
struct Offer {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<u8>,
    /// Whether the client can limit its window; to what, if it says so.
    client_max_window_bits: Option<Option<u8>>,
}

impl Offer {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = split(text, ';');
        if !parts.next()?.eq_ignore_ascii_case(NAME) {
            return None;
        }
        let mut offer = Self::default();
        for part in parts {
            let (name, value) = match part.split_once('=') {
                Some((name, value)) => (name.trim(), Some(value.trim().trim_matches('"'))),
                None => (part, None),
            };
            let is_new = match (name, value) {
                ("server_no_context_takeover", None) => {
                    !std::mem::replace(&mut offer.server_no_context_takeover, true)
                }
                ("client_no_context_takeover", None) => {
                    !std::mem::replace(&mut offer.client_no_context_takeover, true)
                }
                ("server_max_window_bits", Some(bits)) => offer
                    .server_max_window_bits
                    .replace(window_bits(bits)?)
                    .is_none(),
                ("client_max_window_bits", None) => {
                    offer.client_max_window_bits.replace(None).is_none()
                }
                ("client_max_window_bits", Some(bits)) => {
                    let bits = window_bits(bits)?;
                    offer.client_max_window_bits.replace(Some(bits)).is_none()
                }
                _ => false,
            };
            if !is_new {
                return None;
            }
        }
        Some(offer)
    }

    fn agree(self, options: &DeflateOptions) -> Option<(Deflate, String)> {
        let server_bits = self.server_max_window_bits.unwrap_or(MOST);
        if server_bits < 9 {
            return None;
        }
        let agreed = Deflate {
            server_no_context_takeover: self.server_no_context_takeover || !options.keeps_context,
            client_no_context_takeover: self.client_no_context_takeover
                || !options.peer_keeps_context,
            server_max_window_bits: server_bits.min(options.window_bits),
            client_max_window_bits: self.client_max_window_bits.flatten().unwrap_or(MOST),
        };
        let mut response = NAME.to_owned();
        if agreed.server_no_context_takeover {
            response += "; server_no_context_takeover";
        }
        if agreed.client_no_context_takeover {
            response += "; client_no_context_takeover";
        }
        if agreed.server_max_window_bits < MOST {
            response += &format!("; server_max_window_bits={}", agreed.server_max_window_bits);
        }
        if agreed.client_max_window_bits < MOST {
            response += &format!("; client_max_window_bits={}", agreed.client_max_window_bits);
        }
        Some((agreed, response))
    }
}

/// RFC 7692 section 7.1.2: "a decimal integer value without leading zeroes between 8 to 15".
fn window_bits(text: &str) -> Option<u8> {
    let bits = text.parse().ok().filter(|bits| (8..=MOST).contains(bits))?;
    (!text.starts_with(['0', '+'])).then_some(bits)
}

impl DeflateOptions {
    /// The value of `Sec-WebSocket-Extensions` in a request.
    pub(in crate::websocket) fn offer(&self) -> String {
        let mut offer = format!("{NAME}; client_max_window_bits");
        if !self.peer_keeps_context {
            offer += "; server_no_context_takeover";
        }
        offer
    }
}

/// What a server has agreed to, by the field of its response; `None` if it is not a valid answer.
pub(in crate::websocket) fn accept_deflate(
    value: &str,
    options: &DeflateOptions,
) -> Option<Deflate> {
    let mut answers = split(value, ',');
    let answer = Offer::parse(answers.next()?)?;
    if answers.next().is_some() || answer.client_max_window_bits == Some(None) {
        return None;
    }
    if !options.peer_keeps_context && !answer.server_no_context_takeover {
        return None;
    }
    Some(Deflate {
        server_no_context_takeover: answer.server_no_context_takeover,
        client_no_context_takeover: answer.client_no_context_takeover,
        server_max_window_bits: answer.server_max_window_bits.unwrap_or(MOST),
        client_max_window_bits: answer.client_max_window_bits.flatten().unwrap_or(MOST),
    })
}
