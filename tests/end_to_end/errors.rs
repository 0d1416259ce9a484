//! How errors are reported.

use super::server::Server;

#[test]
fn an_error_comes_in_the_form_that_is_asked_for() {
    let server = Server::start(&[]);
    for (accept, media_type, begin) in [
        ("", "text/html; charset=utf-8", "<!DOCTYPE html>"),
        // curl, and fetch in a page.
        (
            "*/*",
            "text/plain; charset=utf-8",
            "404 Not Found: there is nothing at this place\n",
        ),
        (
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "text/html; charset=utf-8",
            "<!DOCTYPE html>",
        ),
        (
            "application/json",
            "application/json",
            "{\"explanation\":\"there is nothing at this place\",\"reason\":\"Not Found\",\"status\":404}\n",
        ),
        (
            "text/html;q=0.1, text/plain",
            "text/plain; charset=utf-8",
            "404 Not Found: there is nothing at this place\n",
        ),
        ("image/png", "text/html; charset=utf-8", "<!DOCTYPE html>"),
        (
            "nonsense,;;q=,",
            "text/html; charset=utf-8",
            "<!DOCTYPE html>",
        ),
    ] {
        let ask = format!("GET /missing HTTP/1.1\r\nHost: a\r\nAccept: {accept}\r\n\r\n");
        let response = server.ask(&ask);
        assert_eq!(response.status, 404, "{accept}");
        assert_eq!(response.field("content-type"), Some(media_type), "{accept}");
        assert_eq!(response.field("vary"), Some("Accept"));
        assert!(response.text().starts_with(begin), "{}", response.text());
    }
}

#[test]
fn what_a_peer_sent_is_no_markup_in_an_error() {
    let server = Server::start(&[]);
    let path = "/%3Cscript%3Ealert(1)%3C/script%3E";
    let response = server.ask(&format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_eq!(response.status, 404);
    assert!(!response.text().contains("<script"));
}

#[test]
fn a_users_own_pages() {
    let pages = tempfile::tempdir().unwrap();
    let text = "<h1>{{ status }} {{ reason }}</h1><p>{{ explanation }}";
    std::fs::write(pages.path().join("404.html"), text).unwrap();
    let folder = pages.path().to_str().unwrap();
    let server = Server::start(&["--error-pages", folder]);
    let own = "<h1>404 Not Found</h1><p>there is nothing at this place";
    assert_eq!(server.get("/missing").text(), own);
    // Without such a page, and for clients that do not want a page, the server's own.
    let other = server.ask("BREW / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(other.status == 501 && other.text().contains("<svg"));
    let json = server.ask("GET /x HTTP/1.1\r\nHost: a\r\nAccept: application/json\r\n\r\n");
    assert!(json.text().starts_with('{'));
}
