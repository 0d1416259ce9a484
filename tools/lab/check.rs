//! Checks that a server answers correctly, before it is measured.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::site::Content;

/// The longest silence of a server.
const SILENCE: Duration = Duration::from_secs(10);

/// How much of an answer is checked, in bytes.
const LONGEST: u64 = 1 << 20;

/// Sends a request, and checks the answer.
///
/// # Errors
///
/// What is wrong with the answer.
pub(crate) fn check(address: SocketAddr, path: &str, content: &Content) -> Result<(), String> {
    let wrong = |what: String| format!("the answer to GET {path} is wrong: {what}");
    let answer = ask(address, path).map_err(|error| format!("no answer to GET {path}: {error}"))?;
    let end = answer.windows(4).position(|end| end == b"\r\n\r\n");
    let end = end.ok_or_else(|| wrong("it has no head".to_owned()))?;
    let (head, body) = (String::from_utf8_lossy(&answer[..end]), &answer[end + 4..]);
    let mut lines = head.lines();
    let status = lines.next().unwrap_or_default();
    if status.split(' ').nth(1) != Some("200") {
        return Err(wrong(status.to_owned()));
    }
    let said = lines.filter_map(|line| line.split_once(':'));
    let said = said.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let said = said.map(|(_, value)| value.trim()).next();
    is_right(said, body, content).map_err(wrong)
}

/// Checks the body of an answer, or its first part. `said` is its `Content-Length`.
fn is_right(said: Option<&str>, body: &[u8], content: &Content) -> Result<(), String> {
    match content {
        Content::With(texts) => {
            let body = String::from_utf8_lossy(body);
            match texts.iter().find(|text| !body.contains(*text)) {
                None => Ok(()),
                Some(text) => Err(format!("there is no {text} in it")),
            }
        }
        Content::Long { first, length } => {
            // Without a length, the end of the connection ends the body.
            let said = said.map_or_else(|| body.len().to_string(), str::to_owned);
            if said != length.to_string() {
                return Err(format!("it has {said} bytes, and should have {length}"));
            }
            if !body.starts_with(first) {
                return Err("its content is another".to_owned());
            }
            Ok(())
        }
    }
}

/// The beginning of an answer. HTTP/1.0 has neither chunks nor persistent connections.
fn ask(address: SocketAddr, path: &str) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&address, SILENCE)?;
    stream.set_read_timeout(Some(SILENCE))?;
    stream.set_write_timeout(Some(SILENCE))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(LONGEST).read_to_end(&mut answer)?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// The verdict on a server that sends this answer.
    fn said_of(answer: &'static str, content: &Content) -> Result<(), String> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(SILENCE)).unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                request.push(byte[0]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
        });
        let said = check(address, "/x", content);
        server.join().unwrap();
        said
    }

    #[test]
    fn only_the_right_answer_is_right() {
        let hello = Content::Long {
            first: b"hello".to_vec(),
            length: 5,
        };
        let names = Content::With(vec!["one".to_owned(), "two".to_owned()]);
        for (answer, content, wrong) in [
            (
                "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
                &hello,
                "",
            ),
            ("HTTP/1.0 200 OK\r\n\r\nhello", &hello, ""),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello!",
                &hello,
                "6 bytes",
            ),
            ("HTTP/1.0 200 OK\r\n\r\nhello!", &hello, "6 bytes"),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother",
                &hello,
                "another",
            ),
            (
                "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nhello",
                &hello,
                "404 Not Found",
            ),
            ("HTTP/1.1 200 OK\r\n", &hello, "no head"),
            ("", &hello, "no head"),
            ("HTTP/1.1 200 OK\r\n\r\n<a>one</a> <a>two</a>", &names, ""),
            ("HTTP/1.1 200 OK\r\n\r\n<a>one</a>", &names, "no two in it"),
        ] {
            let said = said_of(answer, content).err().unwrap_or_default();
            assert!(
                said.contains(wrong) && said.is_empty() == wrong.is_empty(),
                "{answer:?}: {said}"
            );
        }
    }

    #[test]
    fn nobody_there_is_no_answer() {
        // Only the system may listen there.
        let address = ([127, 0, 0, 1], 1).into();
        let said = check(address, "/x", &Content::With(Vec::new())).unwrap_err();
        assert!(said.starts_with("no answer to GET /x: "), "{said}");
    }
}
