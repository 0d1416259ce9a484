//! The corpus of python-multipart: `make multipart` fetches it and runs this test.

use std::fs;

use kamea_app::{MultipartDecoder, MultipartError, MultipartEvent};
use serde::Deserialize;

/// A body of the corpus.
#[derive(Debug, Deserialize)]
struct Case {
    name: String,
    boundary: String,
    body: Vec<u8>,
    /// What python-multipart reads; `None`: it refuses the body.
    parts: Option<Vec<Part>>,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Part {
    name: String,
    file_name: Option<String>,
    content: Vec<u8>,
}

/// Where we differ on purpose, and why.
const OTHERWISE: [(&str, &str); 8] = [
    (
        "base64_encoding",
        "RFC 7578 section 4.7: Content-Transfer-Encoding is deprecated, so content stays as it is",
    ),
    ("base64_encoding_whitespace", "the same"),
    ("mixed_case_headers", "the same"),
    ("mixed_plain_and_base64_encoding", "the same"),
    ("quoted_printable_encoding", "the same"),
    (
        "bad_initial_boundary",
        "RFC 2046 section 5.1.1: what comes before the first boundary is ignored; no part follows",
    ),
    (
        "non_ascii_whitespace_before_filename",
        "the head of a part is not UTF-8 (RFC 7578 section 5.1)",
    ),
    (
        "single_field_blocks",
        "RFC 2046 section 5.1.1: a line with `--boundary` is none of the boundary `--boundary`",
    ),
];

fn decode(case: &Case, size: usize) -> Result<Vec<Part>, MultipartError> {
    let mut decoder = MultipartDecoder::new(&case.boundary);
    let mut parts: Vec<Part> = Vec::new();
    for piece in case.body.chunks(size) {
        decoder.feed(piece);
        while let Some(event) = decoder.next()? {
            match event {
                MultipartEvent::Part(head) => parts.push(Part {
                    name: head.name,
                    file_name: head.file_name,
                    content: Vec::new(),
                }),
                MultipartEvent::Data(bytes) => {
                    parts.last_mut().unwrap().content.extend_from_slice(&bytes);
                }
                _ => {}
            }
        }
    }
    decoder.finish().map(|()| parts)
}

#[test]
#[ignore = "the corpus is fetched: make multipart"]
fn every_body_of_the_corpus_is_read_as_python_multipart_reads_it() {
    let path = std::env::var("KAMEA_MULTIPART").expect("make multipart sets KAMEA_MULTIPART");
    let text = fs::read_to_string(path).unwrap();
    let cases: Vec<Case> = serde_json::from_str(&text).unwrap();
    assert!(cases.len() >= 30, "{}", cases.len());
    for (name, why) in OTHERWISE {
        let is_known = cases.iter().any(|case| case.name == name);
        assert!(is_known, "{name} is not in the corpus: {why}");
    }
    let mut wrong = Vec::new();
    for case in &cases {
        for size in 1..=case.body.len().max(1) {
            let read = decode(case, size);
            let is_otherwise = OTHERWISE.iter().any(|(name, _)| *name == case.name);
            if (read.as_ref().ok() == case.parts.as_ref()) == is_otherwise {
                wrong.push(format!(
                    "{} in pieces of {size}: {read:?}, not {:?}",
                    case.name, case.parts
                ));
                break;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
