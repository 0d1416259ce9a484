//! A waiting line, first come first served.

use std::collections::VecDeque;
use std::fmt;
use std::num::NonZeroU64;

/// A place in a line. A later place has a higher number.
pub(crate) type Ticket = NonZeroU64;

/// To enter, to leave and to be found take practically constant time, however many wait. A line
/// that was never used is a single pointer.
pub(crate) struct Line<W>(Option<Box<Places<W>>>);

struct Places<W> {
    /// In the order of their tickets. `None` is a place that was left. The first and the last are
    /// never `None`.
    places: VecDeque<(Ticket, Option<W>)>,
    /// How many have left.
    left: usize,
    last_ticket: u64,
}

impl<W> Default for Line<W> {
    fn default() -> Self {
        Self(None)
    }
}

impl<W> Line<W> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.as_ref().is_none_or(|line| line.places.is_empty())
    }

    pub(crate) fn first_ticket(&self) -> Option<Ticket> {
        self.0.as_ref()?.places.front().map(|(ticket, _)| *ticket)
    }

    pub(crate) fn first_mut(&mut self) -> Option<&mut W> {
        self.0.as_mut()?.places.front_mut()?.1.as_mut()
    }

    pub(crate) fn enter(&mut self, who: W) -> Ticket {
        let line = self.0.get_or_insert_with(|| {
            Box::new(Places {
                places: VecDeque::new(),
                left: 0,
                last_ticket: 0,
            })
        });
        line.last_ticket += 1;
        let ticket = Ticket::new(line.last_ticket).unwrap_or(Ticket::MAX);
        line.places.push_back((ticket, Some(who)));
        ticket
    }

    /// Removes the first from the line.
    pub(crate) fn pop(&mut self) -> Option<W> {
        let line = self.0.as_mut()?;
        let (_, who) = line.places.pop_front()?;
        line.tidy();
        who
    }

    /// Returns an entry that still waits.
    pub(crate) fn find(&mut self, ticket: Ticket) -> Option<&mut W> {
        let line = self.0.as_mut()?;
        let at = line.position(ticket)?;
        line.places[at].1.as_mut()
    }

    /// Removes an entry that still waits.
    pub(crate) fn leave(&mut self, ticket: Ticket) -> Option<W> {
        let line = self.0.as_mut()?;
        let at = line.position(ticket)?;
        let who = line.places[at].1.take();
        line.left += 1;
        line.tidy();
        who
    }

    /// All entries that wait, in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &W> {
        let places = self.0.iter().flat_map(|line| &line.places);
        places.filter_map(|(_, who)| who.as_ref())
    }

    /// Removes all entries from the line.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = W> {
        let places = self.0.as_mut().map(|line| {
            line.left = 0;
            std::mem::take(&mut line.places)
        });
        let places = places.into_iter().flatten();
        places.filter_map(|(_, who)| who)
    }
}

impl<W> Places<W> {
    fn position(&self, ticket: Ticket) -> Option<usize> {
        let found = self
            .places
            .binary_search_by_key(&ticket, |(known, _)| *known);
        found.ok()
    }

    fn tidy(&mut self) {
        let has_left =
            |place: Option<&(Ticket, Option<W>)>| place.is_some_and(|(_, who)| who.is_none());
        while has_left(self.places.front()) {
            self.places.pop_front();
            self.left -= 1;
        }
        while has_left(self.places.back()) {
            self.places.pop_back();
            self.left -= 1;
        }
        if self.left > self.places.len() / 2 {
            self.places.retain(|(_, who)| who.is_some());
            self.left = 0;
        }
    }
}

impl<W> fmt::Debug for Line<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Compares it with a plain list.
        #[test]
        fn who_waits_keeps_its_place_whoever_leaves(acts in vec((0..4_u8, any::<usize>()), 0..300)) {
            let (mut line, mut list) = (Line::default(), Vec::new());
            for (number, (act, which)) in acts.into_iter().enumerate() {
                match act {
                    0 | 1 => list.push((line.enter(number), number)),
                    2 => prop_assert_eq!(line.pop(), (!list.is_empty()).then(|| list.remove(0).1)),
                    _ if !list.is_empty() => {
                        let (ticket, number) = list.remove(which % list.len());
                        prop_assert_eq!(line.find(ticket), Some(&mut number.clone()));
                        prop_assert_eq!(line.leave(ticket), Some(number));
                        prop_assert_eq!(line.leave(ticket), None);
                    }
                    _ => {}
                }
                prop_assert_eq!(line.first_ticket(), list.first().map(|first| first.0));
                prop_assert!(line.iter().eq(list.iter().map(|(_, number)| number)));
                prop_assert_eq!(line.is_empty(), list.is_empty());
                let places = line.0.as_ref().map_or(0, |line| line.places.len());
                prop_assert!(places <= 2 * list.len(), "those that have left are forgotten");
            }
            prop_assert_eq!(line.drain().count(), list.len());
        }
    }
}
