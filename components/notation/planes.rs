//! The backplanes of a text: one for each message type. All its lines share them, including lines
//! that are created for each connection.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use kamea::Message;

use crate::chassis::Backplane;

#[derive(Default)]
pub(super) struct Planes(Mutex<BTreeMap<TypeId, Box<dyn Any + Send>>>);

impl Planes {
    /// Returns the backplane of a message type.
    pub(super) fn plane<T: Message>(&self) -> Backplane<T> {
        let mut planes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let plane = planes
            .entry(TypeId::of::<T>())
            .or_insert_with(|| Box::new(Backplane::<T>::new()));
        let plane = plane.downcast_ref::<Backplane<T>>();
        plane.expect("it was made for this type").clone()
    }
}

impl fmt::Debug for Planes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Planes")
    }
}
