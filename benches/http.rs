//! What the floor, the hyper peer and the harness share: the body, the fixed answer, the line with
//! a server's address.

use std::net::SocketAddr;

/// The size of the small body in bytes.
pub const BODY_LEN: usize = 1024;

/// The text of the short answers.
pub const HELLO: &str = "Hello, World!";

/// The short answer as JSON.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub struct Hello {
    /// [`HELLO`].
    pub message: &'static str,
}

/// The end of a request without a body.
pub const REQUEST_END: &[u8] = b"\r\n\r\n";

/// The small body: text that is the same for every server.
pub fn body() -> Vec<u8> {
    b"One kibibyte, and each line of it is sixty-four bytes in length\n".repeat(BODY_LEN / 64)
}

/// A whole answer with the small body, as the floor sends it.
pub fn canned_response(close: bool) -> Vec<u8> {
    let connection = if close { "close" } else { "keep-alive" };
    let mut response = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {BODY_LEN}\r\n\
         Connection: {connection}\r\n\r\n"
    )
    .into_bytes();
    response.extend(body());
    response
}

/// Prints the address of a server, in the format that the harness expects.
#[expect(clippy::print_stdout, reason = "the harness reads it")]
pub fn announce(address: SocketAddr) {
    println!("Listening on {address}");
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_body_has_its_length() {
        assert_eq!(super::body().len(), super::BODY_LEN);
    }
}
