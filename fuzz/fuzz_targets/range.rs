//! `Range` and `If-Range`: what comes of them lies within the representation.

#![no_main]

use std::time::{Duration, UNIX_EPOCH};

use http::Method;
use kamea_components::http::{Fields, Ranges, evaluate_range};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u64, &[u8], &[u8])| {
    let (length, range, if_range) = input;
    let mut fields = Fields::new();
    // What the decoder would not let through is of no interest here.
    let _ = fields.push("Range", range);
    let _ = fields.push("If-Range", if_range);
    let modified = Some(UNIX_EPOCH + Duration::from_secs(784_111_777));
    let ranges = evaluate_range(&Method::GET, &fields, length, Some(b"\"a\""), modified);
    if let Ranges::Parts(parts) = ranges {
        assert!((1..=64).contains(&parts.len()));
        assert!(parts.iter().all(|part| part.start < part.end && part.end <= length));
    }
});
