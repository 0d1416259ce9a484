//! The answer of a FastCGI backend: the same events come out however it is cut into pieces.

#![no_main]

use bytes::Bytes;
use kamea_proxy::scripts::{FastCgiDecoder, FastCgiError, FastCgiEvent};
use libfuzzer_sys::fuzz_target;

/// Output, messages, exit status and error of an answer in parts of this size.
type Answer = (Vec<u8>, Vec<u8>, Option<u32>, Option<FastCgiError>);

fn read(bytes: &[u8], size: usize) -> Answer {
    let mut decoder = FastCgiDecoder::new();
    let mut answer = Answer::default();
    for part in bytes.chunks(size) {
        decoder.feed(Bytes::copy_from_slice(part));
        loop {
            match decoder.next() {
                Ok(None) => break,
                Ok(Some(FastCgiEvent::Output(part))) => answer.0.extend_from_slice(&part),
                Ok(Some(FastCgiEvent::Errors(part))) => answer.1.extend_from_slice(&part),
                Ok(Some(FastCgiEvent::End(status))) => answer.2 = Some(status),
                Ok(Some(_)) => unreachable!(),
                Err(error) => {
                    answer.3 = Some(error);
                    return answer;
                }
            }
        }
    }
    answer
}

fuzz_target!(|bytes: &[u8]| {
    let whole = read(bytes, bytes.len().max(1));
    for size in [1, 3, 8] {
        assert_eq!(read(bytes, size), whole);
    }
});
