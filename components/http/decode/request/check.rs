//! Properties that hold for every input: shared by the fuzz target and the test that replays its
//! corpus.

use bytes::Bytes;

use super::{Event, Phase, RequestDecoder};
use crate::http::{BodyKind, Limits, Malformed};

/// Small limits, so that small inputs reach them.
const LIMITS: Limits = Limits {
    request_line: 120,
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
    events: Vec<Event>,
    end: Result<(), Malformed>,
}

/// Decodes `data` whole, byte by byte and in odd pieces, and checks that the results are the same.
///
/// # Panics
/// If they differ, or if a body exceeds its limit or its announced length.
pub fn check_split_invariance(data: &[u8]) {
    let whole = decode(LIMITS, [data]);
    let mut pattern = data.len() as u64;
    let odd_pieces = data.chunk_by(|_, _| {
        // A linear congruential generator (Knuth's constants): the same input is always cut the
        // same way.
        pattern = pattern
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        pattern >> 61 != 0
    });
    assert_eq!(decode(LIMITS, data.chunks(1)), whole, "one byte at a time");
    assert_eq!(
        decode(LIMITS, data.chunks(7)),
        whole,
        "seven bytes at a time"
    );
    assert_eq!(decode(LIMITS, odd_pieces), whole, "odd pieces");
}

/// Decodes an input that arrives in these pieces.
pub(super) fn decode<'a>(limits: Limits, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut decoder = RequestDecoder::new(limits);
    let mut events = Vec::new();
    let mut body = Body {
        limit: limits.body,
        announced: None,
        length: 0,
    };
    for piece in pieces {
        decoder.feed(Bytes::copy_from_slice(piece));
        while let Ok(Some(event)) = decoder.next() {
            body.observe(&event, decoder.phase());
            push_joined(&mut events, event);
        }
    }
    Outcome {
        events,
        end: decoder.finish(),
    }
}

/// Adds an event; joins it with the last one if both are parts of one body.
fn push_joined(events: &mut Vec<Event>, event: Event) {
    match (events.last_mut(), event) {
        (Some(Event::Chunk(last)), Event::Chunk(more)) => {
            *last = [&last[..], &more].concat().into()
        }
        (_, event) => events.push(event),
    }
}

/// The body that is being decoded.
struct Body {
    limit: u64,
    announced: Option<BodyKind>,
    length: u64,
}

impl Body {
    fn observe(&mut self, event: &Event, phase: Phase) {
        match event {
            Event::Head(_, kind) => {
                assert!(self.announced.is_none(), "a head inside a body");
                self.announced = Some(*kind).filter(|kind| *kind != BodyKind::None);
                self.length = 0;
                assert_eq!(phase == Phase::InBody, self.announced.is_some());
            }
            Event::Chunk(data) => {
                assert!(self.announced.is_some(), "data outside a body");
                assert!(!data.is_empty(), "an empty piece of data");
                self.length += data.len() as u64;
                assert!(self.length <= self.limit, "more data than the limit");
            }
            Event::End(_) => {
                let announced = self.announced.take().expect("the end of no body");
                assert!(
                    announced == BodyKind::Chunked || announced == BodyKind::Sized(self.length)
                );
            }
        }
    }
}
