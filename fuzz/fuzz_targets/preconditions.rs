//! `If-Match`, `If-None-Match`, `If-Modified-Since`, `If-Unmodified-Since`: only a safe method can be answered with 304.

#![no_main]

use std::time::{Duration, UNIX_EPOCH};

use http::Method;
use kamea_components::http::{Fields, Precondition, evaluate_preconditions};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut fields = Fields::new();
    for (line, name) in data.split(|&b| b == b'\n').zip([
        "If-Match",
        "If-None-Match",
        "If-Modified-Since",
        "If-Unmodified-Since",
    ]) {
        // What the decoder would not let through is of no interest here.
        let _ = fields.push(name, line);
    }
    let modified = Some(UNIX_EPOCH + Duration::from_secs(784_111_777));
    for (etag, modified) in [(Some(&b"\"a\""[..]), modified), (Some(b"W/\"a\""), None), (None, None)] {
        let put = evaluate_preconditions(&Method::PUT, &fields, etag, modified);
        assert_ne!(put, Precondition::NotModified);
        evaluate_preconditions(&Method::GET, &fields, etag, modified);
    }
});
