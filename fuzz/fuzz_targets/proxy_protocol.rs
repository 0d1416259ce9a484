//! A PROXY protocol header: every part of a valid one is incomplete, and what is written is read.

#![no_main]

use kamea_proxy::plan::ProxyProtocol;
use kamea_proxy::proxy_protocol::{read_proxy_header, write_proxy_header};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(Some(header)) = read_proxy_header(bytes) else {
        return;
    };
    assert!(header.length <= bytes.len());
    for end in 0..header.length {
        assert_eq!(read_proxy_header(&bytes[..end]), Ok(None));
    }
    for version in [ProxyProtocol::V1, ProxyProtocol::V2] {
        let mut written = Vec::new();
        write_proxy_header(&mut written, version, header.addresses);
        let read = read_proxy_header(&written).unwrap().unwrap();
        assert_eq!(
            (read.addresses.is_some(), read.length),
            (header.addresses.is_some(), written.len())
        );
    }
});
