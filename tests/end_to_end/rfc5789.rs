//! RFC 5789, PATCH. No file handler serves it, but the server knows it.

use super::server::Server;

#[test]
fn patch_is_known_and_not_for_files() {
    // RFC 9110, 15.5.6, of 405: "the method received in the request-line is known by the origin
    // server but not supported by the target resource"; RFC 5789, 2.2, has it for PATCH by way of
    // "Allow".
    for options in [&[][..], &["--writable"]] {
        let server = Server::start(options);
        let patch = "PATCH /hello.txt HTTP/1.1\r\nHost: a\r\nContent-Type: text/x-diff\r\nContent-Length: 5\r\n\r\n-old\n";
        let response = server.ask(patch);
        assert_eq!(response.status, 405);
        let allow = response.field("allow").unwrap();
        assert!(allow.starts_with("GET, HEAD, OPTIONS") && !allow.contains("PATCH"));
        // 2: "The server MUST apply the entire set of changes atomically [...] If the entire patch
        // document cannot be successfully applied, then the server MUST NOT apply any of the
        // changes."
        server.assert_well();
        // 3: "Accept-Patch SHOULD appear in the OPTIONS response for any resource that supports the
        // use of the PATCH method."
        assert_eq!(
            server
                .ask_with("OPTIONS", "/hello.txt", "")
                .field("accept-patch"),
            None
        );
    }
}
