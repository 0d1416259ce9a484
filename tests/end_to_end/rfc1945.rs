//! RFC 1945, HTTP/1.0: the parts that still apply.

use super::server::Server;

#[test]
fn the_connection_closes_behind_the_response() {
    // 1.3: "Except for experimental applications, current practice requires that the connection be
    // established by the client prior to each request and closed by the server after sending the
    // response."
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.send("GET /hello.txt HTTP/1.0\r\n\r\n");
    assert_eq!(client.response(false).text(), "hello\n");
    assert_eq!(client.rest(), b"");
}

#[test]
fn a_simple_request_is_no_request_any_more() {
    // RFC 9112, appendix C.1, drops HTTP/0.9.
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.send("GET /hello.txt\r\n");
    assert_eq!(client.response(false).status, 400);
}

#[test]
fn link_and_unlink_are_known() {
    // D.1.3, LINK, and D.1.4, UNLINK; RFC 9110, 15.5.6: known but not supported is 405, where a
    // name that nobody knows is 501.
    let server = Server::start(&[]);
    for (method, status) in [("LINK", 405), ("UNLINK", 405), ("TANGLE", 501)] {
        let response = server.ask(&format!("{method} /hello.txt HTTP/1.0\r\n\r\n"));
        assert_eq!(response.status, status, "{method}");
        assert_eq!(response.field("allow").is_some(), status == 405);
    }
}

#[test]
fn if_modified_since_is_a_conditional_get() {
    // 8.1: "The conditional GET method requests that the identified resource be transferred only if
    // it has been modified since the date given by the If-Modified-Since header".
    let server = Server::start(&[]);
    let date = server
        .get("/hello.txt")
        .field("last-modified")
        .unwrap()
        .to_owned();
    for (date, status) in [(date.as_str(), 304), ("Sun, 06 Nov 1994 08:49:37 GMT", 200)] {
        let response = server.ask(&format!(
            "GET /hello.txt HTTP/1.0\r\nIf-Modified-Since: {date}\r\n\r\n"
        ));
        assert_eq!(response.status, status);
    }
}

#[test]
fn the_three_forms_of_a_date_are_understood() {
    // 3.3: "HTTP/1.0 applications have historically allowed three different formats for the
    // representation of date/time stamps".
    let server = Server::start(&[]);
    for date in [
        "Sun, 06 Nov 2044 08:49:37 GMT",
        "Sunday, 06-Nov-44 08:49:37 GMT",
        "Sun Nov  6 08:49:37 2044",
    ] {
        let response = server.ask(&format!(
            "GET /hello.txt HTTP/1.0\r\nIf-Modified-Since: {date}\r\n\r\n"
        ));
        assert_eq!(response.status, 304, "{date}");
    }
}

#[test]
fn content_of_unknown_length_ends_with_the_connection_and_is_not_chunked() {
    // 7.2.2: "If a Content-Length header field is not present [...] the length is determined by the
    // closing of the connection by the server." RFC 9112, 6.1: "A server MUST NOT send a response
    // containing Transfer-Encoding unless the corresponding request indicates HTTP/1.1 (or later
    // minor revisions)."
    let server = Server::start(&[]);
    for number in 0..5000 {
        std::fs::write(server.path().join(format!("{number:04}")), "").unwrap();
    }
    for connection in ["", "Connection: keep-alive\r\n"] {
        let response = server.ask(&format!(
            "GET / HTTP/1.0\r\nAccept: text/plain\r\n{connection}\r\n"
        ));
        assert_eq!(response.field("transfer-encoding"), None);
        assert_eq!(response.text().lines().count(), 5001);
    }
}
