//! The verdict does not depend on how the input is cut.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::*;

#[test]
fn the_corpus_of_the_fuzz_target_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/response");
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let count = files
        .inspect(|path| check_response_split_invariance(&fs::read(path).unwrap()))
        .count();
    assert!(count >= 30, "only {count} files");
}

/// The method of a request, and a valid response to it, as bytes.
fn exchange() -> impl Strategy<Value = (u8, Vec<u8>)> {
    let fields = prop::collection::vec(("[A-Za-z][A-Za-z0-9-]{0,9}", "[ -~\t\u{e9}]{0,20}"), 0..5);
    let data = prop::collection::vec(any::<u8>(), 0..60);
    let kind = prop::sample::select(vec!['H', 'i', 'n', 's', 'c']);
    ("[ -~]{0,12}", fields, data, kind).prop_map(|(reason, fields, data, kind)| {
        let mut response = match kind {
            'i' => format!("HTTP/1.1 100 {reason}\r\n\r\nHTTP/1.1 204 {reason}\r\n"),
            'n' => format!("HTTP/1.1 304 {reason}\r\n"),
            _ => format!("HTTP/1.1 200 {reason}\r\n"),
        }
        .into_bytes();
        for (name, value) in &fields {
            response.extend_from_slice(format!("X-{name}: {value}\r\n").as_bytes());
        }
        match kind {
            's' => {
                let length = format!("Content-Length: {}\r\n\r\n", data.len());
                response.extend_from_slice(length.as_bytes());
                response.extend_from_slice(&data);
            }
            'c' => {
                response.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
                for chunk in data.chunks(7) {
                    response.extend_from_slice(format!("{:x};e\r\n", chunk.len()).as_bytes());
                    response.extend_from_slice(chunk);
                    response.extend_from_slice(b"\r\n");
                }
                response.extend_from_slice(b"0\r\nTrailer: x\r\n\r\n");
            }
            _ => response.extend_from_slice(b"\r\n"),
        }
        (kind as u8, response)
    })
}

proptest! {
    // Failing inputs belong into the corpus of the fuzz target, not into a file of seeds.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_split_of_valid_responses_gives_the_same_replies(
        exchanges in prop::collection::vec(exchange(), 1..5),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let (letters, responses): (Vec<_>, Vec<_>) = exchanges.into_iter().unzip();
        let methods = letters.iter().map(|letter| match letter {
            b'H' => Method::HEAD,
            _ => Method::GET,
        });
        let methods = methods.collect::<Vec<_>>();
        let stream = responses.concat();
        let whole = decode(LIMITS, &methods, [&stream[..]]);
        prop_assert_eq!(&whole.end, &Ok(()));
        prop_assert_eq!(whole.awaited, 0);

        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|cut| &stream[cut[0]..cut[1]]);
        prop_assert_eq!(decode(LIMITS, &methods, pieces), whole);
    }

    #[test]
    fn any_bytes_are_taken_or_refused(
        (letter, response) in exchange(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut stream = [&[letter, b'\n'], &response[..]].concat();
        for (place, byte) in changes {
            let place = place.index(stream.len());
            stream[place] = byte;
        }
        check_response_split_invariance(&stream);
    }
}
