//! Properties that hold for every input: shared by the fuzz target and the test that replays its
//! corpus.

use bytes::Bytes;
use http::Method;

use super::{MalformedResponse, Reply, ReplyBody, ResponseDecoder};
use crate::http::Limits;

/// Small limits, so that small inputs reach them.
const LIMITS: Limits = Limits {
    request_line: 60,
    head_bytes: 600,
    fields: 30,
    body: 300,
    chunk_extensions: 40,
    chunk_framing: 60,
    empty_lines: 2,
};

/// All results of a decoder for one input, with the chunks of each body joined.
#[derive(Debug, PartialEq)]
pub(super) struct Outcome {
    pub(super) replies: Vec<Reply>,
    pub(super) end: Result<(), MalformedResponse>,
    pub(super) awaited: usize,
}

/// Decodes the responses to some requests whole, byte by byte and in odd pieces, and checks that
/// the results are the same, for a strict decoder and for a lenient one.
///
/// The first line of `data` describes the requests, one letter each: `H` for `HEAD`, `C` for
/// `CONNECT`, any other for `GET`.
///
/// # Panics
/// If they differ, or if a body exceeds its limit or its announced length.
pub fn check_response_split_invariance(data: &[u8]) {
    let line = data.iter().position(|byte| *byte == b'\n');
    let (requests, data) = data.split_at(line.map_or(data.len(), |line| line + 1));
    let requests: Vec<_> = requests.trim_ascii_end().iter().map(method).collect();
    for is_lenient in [false, true] {
        check_splits(data, &requests, is_lenient);
    }
}

fn check_splits(data: &[u8], requests: &[Method], is_lenient: bool) {
    let decoder = || match is_lenient {
        true => ResponseDecoder::new(LIMITS).lenient(),
        false => ResponseDecoder::new(LIMITS),
    };
    let whole = decode_by(decoder(), LIMITS, requests, [data]);
    let mut pattern = data.len() as u64;
    let odd_pieces = data.chunk_by(|_, _| {
        // A linear congruential generator (Knuth's constants): the same input is always cut the
        // same way.
        pattern = pattern
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        pattern >> 61 != 0
    });
    let bytes = decode_by(decoder(), LIMITS, requests, data.chunks(1));
    assert_eq!(bytes, whole, "one byte at a time");
    let sevens = decode_by(decoder(), LIMITS, requests, data.chunks(7));
    assert_eq!(sevens, whole, "seven bytes at a time");
    let odd = decode_by(decoder(), LIMITS, requests, odd_pieces);
    assert_eq!(odd, whole, "odd pieces");
}

fn method(letter: &u8) -> Method {
    match letter {
        b'H' => Method::HEAD,
        b'C' => Method::CONNECT,
        _ => Method::GET,
    }
}

/// Decodes an input that arrives in these pieces; then the connection is closed.
#[cfg(test)]
pub(super) fn decode<'a>(
    limits: Limits,
    requests: &[Method],
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Outcome {
    decode_by(ResponseDecoder::new(limits), limits, requests, pieces)
}

/// Decodes an input by this decoder.
pub(super) fn decode_by<'a>(
    mut decoder: ResponseDecoder,
    limits: Limits,
    requests: &[Method],
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Outcome {
    requests.iter().for_each(|method| decoder.expect(method));
    let mut replies = Vec::new();
    let mut body = Body {
        limit: limits.body,
        announced: None,
        length: 0,
    };
    for piece in pieces {
        decoder.feed(Bytes::copy_from_slice(piece));
        while let Ok(Some(reply)) = decoder.next() {
            body.observe(&reply);
            push_joined(&mut replies, reply);
        }
    }
    let end = loop {
        match decoder.finish() {
            Ok(Some(reply)) => {
                body.observe(&reply);
                replies.push(reply);
            }
            Ok(None) => break Ok(()),
            Err(malformed) => break Err(malformed),
        }
    };
    let ends = replies
        .iter()
        .filter(|reply| matches!(reply, Reply::End(_)));
    assert_eq!(ends.count() + decoder.awaited(), requests.len());
    Outcome {
        replies,
        end,
        awaited: decoder.awaited(),
    }
}

/// Adds a reply; joins it with the last one if both are parts of one body.
fn push_joined(replies: &mut Vec<Reply>, reply: Reply) {
    match (replies.last_mut(), reply) {
        (Some(Reply::Chunk(last)), Reply::Chunk(more)) => {
            *last = [&last[..], &more].concat().into();
        }
        (_, reply) => replies.push(reply),
    }
}

/// The body that is being decoded.
struct Body {
    limit: u64,
    announced: Option<ReplyBody>,
    length: u64,
}

impl Body {
    fn observe(&mut self, reply: &Reply) {
        match reply {
            Reply::Interim(head) => {
                assert!(self.announced.is_none(), "a head inside a body");
                assert!(head.status.is_informational());
            }
            Reply::Head(_, kind) => {
                assert!(self.announced.is_none(), "a head inside a body");
                (self.announced, self.length) = (Some(*kind), 0);
            }
            Reply::Chunk(data) => {
                assert!(!data.is_empty(), "an empty piece of data");
                self.length += data.len() as u64;
                let is_limited = self.announced != Some(ReplyBody::Tunnel);
                assert!(
                    !is_limited || self.length <= self.limit,
                    "more data than the limit"
                );
            }
            Reply::End(_) => {
                let announced = self.announced.take().expect("the end of no response");
                assert!(match announced {
                    ReplyBody::None => self.length == 0,
                    ReplyBody::Sized(length) => self.length == length,
                    ReplyBody::Chunked | ReplyBody::UntilClose | ReplyBody::Tunnel => true,
                });
            }
        }
    }
}
