//! What a choice considers, for the explanation of a request.

use super::{Choice, Group};
use crate::backends::{BackendState, Health};

/// A backend, as it was when it was considered.
#[derive(Debug)]
pub(crate) struct Considered {
    /// Its address and its figures.
    pub(crate) backend: String,
    /// Why it is no candidate; `None` if it is one.
    excluded: Option<&'static str>,
}

impl Considered {
    /// What came of it, if this backend was chosen.
    pub(crate) const fn verdict(&self, is_chosen: bool) -> &'static str {
        match (is_chosen, self.excluded) {
            (true, _) => "chosen",
            (false, Some(why)) => why,
            (false, None) => "a candidate",
        }
    }
}

impl Group {
    /// What the next choice considers, for a request that was at the backends of `tried` already.
    pub(crate) fn considered(&self, tried: &[usize]) -> Vec<Considered> {
        let up = self.up(tried);
        let candidates = self.candidates(up.clone());
        let backends = self.backends.iter().enumerate();
        let considered = backends.map(|(index, state)| {
            let is_candidate = candidates.iter().any(|each| each.index == index);
            let excluded = match (is_candidate, up.contains(&index)) {
                (true, _) => None,
                (false, true) if state.is_full() => Some("no: it is at its limit"),
                (false, true) => Some("no: a backup is for when no other can take a request"),
                (false, false) => Some(why_not_up(state, tried.contains(&index))),
            };
            Considered {
                backend: described(state),
                excluded,
            }
        });
        considered.collect()
    }
}

fn why_not_up(state: &BackendState, is_tried: bool) -> &'static str {
    match state.health() {
        _ if state.weight() == 0 => "no: its weight is 0",
        Health::Down => "no: its checks fail",
        Health::Draining => "no: it is taken out",
        _ if is_tried => "no: it has failed this request",
        Health::Ejected => "no: it is ejected",
        Health::Up => "no: another is better",
    }
}

fn described(state: &BackendState) -> String {
    let (name, health) = (state.name(), state.health().name());
    let (weight, open) = (state.weight(), state.open());
    let most = state.backend().most_connections;
    let most = most.map_or_else(String::new, |most| format!(" of at most {most}"));
    format!("{name}: {health}, weight {weight}, {open}{most} in flight")
}

impl Choice {
    /// The position of the backend that was chosen.
    pub(crate) const fn index(&self) -> Option<usize> {
        match self {
            Self::Backend(in_flight) => Some(in_flight.index()),
            _ => None,
        }
    }
}
