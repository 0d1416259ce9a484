//! The parsers of single header fields: whatever a peer sends, they answer.

#![no_main]

use std::time::{Duration, UNIX_EPOCH};

use http::Method;
use kamea_components::http::{ErrorForm, Fields, evaluate_preconditions, evaluate_range};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut fields = Fields::new();
    for (line, name) in data.split(|&b| b == b'\n').zip([
        "Range",
        "If-Range",
        "If-Match",
        "If-None-Match",
        "If-Modified-Since",
        "If-Unmodified-Since",
        "Accept",
    ]) {
        // What the decoder would not let through is of no interest here.
        let _ = fields.push(name, line);
    }
    let modified = Some(UNIX_EPOCH + Duration::from_secs(784_111_777));
    for method in [Method::GET, Method::HEAD, Method::PUT] {
        evaluate_preconditions(&method, &fields, Some(b"\"a\""), modified);
        evaluate_range(&method, &fields, 1000, Some(b"\"a\""), modified);
    }
    ErrorForm::wanted_by(&fields);
});
