//! The console.

use bytes::Bytes;

use super::{Entry, component};
use crate::notation::words::console_echoer;

pub(super) fn entries() -> Vec<Entry> {
    vec![component! {
        "console_echoer" = console_echoer in "notation/words.rs" for any {
            => console_echoer::<T>()
        }
    }]
}
