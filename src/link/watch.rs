//! The observers of each message of a link: its measure, if it has one, and taps.

use std::fmt::Debug;
use std::sync::Arc;

use super::Measure;
use crate::port::Message;
use crate::tap::TapPoint;

/// The observers of the messages of a link inside a flow.
pub(crate) struct Watch<T> {
    measure: Option<Measure<T>>,
    pub(crate) bytes: u64,
    pub(crate) taps: Vec<Tapping<T>>,
}

impl<T> Default for Watch<T> {
    fn default() -> Self {
        Self {
            measure: None,
            bytes: 0,
            taps: Vec::new(),
        }
    }
}

impl<T> Watch<T> {
    pub(crate) fn measuring(measure: Measure<T>) -> Self {
        Self {
            measure: Some(measure),
            ..Self::default()
        }
    }

    /// Whether no observer is left.
    pub(crate) fn is_idle(&self) -> bool {
        self.measure.is_none() && self.taps.is_empty()
    }

    #[inline(never)]
    pub(crate) fn see(&mut self, message: &T, feed: usize) {
        if let Some(measure) = self.measure {
            self.bytes += measure(message) as u64;
        }
        for tap in &self.taps {
            tap.see(message, feed);
        }
    }
}

/// A tap at one link.
#[derive(Debug)]
pub(crate) struct Tapping<T> {
    feed: Option<usize>,
    point: Arc<TapPoint>,
    show: fn(&T) -> &dyn Debug,
}

impl<T> Tapping<T> {
    pub(crate) fn new(feed: Option<usize>, point: &Arc<TapPoint>) -> Self
    where
        T: Message,
    {
        Self {
            feed,
            point: point.clone(),
            show: |message| message,
        }
    }

    pub(crate) fn see(&self, message: &T, feed: usize) {
        if self.feed.is_none_or(|tapped| tapped == feed) {
            self.point.see((self.show)(message));
        }
    }

    pub(crate) fn is_at(&self, point: &Arc<TapPoint>) -> bool {
        Arc::ptr_eq(&self.point, point)
    }
}
