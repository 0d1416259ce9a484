//! `Cache-Control`: a lifetime is at most a year.

#![no_main]

use std::time::Duration;

use kamea_components::http::freshness_lifetime;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let year = Duration::from_secs(365 * 24 * 60 * 60);
    assert!(freshness_lifetime(data).is_none_or(|lifetime| lifetime <= year));
});
