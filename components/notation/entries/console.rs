//! The console.

use bytes::Bytes;

use super::{Entry, component};
use crate::console::console_reader;
use crate::notation::words::console_echoer;

pub(super) fn entries() -> Vec<Entry> {
    vec![
        component! {
            "console_echoer" = console_echoer in "notation/words.rs" for any {
                => console_echoer::<T>()
            }
        },
        component! {
            "console_reader" = console_reader in "console/console_reader.rs" {
                => console_reader()
            }
        },
    ]
}
