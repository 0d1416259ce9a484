//! The verdict does not depend on how the input is cut.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::*;

#[test]
fn the_corpus_of_the_fuzz_target_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/decode");
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let count = files
        .inspect(|path| check_split_invariance(&fs::read(path).unwrap()))
        .count();
    assert!(count >= 40, "only {count} files");
}

/// One valid request: its method, target, fields and body, as bytes.
fn request() -> impl Strategy<Value = Vec<u8>> {
    let fields = prop::collection::vec(("[A-Za-z][A-Za-z0-9-]{0,9}", "[ -~\t\u{e9}]{0,20}"), 0..5);
    let body = prop::option::of((any::<bool>(), prop::collection::vec(any::<u8>(), 0..60)));
    ("[A-Z]{1,20}", "/[a-z0-9/%?]{0,30}", fields, body).prop_map(
        |(method, target, fields, body)| {
            let method = if method == "CONNECT" {
                "GET".to_owned()
            } else {
                method
            };
            let mut request = format!("{method} {target} HTTP/1.1\r\nHost: a\r\n").into_bytes();
            for (name, value) in &fields {
                request.extend_from_slice(format!("X-{name}: {value}\r\n").as_bytes());
            }
            match body {
                None => request.extend_from_slice(b"\r\n"),
                Some((false, data)) => {
                    request.extend_from_slice(
                        format!("Content-Length: {}\r\n\r\n", data.len()).as_bytes(),
                    );
                    request.extend_from_slice(&data);
                }
                Some((true, data)) => {
                    request.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
                    for chunk in data.chunks(7) {
                        request.extend_from_slice(format!("{:x};e\r\n", chunk.len()).as_bytes());
                        request.extend_from_slice(chunk);
                        request.extend_from_slice(b"\r\n");
                    }
                    request.extend_from_slice(b"0\r\nTrailer: x\r\n\r\n");
                }
            }
            request
        },
    )
}

proptest! {
    // Failing inputs belong into the corpus of the fuzz target, not into a file of seeds.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_split_of_valid_requests_gives_the_same_events(
        requests in prop::collection::vec(request(), 1..5),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let stream = requests.concat();
        let (whole, end) = decode(Limits::default(), &stream);
        prop_assert_eq!(end, Ok(()));
        let heads = whole.iter().filter(|event| matches!(event, Event::Head(..))).count();
        prop_assert_eq!(heads, requests.len());

        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|cut| &stream[cut[0]..cut[1]]);
        prop_assert_eq!(check::decode(Limits::default(), pieces), check::decode(Limits::default(), [&stream[..]]));
    }

    #[test]
    fn any_bytes_are_taken_or_refused(
        mut stream in request(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        for (place, byte) in changes {
            let place = place.index(stream.len());
            stream[place] = byte;
        }
        check_split_invariance(&stream);
    }
}
