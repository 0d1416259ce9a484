//! Interim responses (RFC 9110 section 15.2), until their exchanges are due.

use http::{StatusCode, Version};

use crate::http::{ResponseHead, encode_interim};
use crate::web::Exchange;

/// How many interim responses may wait for their turn.
const MOST: usize = 64;

/// The interim responses that have not been sent yet, with the numbers of their exchanges.
#[derive(Debug, Default)]
pub(super) struct Interim(Vec<(u64, Box<ResponseHead>)>);

impl Interim {
    /// Keeps an interim response until its turn. "A server MUST NOT send a 1xx response to an
    /// HTTP/1.0 client" (RFC 9110 section 15.2).
    pub(super) fn keep(&mut self, exchange: &Exchange, head: Box<ResponseHead>) {
        let is_other = [StatusCode::CONTINUE, StatusCode::SWITCHING_PROTOCOLS];
        let is_interim = head.status.is_informational() && !is_other.contains(&head.status);
        if is_interim && exchange.version != Version::HTTP_10 && self.0.len() < MOST {
            self.0.push((exchange.number, head));
        }
    }

    /// Appends those of the exchange that is due.
    pub(super) fn put(&mut self, out: &mut Vec<u8>, due: u64) {
        if self.0.is_empty() {
            return;
        }
        for (number, head) in self.0.extract_if(.., |(number, _)| *number <= due) {
            // One that comes after its final response would be taken for the next one's.
            if number == due {
                encode_interim(out, &head);
            }
        }
    }
}
