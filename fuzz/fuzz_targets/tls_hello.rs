//! A client hello: the server answers it, waits for more, or refuses it with an alert, the same
//! however the bytes are cut.

#![no_main]

use std::sync::LazyLock;

use kamea_components::tls::{ServerTls, Session, TlsOptions, self_signed};
use libfuzzer_sys::fuzz_target;

static TLS: LazyLock<ServerTls> = LazyLock::new(|| {
    let certificate = self_signed(&["localhost"]).unwrap();
    ServerTls::new(TlsOptions::new(vec![certificate])).unwrap()
});

/// What came of it: the error, and the types of the records that are sent.
fn outcome(bytes: &[u8], cut: usize) -> (Option<String>, Vec<u8>) {
    let mut server = Session::server(&TLS);
    let mut parts = bytes.chunks(cut);
    let error = parts.find_map(|part| server.receive(part).err());
    let (outgoing, mut kinds) = (server.take_outgoing(), Vec::new());
    let mut rest = &outgoing[..];
    while let [kind, _, _, high, low, ..] = *rest {
        kinds.push(kind);
        rest = &rest[5 + usize::from(u16::from_be_bytes([high, low]))..];
    }
    (error.map(|error| error.to_string()), kinds)
}

fuzz_target!(|bytes: &[u8]| {
    let whole = outcome(bytes, bytes.len().max(1));
    assert_eq!(whole, outcome(bytes, 1));
    let (error, kinds) = whole;
    // The last record is an alert only if the handshake has failed.
    assert!(error.is_some() || kinds.last() != Some(&21));
});
