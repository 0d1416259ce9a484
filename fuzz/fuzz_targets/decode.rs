//! Whatever comes in, and however it is cut, the request decoder says the same and keeps to its limits.
//!
//! From the root: `cargo +nightly fuzz run decode`. What it finds belongs into `corpus/decode`, under a name
//! that says what it is: the unit tests of the decoder replay that folder.

#![no_main]

use kamea_components::http::check_split_invariance;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| check_split_invariance(data));
