//! Backends that speak FastCGI and SCGI. They check what they get, and send it back.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use super::*;

/// What a backend has read: variables and body.
struct Asked {
    variables: BTreeMap<String, String>,
    body: Vec<u8>,
}

/// What a backend sends.
type Answer = fn(&Asked) -> Vec<u8>;

impl Asked {
    /// Variables and body, a line each.
    fn shown(&self) -> String {
        let body = match self.body.len() {
            length if length > 100 => format!("{length} bytes"),
            _ => String::from_utf8_lossy(&self.body).into_owned(),
        };
        let variables = self.variables.iter();
        let lines: String = variables
            .map(|(name, value)| format!("{name}={value}\n"))
            .collect();
        format!("{lines}body={body}\n")
    }
}

/// A backend that reads each connection and answers it.
fn backend(read: fn(&mut TcpStream) -> Asked, answer: Answer) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { break };
            thread::spawn(move || {
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                let asked = read(&mut stream);
                stream.write_all(&answer(&asked)).unwrap();
            });
        }
    });
    address
}

fn read_scgi(stream: &mut TcpStream) -> Asked {
    let mut length = Vec::new();
    let mut byte = [0];
    while byte != [b':'] {
        stream.read_exact(&mut byte).unwrap();
        length.push(byte[0]);
    }
    let length: usize = str::from_utf8(&length[..length.len() - 1])
        .unwrap()
        .parse()
        .unwrap();
    let mut pairs = vec![0; length + 1];
    stream.read_exact(&mut pairs).unwrap();
    assert_eq!(pairs.pop(), Some(b','));
    assert!(pairs.starts_with(b"CONTENT_LENGTH\0") && pairs.ends_with(b"\0"));
    let mut words = pairs
        .split(|b| *b == 0)
        .map(|word| String::from_utf8(word.to_vec()).unwrap());
    let mut variables = BTreeMap::new();
    while let (Some(name), Some(value)) = (words.next(), words.next()) {
        assert_eq!(variables.insert(name, value), None, "a name is there twice");
    }
    assert_eq!(variables["SCGI"], "1");
    let mut body = vec![0; variables["CONTENT_LENGTH"].parse().unwrap()];
    stream.read_exact(&mut body).unwrap();
    Asked { variables, body }
}

fn read_fastcgi(stream: &mut TcpStream) -> Asked {
    let (mut params, mut body) = (Vec::new(), Vec::new());
    loop {
        let mut head = [0; 8];
        stream.read_exact(&mut head).unwrap();
        let [1, kind, 0, 1, high, low, padding, _] = head else {
            panic!("{head:?}")
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        let mut content = vec![0; length + usize::from(padding)];
        stream.read_exact(&mut content).unwrap();
        content.truncate(length);
        match kind {
            1 => assert_eq!(content[..3], [0, 1, 0], "a responder, without keeping"),
            4 => params.extend(content),
            5 if content.is_empty() => break,
            5 => body.extend(content),
            kind => panic!("a record of kind {kind}"),
        }
    }
    let (mut variables, mut rest) = (BTreeMap::new(), &params[..]);
    let length = |rest: &mut &[u8]| {
        let first = rest[0];
        let size = if first < 0x80 { 1 } else { 4 };
        let (bytes, behind) = rest.split_at(size);
        *rest = behind;
        let number = bytes
            .iter()
            .fold(0_usize, |number, byte| number << 8 | usize::from(*byte));
        number & 0x7fff_ffff
    };
    while !rest.is_empty() {
        let (name, value) = (length(&mut rest), length(&mut rest));
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let pair = (text(&rest[..name]), text(&rest[name..name + value]));
        assert_eq!(
            variables.insert(pair.0, pair.1),
            None,
            "a name is there twice"
        );
        rest = &rest[name + value..];
    }
    Asked { variables, body }
}

fn plain(asked: &Asked) -> Vec<u8> {
    format!(
        "Status: 201 Created\nContent-Type: text/plain\n\n{}",
        asked.shown()
    )
    .into_bytes()
}

fn record(kind: u8, content: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
    let mut bytes = vec![1, kind, 0, 1, high, low, 3, 0];
    bytes.extend_from_slice(content);
    bytes.extend_from_slice(b"---");
    bytes
}

fn records(output: &[u8]) -> Vec<u8> {
    let mut bytes: Vec<u8> = output
        .chunks(10_000)
        .flat_map(|part| record(6, part))
        .collect();
    bytes.extend(record(7, b"PHP Notice: a message for the log\n"));
    bytes.extend(record(6, b""));
    bytes.extend(record(3, &[0; 8]));
    bytes
}

/// A proxy before a backend with this scheme, below `/app` without the prefix.
fn proxy(scheme: &str, address: SocketAddr, root: Option<&str>) -> Running {
    let backend = Backend::parse(&format!("{scheme}://{address}")).unwrap();
    let mut route = Route::to([backend]);
    route.prefix = "/app".to_owned();
    route.strip_prefix = true;
    route.root = root.map(Into::into);
    run(plan(route))
}

/// The same requests for both protocols, each in a proxy of its own.
fn each(test: impl Fn(&Running)) {
    test(&proxy("scgi", backend(read_scgi, plain), None));
    let wrapped = |asked: &Asked| records(&plain(asked));
    test(&proxy(
        "fastcgi",
        backend(read_fastcgi, wrapped),
        Some("/no/such/folder"),
    ));
}

#[test]
fn a_script_gets_its_variables_and_its_body() {
    each(|running| {
        let body = "name=value";
        let answer = running.ask(&format!(
            "POST /app/a%20b.php/c?q=%20 HTTP/1.1\r\nHost: a:8080\r\nConnection: close\r\n\
             Content-Type: text/plain\r\nX-Own: 1\r\nX_Own: 2\r\nProxy: evil\r\n\
             X-Forwarded-For: 6.6.6.6\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        assert!(answer.starts_with("HTTP/1.1 201 Created\r\n"), "{answer}");
        let expected = [
            "REQUEST_METHOD=POST",
            "REQUEST_URI=/app/a%20b.php/c?q=%20",
            "QUERY_STRING=q=%20",
            "CONTENT_TYPE=text/plain",
            "CONTENT_LENGTH=10",
            "SERVER_NAME=a",
            "REMOTE_ADDR=127.0.0.1",
            "HTTP_X_OWN=1",
            "HTTP_X_FORWARDED_FOR=127.0.0.1",
            "body=name=value",
        ];
        for line in expected {
            assert!(answer.contains(&format!("\n{line}\n")), "{line}: {answer}");
        }
        assert!(
            !answer.contains("evil") && !answer.contains("6.6.6.6"),
            "{answer}"
        );
    });
}

#[test]
fn the_name_of_the_script() {
    let running = proxy("scgi", backend(read_scgi, plain), None);
    let get = |running: &Running, path: &str| {
        running.ask(&format!(
            "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        ))
    };
    let answer = get(&running, "/app/x/y");
    assert!(answer.contains("\nSCRIPT_NAME=/app\n"), "{answer}");
    assert!(answer.contains("\nPATH_INFO=/x/y\n"), "{answer}");
    assert!(!answer.contains("SCRIPT_FILENAME"), "{answer}");
    // With a folder, those scripts that are in it.
    let folder = std::env::temp_dir().join(format!("kamea-scripts-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("sub")).unwrap();
    for file in ["index.php", "one.php", "sub/index.php"] {
        std::fs::write(folder.join(file), "").unwrap();
    }
    let root = folder.to_str().unwrap().to_owned();
    let wrapped = |asked: &Asked| records(&plain(asked));
    let running = proxy("fastcgi", backend(read_fastcgi, wrapped), Some(&root));
    let rows = [
        ("/app", "/index.php", ""),
        ("/app/one.php/rest", "/one.php", "/rest"),
        ("/app/sub/", "/sub/index.php", ""),
        ("/app/picture.jpg/x.php", "/index.php", "/picture.jpg/x.php"),
    ];
    for (path, script, rest) in rows {
        let answer = get(&running, path);
        let file = format!("\nSCRIPT_FILENAME={root}{script}\n");
        assert!(answer.contains(&file), "{path}: {answer}");
        assert!(
            answer.contains(&format!("\nSCRIPT_NAME=/app{script}\n")),
            "{path}: {answer}"
        );
        assert!(
            rest.is_empty() || answer.contains(&format!("\nPATH_INFO={rest}\n")),
            "{answer}"
        );
    }
    // Neither is a path of a script: the first could be one of another route.
    for (path, status) in [
        ("/app/%2e%2e/one.php", "400"),
        ("/app/sub%2Findex.php", "404"),
    ] {
        let answer = get(&running, path);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{path}: {answer}"
        );
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_body_of_unknown_length_gets_one() {
    each(|running| {
        let answer = running.ask(
            "POST /app HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n\
             5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
        );
        assert!(answer.contains("\nCONTENT_LENGTH=11\n"), "{answer}");
        assert!(answer.contains("\nbody=hello world\n"), "{answer}");
        let mut client = running.connect();
        let head = "POST /app HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
                    Transfer-Encoding: chunked\r\n\r\n";
        client.write_all(head.as_bytes()).unwrap();
        let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
        for _ in 0..40 {
            if client.write_all(chunk.as_bytes()).is_err() {
                break;
            }
        }
        let mut answer = Vec::new();
        let _ = client.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    });
}

#[test]
fn a_long_body_of_known_length_is_streamed() {
    each(|running| {
        let length = 3 << 20;
        let mut client = running.connect();
        let head = format!(
            "POST /app HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
        );
        client.write_all(head.as_bytes()).unwrap();
        client.write_all(&vec![b'x'; length]).unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert!(
            answer.contains(&format!("\nbody={length} bytes\n")),
            "{answer}"
        );
    });
}

#[test]
fn head_and_waiting_for_100() {
    each(|running| {
        let answer = running.ask("HEAD /app HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
        assert!(answer.ends_with("\r\n\r\n"), "{answer}");
        let mut client = running.connect();
        let head = "POST /app HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\n\
                    Expect: 100-continue\r\n\r\n";
        client.write_all(head.as_bytes()).unwrap();
        assert!(read_head(&mut client).unwrap().starts_with("HTTP/1.1 100 "));
        client.write_all(b"hello").unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert!(answer.contains("\nbody=hello\n"), "{answer}");
    });
}

/// Answers of a FastCGI backend that are none, and the status that the client gets.
#[test]
fn answers_that_are_none() {
    let rows: [(Answer, &str); 6] = [
        (|_| Vec::new(), "502"),
        (|_| b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), "502"),
        (|_| records(b""), "502"),
        (|_| records(b"no field\n\n"), "502"),
        (|_| record(3, &[0, 0, 0, 0, 2, 0, 0, 0]), "502"),
        (|_| records(b"Location: /other\n\n"), "302"),
    ];
    for (number, (answer, expected)) in rows.into_iter().enumerate() {
        let running = proxy(
            "fastcgi",
            backend(read_fastcgi, answer),
            Some("/no/such/folder"),
        );
        let answer = running.ask("POST /app HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {expected} ")),
            "{number}: {answer}"
        );
        if expected == "302" {
            assert!(answer.contains("\r\nLocation: /app/other\r\n"), "{answer}");
        }
    }
}

/// A body that ends too early is not taken for a whole one.
#[test]
fn an_answer_that_is_cut_is_cut_for_the_client() {
    let short: Answer = |_| records(b"Content-Type: text/plain\nContent-Length: 100\n\nhello");
    let running = proxy(
        "fastcgi",
        backend(read_fastcgi, short),
        Some("/no/such/folder"),
    );
    let answer = running.ask("GET /app HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(
        answer.contains("Content-Length: 100\r\n") && answer.ends_with("hello"),
        "{answer}"
    );
    let cut: Answer = |_| record(6, b"Content-Type: text/plain\n\nhello");
    let running = proxy(
        "fastcgi",
        backend(read_fastcgi, cut),
        Some("/no/such/folder"),
    );
    let answer = running.ask("GET /app HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(
        answer.contains("hello") && !answer.ends_with("0\r\n\r\n"),
        "{answer}"
    );
}
