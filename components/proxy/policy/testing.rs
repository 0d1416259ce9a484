//! Candidates and requests for the tests of policies.

use kamea_components::http::{Event, Limits, RequestDecoder, RequestHead};

use super::hash::hash_of;
use super::{Asked, Candidate, Policy};

/// The head of a GET request with these lines.
pub(crate) fn head(lines: &str) -> RequestHead {
    let mut decoder = RequestDecoder::new(Limits::default());
    decoder.feed(format!("GET /a?b HTTP/1.1\r\nHost: a.local\r\n{lines}\r\n").into());
    match decoder.next() {
        Ok(Some(Event::Head(head, _))) => head,
        other => panic!("{lines}: {other:?}"),
    }
}

/// Candidates with these weights, in hundredths.
pub(crate) fn weighted(weights: &[u32]) -> Vec<Candidate> {
    let candidate = |(index, weight): (usize, &u32)| {
        let key = hash_of(format!("http://10.0.0.{index}:9000").as_bytes());
        let mut candidate = Candidate::new(index, key);
        candidate.weight = *weight;
        candidate
    };
    weights.iter().enumerate().map(candidate).collect()
}

/// The position that a policy chooses for an ordinary request.
pub(crate) fn choose(policy: &mut dyn Policy, candidates: &[Candidate]) -> usize {
    let head = head("");
    let asked = Asked::new(&head, [127, 0, 0, 1].into());
    policy.choose(candidates, &asked).unwrap()
}

/// A digit for each choice of a policy.
pub(crate) fn choices(mut policy: impl Policy, candidates: &[Candidate], count: usize) -> String {
    let choice = |_| choose(&mut policy, candidates).to_string();
    (0..count).map(choice).collect()
}
