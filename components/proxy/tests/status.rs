//! The page of the proxy: what it shows, what it changes, and for whom.

use std::io::{Read as _, Write as _};

use kamea_components::inspect::Access;

use super::backend::Scripted;
use super::*;
use crate::status_server;

const FINE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const TOKEN: &str = "0123456789abcdef";

struct Page {
    running: Running,
    address: SocketAddr,
    _listening: Listening,
}

fn page(route: Route) -> Page {
    let running = run(plan(route));
    let nowhere = ([127, 0, 0, 1], 0).into();
    let access = Access::new(nowhere, Some(TOKEN)).unwrap();
    let server = status_server(&running.proxy, access);
    let listening = server.run(&running.scheduler, &[nowhere]).unwrap();
    Page {
        running,
        address: listening.addresses()[0],
        _listening: listening,
    }
}

impl Page {
    fn ask(&self, line: &str, fields: &str, body: &str) -> String {
        let mut client = TcpStream::connect(self.address).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        let length = body.len();
        write!(
            client,
            "{line} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {length}\r\n\
             {fields}\r\n{body}",
            self.address
        )
        .unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        answer
    }

    fn get(&self, path: &str) -> String {
        self.ask(&format!("GET {path}"), &known(), "")
    }

    fn change(&self, form: &str) -> String {
        self.ask("POST /backends", &known(), form)
    }
}

fn known() -> String {
    format!("Authorization: Bearer {TOKEN}\r\n")
}

#[test]
fn the_figures_are_there_in_three_forms() {
    let backend = Scripted::always(FINE);
    let page = page(route(&[backend.address]));
    for _ in 0..3 {
        page.running.get();
    }
    let status = page.get("/status");
    assert!(
        status.contains("\"route\":\"default /\"") && status.contains("\"requests\":3"),
        "{status}"
    );
    let metrics = page.get("/metrics");
    let label = format!("route=\"default /\",backend=\"http://{}\"", backend.address);
    for (name, value) in [
        ("requests_total", 3),
        ("up", 1),
        ("connections_opened_total", 1),
    ] {
        let line = format!("kamea_proxy_backend_{name}{{{label}}} {value}\n");
        assert!(metrics.contains(&line), "{line}{metrics}");
    }
    let html = page.get("/");
    assert!(
        html.contains("Content-Security-Policy: default-src 'none'")
            && html.contains("<title>Proxy")
    );
    for part in ["/page.js", "/page.css"] {
        assert!(page.get(part).starts_with("HTTP/1.1 200"), "{part}");
    }
    assert!(page.get("/nothing").starts_with("HTTP/1.1 404"));
}

#[test]
fn a_backend_is_taken_out_and_brought_back() {
    let (one, two) = (Scripted::always(FINE), Scripted::always(FINE));
    let page = page(route(&[one.address, two.address]));
    assert!(
        page.change(&format!("address={}&take=out", one.address))
            .starts_with("HTTP/1.1 204")
    );
    for _ in 0..6 {
        page.running.get();
    }
    assert_eq!((one.requests().len(), two.requests().len()), (0, 6));
    assert!(page.get("/status").contains("\"health\":\"draining\""));
    assert!(
        page.change(&format!("address=http://{}&take=in", one.address))
            .starts_with("HTTP/1.1 204")
    );
    assert!(
        page.change(&format!("address={}&weight=0", two.address))
            .starts_with("HTTP/1.1 204")
    );
    for _ in 0..6 {
        page.running.get();
    }
    assert_eq!((one.requests().len(), two.requests().len()), (6, 6));
}

#[test]
fn changes_that_make_no_sense_are_refused() {
    let backend = Scripted::always(FINE);
    let page = page(route(&[backend.address]));
    let address = backend.address;
    let rows = [
        ("".to_owned(), "400"),
        (format!("address={address}"), "400"),
        (format!("address={address}&take=away"), "400"),
        (format!("address={address}&weight=x"), "400"),
        (format!("address={address}&weight=-1"), "400"),
        (format!("address={address}&weight=65536"), "400"),
        (format!("address={address}&take=out&weight=1"), "400"),
        ("address=127.0.0.1:1&take=out".to_owned(), "404"),
        ("x".repeat(5000), "413"),
    ];
    for (form, status) in rows {
        let answer = page.change(&form);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{form}: {answer}"
        );
    }
    for line in ["PUT /backends", "DELETE /", "POST /status"] {
        let answer = page.ask(line, &known(), "");
        assert!(answer.starts_with("HTTP/1.1 405"), "{line}: {answer}");
    }
    assert_eq!(page.running.proxy.status()[0].backends[0].health, "up");
}

/// Nobody else looks or changes, also no page of another site.
#[test]
fn only_those_who_know_the_token_may_use_it() {
    let backend = Scripted::always(FINE);
    let page = page(route(&[backend.address]));
    let form = format!("address={}&take=out", backend.address);
    for fields in ["", "Authorization: Bearer wrong-wrong-wrong\r\n"] {
        for (line, body) in [
            ("GET /status", ""),
            ("GET /", ""),
            ("POST /backends", &form),
        ] {
            let answer = page.ask(line, fields, body);
            assert!(
                answer.starts_with("HTTP/1.1 401") || answer.starts_with("HTTP/1.1 403"),
                "{answer}"
            );
        }
    }
    // A form on a page of another port of this machine, or of another site.
    for foreign in [
        "Sec-Fetch-Site: same-site\r\nSec-Fetch-Mode: navigate\r\n",
        "Origin: http://evil.example\r\n",
        "Origin: null\r\n",
    ] {
        let answer = page.ask("POST /backends", &format!("{}{foreign}", known()), &form);
        assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    }
    assert_eq!(page.running.proxy.status()[0].backends[0].health, "up");
}
