//! The server as a whole, with components of the user.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::*;
use crate::web::Request;

fn ask(address: SocketAddr, method: &str) -> String {
    ask_for(address, method, "/")
}

fn ask_for(address: SocketAddr, method: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}

#[test]
fn a_component_that_panics_costs_its_own_request() {
    let scheduler = Scheduler::with_workers(1);
    let server = WebServer::new(Site::new("."))
        .method("PANIC", async |io: &mut HandlerPorts| {
            match io.requests.next().await {
                Some(request) => panic!("on purpose, with {request:?}"),
                None => Ok(()),
            }
        })
        .unwrap();
    let listening = server
        .run(&scheduler, &["127.0.0.1:0".parse().unwrap()])
        .unwrap();
    for _ in 0..3 {
        let response = ask(listening.addresses()[0], "PANIC");
        assert!(
            response.starts_with("HTTP/1.1 500 ") && response.contains("<svg"),
            "{response}"
        );
        assert!(ask(listening.addresses()[0], "GET").starts_with("HTTP/1.1 200 "));
    }
}

#[test]
fn a_site_without_files_opens_none_and_has_only_its_routes() {
    let scheduler = Scheduler::with_workers(1);
    let server = || {
        let mut site = Site::without_files();
        // There is nothing to write to either.
        site.files.writable = true;
        let hello = async |_: Request| "hello";
        let cgi = CgiOptions::default();
        WebServer::new(site)
            .cgi(cgi)
            .handle("hello", Route::path("/hello"), hello)
    };
    let graph = server().check().unwrap().to_string();
    for component in ["files", "thumbnails", "put", "cgi"] {
        let is_there = graph
            .split_whitespace()
            .any(|word| word.trim_end_matches(':') == component);
        assert!(!is_there, "{graph}");
    }
    let addresses = ["127.0.0.1:0".parse().unwrap()];
    let listening = server().run(&scheduler, &addresses).unwrap();
    let address = listening.addresses()[0];
    assert!(ask_for(address, "GET", "/hello").ends_with("hello"));
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/Cargo.toml"),
        ("HEAD", "/lib.rs"),
        ("GET", "/cgi-bin/x"),
    ] {
        let response = ask_for(address, method, path);
        assert!(response.starts_with("HTTP/1.1 404 "), "{response}");
    }
    let put = ask_for(address, "PUT", "/new");
    assert!(put.starts_with("HTTP/1.1 405 "), "{put}");
}

/// A component of the server that is named like this ends the connection with it.
#[test]
fn the_name_of_a_users_component_does_not_decide_what_its_fault_costs() {
    let scheduler = Scheduler::with_workers(1);
    let server = WebServer::new(Site::new("."));
    let server = ["choice", "fallback"]
        .into_iter()
        .fold(server, |server, name| {
            let route = Route::path(&format!("/{name}"));
            server.route(name, route, async |io: &mut HandlerPorts| {
                let request = io.requests.next().await;
                panic!("on purpose, with {request:?}");
            })
        });
    let any = "127.0.0.1:0".parse().unwrap();
    let listening = server.run(&scheduler, &[any]).unwrap();
    for path in ["/choice", "/fallback"] {
        let response = ask_for(listening.addresses()[0], "GET", path);
        assert!(response.starts_with("HTTP/1.1 500 "), "{path}: {response}");
    }
}

/// A user's own error component.
async fn say_sorry(io: &mut ErrorPorts) -> kamea::Done {
    while let Some(failure) = io.failures.next().await {
        io.responses.send(failure.respond("sorry")).await?;
    }
    Ok(())
}

#[test]
fn every_part_can_be_replaced() {
    let scheduler = Scheduler::with_workers(1);
    let server = WebServer::new(Site::new("."))
        .files(async |io: &mut HandlerPorts| {
            while let Some(request) = io.requests.next().await {
                io.responses.send(request.respond("mine")).await?;
            }
            Ok(())
        })
        .errors(say_sorry);
    let listening = server
        .run(&scheduler, &["127.0.0.1:0".parse().unwrap()])
        .unwrap();
    assert!(ask(listening.addresses()[0], "GET").ends_with("\r\n\r\nmine"));
    let refused = ask(listening.addresses()[0], "BREW");
    assert!(
        refused.starts_with("HTTP/1.1 501 ") && refused.ends_with("\r\n\r\nsorry"),
        "{refused}"
    );
}

#[test]
fn an_error_component_that_fails_is_stood_in_for() {
    let scheduler = Scheduler::with_workers(1);
    let server = WebServer::new(Site::new(".")).errors(async |io: &mut ErrorPorts| {
        match io.failures.next().await {
            Some(failure) => panic!("on purpose, with {failure:?}"),
            None => Ok(()),
        }
    });
    let listening = server
        .run(&scheduler, &["127.0.0.1:0".parse().unwrap()])
        .unwrap();
    for _ in 0..3 {
        let response = ask(listening.addresses()[0], "BREW");
        assert!(
            response.starts_with("HTTP/1.1 500 ") && response.contains("<svg"),
            "{response}"
        );
        assert!(ask(listening.addresses()[0], "GET").starts_with("HTTP/1.1 200 "));
    }
}

#[test]
fn a_name_that_the_graph_has_already_is_told() {
    let server = WebServer::new(Site::new(".")).method("TRACE", crate::web::answer_trace());
    let server = server.unwrap().method("TRACE", crate::web::answer_trace());
    let error = server.unwrap().check().err().unwrap();
    assert!(error.to_string().contains("TRACE"), "{error}");
}

#[test]
fn one_too_many_is_told_so_by_the_users_error_component() {
    let scheduler = Scheduler::with_workers(1);
    let mut site = Site::new(".");
    site.connections = 1;
    let server = WebServer::new(site).errors(say_sorry);
    let listening = server
        .run(&scheduler, &["127.0.0.1:0".parse().unwrap()])
        .unwrap();
    let mut first = TcpStream::connect(listening.addresses()[0]).unwrap();
    // It counts once it has been answered.
    write!(first, "BREW / HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
    first.read_exact(&mut [0]).unwrap();
    // An idle connection would make room.
    write!(first, "GET / HTT").unwrap();
    let refused = ask(listening.addresses()[0], "GET");
    assert!(
        refused.starts_with("HTTP/1.1 503 ") && refused.ends_with("\r\n\r\nsorry"),
        "{refused}"
    );
}

#[test]
fn a_filter_around_the_handlers_sees_each_response_with_its_request() {
    use crate::web::{Noted, Pending, RequestHalfPorts, ResponseHalfPorts};

    async fn note_paths(io: &mut RequestHalfPorts<String>) -> kamea::Done {
        while let Some(request) = io.requests.next().await {
            let note = request.head.target.path().to_owned();
            let number = request.exchange.number;
            io.notes.send(Noted { number, note }).await?;
            io.passed.send(request).await?;
        }
        Ok(())
    }
    async fn tell_paths(io: &mut ResponseHalfPorts<String>) -> kamea::Done {
        let mut pending = Pending::new();
        while let Some(mut response) = io.responses.next().await {
            let number = response.exchange.number;
            let path = pending.take(&mut io.notes, number).unwrap();
            response.head.fields.push("X-Path", path)?;
            io.passed.send(response).await?;
        }
        Ok(())
    }
    let scheduler = Scheduler::with_workers(1);
    let server = WebServer::new(Site::new("."))
        .around("outer", note_paths, tell_paths)
        .around("inner", note_paths, tell_paths);
    let listening = server
        .run(&scheduler, &["127.0.0.1:0".parse().unwrap()])
        .unwrap();
    let mut stream = TcpStream::connect(listening.addresses()[0]).unwrap();
    let wait = Some(Duration::from_secs(30));
    stream.set_read_timeout(wait).unwrap();
    // Pipelined: one is answered by the files, one by the error component.
    let requests = "GET /a HTTP/1.1\r\nHost: t\r\n\r\nBREW /b HTTP/1.1\r\nHost: t\r\n\r\n\
                    GET / HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n";
    stream.write_all(requests.as_bytes()).unwrap();
    let mut responses = String::new();
    stream.read_to_string(&mut responses).unwrap();
    let paths = responses
        .lines()
        .filter_map(|line| line.strip_prefix("X-Path: "));
    let paths: Vec<_> = paths.collect();
    assert_eq!(paths, ["/a", "/a", "/b", "/b", "/", "/"], "{responses}");
}

/// A handler that waits for ever, and tells when it ends.
struct Tells(std::sync::mpsc::Sender<&'static str>);

impl Drop for Tells {
    fn drop(&mut self) {
        let _ = self.0.send("ended");
    }
}

/// Nobody reads a connection behind its last request, but its end is noticed all the same.
#[test]
fn a_handler_ends_with_its_client() {
    let (tell, told) = std::sync::mpsc::channel();
    let scheduler = Scheduler::with_workers(1);
    let server = WebServer::new(Site::new("."))
        .method("WAIT", async move |io: &mut HandlerPorts| {
            while let Some(_request) = io.requests.next().await {
                let tells = Tells(tell.clone());
                let _ = tells.0.send("begun");
                std::future::pending::<()>().await;
            }
            Ok(())
        })
        .unwrap();
    let listening = server
        .run(&scheduler, &["127.0.0.1:0".parse().unwrap()])
        .unwrap();
    for connection in ["close", "keep-alive"] {
        for reads_on in [true, false] {
            let mut client = TcpStream::connect(listening.addresses()[0]).unwrap();
            let fields = format!("Host: test\r\nConnection: {connection}\r\n");
            write!(client, "WAIT / HTTP/1.1\r\n{fields}\r\n").unwrap();
            let patience = Duration::from_secs(20);
            assert_eq!(told.recv_timeout(patience), Ok("begun"));
            if reads_on {
                client.shutdown(std::net::Shutdown::Write).unwrap();
                let mut rest = Vec::new();
                client.set_read_timeout(Some(patience)).unwrap();
                // It ends without a response, in one way or another.
                let _ = client.read_to_end(&mut rest);
                assert_eq!(rest, b"", "{connection}");
            } else {
                drop(client);
            }
            assert_eq!(told.recv_timeout(patience), Ok("ended"), "{connection}");
        }
    }
}
