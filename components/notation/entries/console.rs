//! The console.

use bytes::Bytes;

use super::{Entry, component};
use crate::console::console_echoer;

pub(super) fn entries() -> Vec<Entry> {
    vec![component! {
        "console_echoer" = console_echoer in "console/console_echoer.rs" for [Bytes, String] {
            => console_echoer::<T>()
        }
    }]
}
