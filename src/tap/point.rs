//! The part of a tap at the link, where messages pass.

use std::fmt::{self, Debug, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use super::{Sample, TapOptions};
use crate::graph::Plan;
use crate::scheduler::current_worker;
use crate::supervision::caught;
use crate::time::turn;

/// Where to install a tap.
#[derive(Debug, Clone)]
pub(crate) struct TapRequest {
    pub(crate) graph: Arc<str>,
    pub(crate) from: Arc<str>,
    pub(crate) to: Arc<str>,
    pub(crate) point: Arc<TapPoint>,
}

impl TapRequest {
    /// The links of a graph that it watches, each with the number of the outbox, unless it watches
    /// all of them.
    pub(crate) fn matches(&self, plan: &Plan) -> Vec<(usize, Option<usize>)> {
        if plan.graph != self.graph {
            return Vec::new();
        }
        let links = plan.links.iter().enumerate();
        let links = links.filter(|(_, link)| plan.inbox_label(link) == *self.to);
        let feeds = links.flat_map(|(number, link)| {
            let outside = link.from.is_empty() && *self.from == *Plan::OUTSIDE;
            let feeds = link.from.iter().enumerate();
            let feeds = feeds.filter(|(_, feed)| plan.outbox_label(feed) == *self.from);
            let feeds: Vec<_> = feeds.map(|(feed, _)| (number, Some(feed))).collect();
            outside.then_some((number, None)).into_iter().chain(feeds)
        });
        feeds.collect()
    }
}

/// The observer that a tapped link shows its messages to.
pub(crate) struct TapPoint {
    pub(super) seen: Arc<AtomicU64>,
    samples: flume::Sender<Sample>,
    began: Instant,
    options: TapOptions,
    /// The current second since the start, in the upper half, and the number of samples in it.
    spent: AtomicU64,
}

impl TapPoint {
    pub(super) fn new(options: TapOptions) -> (Self, flume::Receiver<Sample>) {
        // A slow reader gets fewer samples; they are numbered.
        let (samples, receiver) = flume::bounded(options.per_second.clamp(1, 1024) as usize);
        let point = Self {
            seen: Arc::default(),
            samples,
            began: turn(),
            options,
            spent: AtomicU64::new(0),
        };
        (point, receiver)
    }

    /// A message passes.
    #[cold]
    pub(crate) fn see(&self, message: &dyn Debug) {
        let number = self.seen.fetch_add(1, Relaxed) + 1;
        let after = turn().saturating_duration_since(self.began);
        if self.samples.is_disconnected() || !self.spend(after.as_secs()) {
            return;
        }
        let (text, is_cut) = shown(message, self.options.length);
        // Full: the reader is too slow.
        let _ = self.samples.try_send(Sample {
            number,
            worker: current_worker(),
            after,
            text,
            is_cut,
        });
    }

    /// Takes one sample from the allowance of this second.
    fn spend(&self, second: u64) -> bool {
        let allowed = u64::from(self.options.per_second);
        let now = second << 32;
        let spent = self.spent.fetch_update(Relaxed, Relaxed, |spent| {
            let spent = if spent >> 32 == second { spent } else { now };
            (spent & u64::from(u32::MAX) < allowed).then_some(spent + 1)
        });
        spent.is_ok()
    }
}

impl Debug for TapPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TapPoint").finish_non_exhaustive()
    }
}

/// A message as text, up to a limit in bytes, and whether it was longer.
fn shown(message: &dyn Debug, length: usize) -> (String, bool) {
    // It is the program's code, and its failures are not faults of the component.
    let shown = || bounded(format_args!("{message:?}"), length);
    caught(shown).unwrap_or_else(|_| ("(its Debug panicked)".to_owned(), false))
}

/// A text up to a limit in bytes, and whether it was longer.
pub(crate) fn bounded(text: fmt::Arguments<'_>, length: usize) -> (String, bool) {
    let mut bounded = Bounded {
        text: String::new(),
        left: length,
        is_cut: false,
    };
    // An error: the text is cut, or the message cannot be shown.
    let _ = bounded.write_fmt(text);
    (bounded.text, bounded.is_cut)
}

/// Text with a length limit. Beyond it, writing fails, so that a long message is not formatted to
/// its end.
struct Bounded {
    text: String,
    left: usize,
    is_cut: bool,
}

impl Write for Bounded {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let fits = more.floor_char_boundary(self.left);
        self.text.push_str(&more[..fits]);
        self.left -= fits;
        if fits < more.len() {
            self.is_cut = true;
            self.left = 0;
            return Err(fmt::Error);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts how much of it is requested.
    struct Long<'a>(&'a std::cell::Cell<usize>);

    impl Debug for Long<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            for _ in 0..1_000_000 {
                self.0.set(self.0.get() + 1);
                f.write_str("long")?;
            }
            Ok(())
        }
    }

    #[test]
    fn a_long_message_is_formatted_up_to_the_bound_and_no_further() {
        let asked = std::cell::Cell::new(0);
        assert_eq!(shown(&Long(&asked), 10), ("longlonglo".to_owned(), true));
        assert_eq!(asked.get(), 3);
    }

    #[test]
    fn text_is_cut_between_characters() {
        for (message, length, expected, is_cut) in [
            ("ab", 4, "\"ab\"", false),
            ("ab", 3, "\"ab", true),
            ("ā", 2, "\"", true),
            ("ā", 3, "\"ā", true),
            ("", 0, "", true),
        ] {
            assert_eq!(shown(&message, length), (expected.to_owned(), is_cut));
        }
    }

    #[test]
    fn a_debug_that_panics_is_no_fault_of_the_component() {
        struct Bad;
        impl Debug for Bad {
            fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
                panic!("in Debug")
            }
        }
        assert_eq!(shown(&Bad, 100).0, "(its Debug panicked)");
    }

    #[test]
    fn each_second_has_its_samples() {
        let options = TapOptions {
            per_second: 2,
            length: 1,
        };
        let (point, _samples) = TapPoint::new(options);
        let seconds = [0, 0, 0, 1, 1, 1, 7, 7, 7];
        let spent: Vec<_> = seconds.map(|second| point.spend(second)).into();
        assert_eq!(spent, [true, true, false].repeat(3));
    }

    #[test]
    fn what_is_not_sampled_is_counted() {
        let options = TapOptions {
            per_second: 1,
            length: 9,
        };
        let (point, samples) = TapPoint::new(options);
        (0..1000).for_each(|number| point.see(&number));
        assert_eq!(point.seen.load(Relaxed), 1000);
        let first = samples.recv().unwrap();
        assert_eq!((first.number, &*first.text, first.is_cut), (1, "0", false));
    }
}
