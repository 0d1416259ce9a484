//! Targets: requests that are encoded once and sent many times.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use http::Method;
use kamea::random;

use crate::http::{BodyKind, RequestHead, encode_request};

/// A piece of requests is full at this size, in bytes.
pub(super) const GATHERED: usize = 64 * 1024;

/// A request, encoded.
#[derive(Debug, Clone)]
pub struct Target {
    method: Method,
    bytes: Bytes,
    weight: u32,
}

impl Target {
    /// The request with this head and body, `weight` times as likely as one of weight 1.
    ///
    /// # Panics
    ///
    /// If the weight is 0.
    #[must_use]
    pub fn new(head: &RequestHead, content: &[u8], weight: u32) -> Self {
        assert!(weight > 0, "what is never asked for is no target");
        let kind = match content.len() {
            0 => BodyKind::None,
            length => BodyKind::Sized(length as u64),
        };
        let mut bytes = BytesMut::new();
        encode_request(&mut bytes, head, kind);
        bytes.put_slice(content);
        Self {
            method: head.method.clone(),
            bytes: bytes.freeze(),
            weight,
        }
    }

    /// Its method, which decides about the framing of its responses.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The encoded request.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

/// One or more targets, drawn at random by weight.
///
/// # Examples
///
/// ```
/// use http::{Method, Version};
/// use kamea_components::http::{Fields, RequestHead};
/// use kamea_components::load::{Target, Targets};
///
/// let head = |path: &'static str| RequestHead {
///     target: kamea_components::http::Target::parse(&Method::GET, path.into()).unwrap(),
///     method: Method::GET,
///     version: Version::HTTP_11,
///     fields: Fields::new().with("Host", "example.org"),
/// };
/// let targets = Targets::new([Target::new(&head("/often"), b"", 3), Target::new(&head("/seldom"), b"", 1)]);
/// let drawn = targets.draw();
/// assert!(drawn.bytes().starts_with(b"GET /often") || drawn.bytes().starts_with(b"GET /seldom"));
/// ```
#[derive(Debug, Clone)]
pub struct Targets(Arc<Drawn>);

#[derive(Debug)]
struct Drawn {
    targets: Vec<Target>,
    /// The cumulative weight of each.
    weights: Vec<u64>,
    total: u64,
    /// The bytes of a single target, repeated as often as may be gathered.
    repeated: Option<Bytes>,
}

impl Targets {
    /// These targets.
    ///
    /// # Panics
    ///
    /// If there is no target.
    pub fn new(targets: impl IntoIterator<Item = Target>) -> Self {
        let targets: Vec<_> = targets.into_iter().collect();
        assert!(!targets.is_empty(), "there is nothing to be asked for");
        let mut total = 0;
        let weights = targets.iter().map(|target| {
            total += u64::from(target.weight);
            total
        });
        let weights: Vec<_> = weights.collect();
        let repeated = match &targets[..] {
            [only] => Some(only.bytes.repeat(GATHERED / only.bytes.len() + 1).into()),
            _ => None,
        };
        Self(Arc::new(Drawn {
            targets,
            weights,
            total,
            repeated,
        }))
    }

    /// A random one.
    #[must_use]
    pub fn draw(&self) -> &Target {
        let Drawn {
            targets,
            weights,
            total,
            ..
        } = &*self.0;
        let number = match targets.len() {
            1 => 0,
            _ => {
                let drawn = random::u64(..total);
                weights.partition_point(|weight| *weight <= drawn)
            }
        };
        &targets[number]
    }

    /// The drawn requests as one piece.
    pub(super) fn piece(&self, drawn: &[&Target]) -> Bytes {
        match (drawn, &self.0.repeated) {
            ([one], _) => one.bytes.clone(),
            (_, Some(repeated)) => repeated.slice(..drawn.len() * self.0.targets[0].bytes.len()),
            (_, None) => drawn
                .iter()
                .flat_map(|target| &target.bytes)
                .copied()
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Version;

    use super::*;
    use crate::http::Fields;

    fn target(path: &str, content: &[u8], weight: u32) -> Target {
        let path = Bytes::copy_from_slice(path.as_bytes());
        let head = RequestHead {
            target: crate::http::Target::parse(&Method::PUT, path).unwrap(),
            method: Method::PUT,
            version: Version::HTTP_11,
            fields: Fields::new().with("Host", "a"),
        };
        Target::new(&head, content, weight)
    }

    #[test]
    fn a_piece_is_the_requests_one_after_another() {
        let content = vec![b'x'; GATHERED];
        for targets in [
            vec![target("/a", b"", 1)],
            vec![target("/a", b"", 1), target("/bb", b"content", 1)],
            vec![target("/a", &content, 1)],
        ] {
            let targets = Targets::new(targets);
            for count in [1, 2, 100] {
                let mut drawn = Vec::new();
                let mut expected = Vec::new();
                while drawn.len() < count && expected.len() < GATHERED {
                    drawn.push(targets.draw());
                    expected.extend_from_slice(drawn[drawn.len() - 1].bytes());
                }
                assert_eq!(targets.piece(&drawn), expected);
            }
        }
    }

    #[test]
    fn targets_are_drawn_by_their_weights() {
        let targets = Targets::new([
            target("/a", b"", 1),
            target("/b", b"", 0x10),
            target("/c", b"", 3),
        ]);
        let mut counts = [0_u32; 3];
        for _ in 0..20_000 {
            let bytes = targets.draw().bytes();
            counts[usize::from(bytes[5] - b'a')] += 1;
        }
        // Seven standard deviations off is one in 10^11.
        for (count, expected) in counts.into_iter().zip([1_000, 16_000, 3_000_u32]) {
            assert!(count.abs_diff(expected) < 400, "{counts:?}");
        }
    }
}
