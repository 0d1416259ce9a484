//! The header that a program writes before its document (RFC 3875 section 6). Bytes in, a reply
//! out.

use bytes::Bytes;
use http::StatusCode;

use crate::http::{Fields, ResponseHead};

/// The meaning of a program's header (RFC 3875 section 6.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// A document response, with a document or without, or a redirect of the client.
    Document {
        /// The status, and the fields except those of CGI itself and of the connection.
        head: ResponseHead,
        /// The length of the document in bytes, as the program declared it.
        length: Option<u64>,
    },
    /// A local redirect: the server must send the resource at this path instead (RFC 3875 section
    /// 6.2.2), with these extra fields.
    LocalRedirect {
        /// The path and the query.
        path: String,
        /// The other fields of the program: cookies, for example.
        fields: Fields,
    },
}

/// What is wrong with the header of a program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplyError {
    /// It is longer than the limit.
    #[error("its header is longer than {0} bytes")]
    TooLarge(usize),
    /// There is no header.
    #[error("it wrote nothing")]
    Nothing,
    /// It ended before it was complete.
    #[error("it ended before the blank line behind its header")]
    Incomplete,
    /// A line is not a field.
    #[error("a line of its header is no field: {0:?}")]
    Field(String),
    /// The status is invalid, or a program may not use it.
    #[error("{0:?} is not the status of a response")]
    Status(String),
    /// The length is invalid.
    #[error("{0:?} is not a length")]
    Length(String),
}

/// Decodes the header of a program's output, in pieces of any size.
///
/// # Examples
///
/// ```
/// use kamea_components::cgi::{Reply, ReplyDecoder};
///
/// let mut decoder = ReplyDecoder::new(8192);
/// assert!(decoder.feed(b"Status: 404 Not here\nContent-Type: text/plain\n")?.is_none());
/// let (reply, document) = decoder.feed(b"\nnothing").unwrap().unwrap();
/// assert!(matches!(reply, Reply::Document { head, .. } if head.status == 404));
/// assert_eq!(document, "nothing");
/// # Ok::<(), kamea_components::cgi::ReplyError>(())
/// ```
#[derive(Debug)]
pub struct ReplyDecoder {
    bytes: Vec<u8>,
    /// In bytes.
    largest: usize,
    remarks: Vec<String>,
}

impl ReplyDecoder {
    /// Creates a decoder that accepts a header of at most `largest` bytes.
    #[must_use]
    pub fn new(largest: usize) -> Self {
        Self {
            bytes: Vec::new(),
            largest,
            remarks: Vec::new(),
        }
    }

    /// Takes the next piece of the output. Once the header is complete, returns its meaning, and
    /// the part of the document that arrived with it.
    ///
    /// # Errors
    ///
    /// [`ReplyError`] says what is wrong with the header.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Option<(Reply, Bytes)>, ReplyError> {
        // A line end may have been split.
        let seen = self.bytes.len().saturating_sub(3);
        self.bytes.extend_from_slice(bytes);
        let Some((header, document)) = header_end(&self.bytes, seen) else {
            return if self.bytes.len() > self.largest + 2 {
                Err(ReplyError::TooLarge(self.largest))
            } else {
                Ok(None)
            };
        };
        if header > self.largest {
            return Err(ReplyError::TooLarge(self.largest));
        }
        let reply = Header::parse(&self.bytes[..header])?.into_reply(&mut self.remarks)?;
        let document = Bytes::from(std::mem::take(&mut self.bytes)).split_off(document);
        Ok(Some((reply, document)))
    }

    /// The parts of the header that are not passed on, with the reason.
    #[must_use]
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// The error if the output ends here.
    #[must_use]
    pub fn finish(&self) -> ReplyError {
        if self.bytes.is_empty() {
            ReplyError::Nothing
        } else {
            ReplyError::Incomplete
        }
    }
}

/// Finds the end of the header and the beginning of the document: RFC 3875 section 6.3 lets lines
/// end in LF and in CRLF.
fn header_end(bytes: &[u8], from: usize) -> Option<(usize, usize)> {
    let mut start = from;
    loop {
        let feed = start + memchr::memchr(b'\n', &bytes[start..])?;
        let is_blank = |line: &[u8]| matches!(line, [] | [b'\r']);
        let begin = bytes[..feed].iter().rposition(|&byte| byte == b'\n');
        let begin = begin.map_or(0, |before| before + 1);
        if is_blank(&bytes[begin..feed]) {
            return Some((begin, feed + 1));
        }
        start = feed + 1;
    }
}

/// The parsed header of a program. It accepts what mod_cgi of Apache accepts, because programs are
/// written for that. If a field may occur once, its last occurrence counts.
#[derive(Default)]
struct Header {
    status: Option<Vec<u8>>,
    location: Option<Vec<u8>>,
    length: Option<Vec<u8>>,
    media_type: Option<Vec<u8>>,
    others: Fields,
    remarks: Vec<String>,
}

impl Header {
    fn parse(header: &[u8]) -> Result<Self, ReplyError> {
        let mut parsed = Self::default();
        if header.is_empty() {
            let remark = "its output begins with a blank line, and not with a header field";
            parsed.remarks.push(remark.to_owned());
        }
        for line in header.split(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if !line.is_empty() {
                parsed.add(line)?;
            }
        }
        Ok(parsed)
    }

    fn add(&mut self, line: &[u8]) -> Result<(), ReplyError> {
        let bad = || ReplyError::Field(shown(line));
        let colon = line.iter().position(|byte| *byte == b':').ok_or_else(bad)?;
        let name = str::from_utf8(&line[..colon]).map_err(|_| bad())?;
        let value = line[colon + 1..].trim_ascii();
        let once = match name.to_ascii_lowercase().as_str() {
            "status" => &mut self.status,
            "location" => &mut self.location,
            "content-length" => &mut self.length,
            "content-type" => &mut self.media_type,
            "connection" | "keep-alive" | "proxy-connection" | "transfer-encoding" | "upgrade"
            | "te" | "trailer" | "date" => {
                let remark = format!("{name} is the server's to send, not a program's");
                self.remarks.push(remark);
                return Ok(());
            }
            _ => return self.others.push(name, value).map_err(|_| bad()),
        };
        if let Some(earlier) = once.replace(value.to_vec())
            && earlier != value
        {
            let earlier = shown(&earlier);
            self.remarks.push(format!(
                "{name} is there twice: {earlier:?} does not count, only the last one does"
            ));
        }
        Ok(())
    }

    fn into_reply(mut self, remarks: &mut Vec<String>) -> Result<Reply, ReplyError> {
        let given = self.status.as_deref().map(parse_status).transpose()?;
        let is_local = self
            .location
            .as_deref()
            .is_some_and(|to| to.starts_with(b"/"));
        let reply = match &self.location {
            // For a redirect, a status of 200 counts as no status, as in Apache.
            Some(path) if is_local && given.is_none_or(|status| status == StatusCode::OK) => {
                let path = str::from_utf8(path).map_err(|_| ReplyError::Field(shown(path)))?;
                let path = path.to_owned();
                Reply::LocalRedirect {
                    path,
                    fields: self.fields_of_redirect(),
                }
            }
            _ => self.document(given)?,
        };
        remarks.append(&mut self.remarks);
        Ok(reply)
    }

    fn document(&mut self, given: Option<StatusCode>) -> Result<Reply, ReplyError> {
        let otherwise = match &self.location {
            Some(_) => StatusCode::FOUND,
            None => StatusCode::OK,
        };
        let mut fields = Fields::new();
        for (name, value) in [
            ("Content-Type", self.media_type.take()),
            ("Location", self.location.take()),
        ] {
            if let Some(value) = value {
                let pushed = fields.push(name, &value);
                pushed.map_err(|_| ReplyError::Field(shown(&value)))?;
            }
        }
        for (name, value) in self.others.iter() {
            fields
                .push(name, value)
                .map_err(|_| ReplyError::Field(shown(value)))?;
        }
        let status = match given {
            // Apache also ignores a status of 200 here.
            Some(StatusCode::OK) if otherwise == StatusCode::FOUND => otherwise,
            given => given.unwrap_or(otherwise),
        };
        let head = ResponseHead {
            fields,
            ..ResponseHead::new(status)
        };
        let length = self.length.as_deref().map(parse_length).transpose()?;
        Ok(Reply::Document { head, length })
    }

    /// The fields for the document that is sent instead: all that do not describe the program's own
    /// document.
    fn fields_of_redirect(&mut self) -> Fields {
        let mut kept = std::mem::take(&mut self.others);
        for name in DESCRIBING {
            if kept.contains(name) {
                kept.remove(name);
                self.remarks
                    .push(format!("{name} is not that of what it redirects to"));
            }
        }
        kept
    }
}

/// Fields that describe a document: beside a local redirect they do not apply to the document that
/// is sent.
const DESCRIBING: [&str; 7] = [
    "accept-ranges",
    "content-encoding",
    "content-language",
    "content-location",
    "content-range",
    "etag",
    "last-modified",
];

/// `Status = "Status:" status-code SP reason-phrase NL` (RFC 3875 section 6.3.3). Many programs
/// omit the phrase, and also the space.
fn parse_status(value: &[u8]) -> Result<StatusCode, ReplyError> {
    let end = value.iter().position(|byte| !byte.is_ascii_digit());
    let status = StatusCode::from_bytes(&value[..end.unwrap_or(value.len())]).ok();
    status
        .filter(|status| !status.is_informational())
        .ok_or_else(|| ReplyError::Status(shown(value)))
}

fn parse_length(value: &[u8]) -> Result<u64, ReplyError> {
    let digits = str::from_utf8(value).ok();
    let digits = digits.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    digits
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| ReplyError::Length(shown(value)))
}

/// The part of a line that the log shows.
fn shown(line: &[u8]) -> String {
    String::from_utf8_lossy(&line[..line.len().min(80)]).into_owned()
}

/// Checks that the decoder finds the same in output that is split in any way: for the fuzz target.
#[doc(hidden)]
pub fn check_split_invariance(output: &[u8]) {
    let whole = ReplyDecoder::new(1024).feed(output);
    let mut decoder = ReplyDecoder::new(1024);
    let mut pieces = Ok(None);
    for (at, byte) in output.iter().enumerate() {
        pieces = decoder.feed(std::slice::from_ref(byte));
        if let Ok(Some((reply, document))) = pieces {
            let rest = [&document[..], &output[at + 1..]].concat();
            assert_eq!(whole, Ok(Some((reply, rest.into()))));
            return;
        }
        if pieces.is_err() {
            break;
        }
    }
    assert_eq!(whole, pieces);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(output: &str) -> Result<Option<(Reply, Bytes)>, ReplyError> {
        ReplyDecoder::new(1024).feed(output.as_bytes())
    }

    fn field_text((name, value): (&str, &[u8])) -> String {
        format!("{name}: {}", String::from_utf8_lossy(value))
    }

    #[test]
    fn headers_and_what_they_say() {
        // Output; status, fields, length.
        let rows = [
            // RFC 3875, 6.2.1: "A document response".
            (
                "Content-Type: text/html\n\nx",
                200,
                "Content-Type: text/html",
                None,
            ),
            (
                "Content-Type:text/html\r\n\r\nx",
                200,
                "Content-Type: text/html",
                None,
            ),
            (
                "Status: 404 Not found\nContent-Type: a/b\n\nx",
                404,
                "Content-Type: a/b",
                None,
            ),
            ("Status: 299\n\nx", 299, "", None),
            ("status:201 \nX-A: b: c\n\nx", 201, "X-A: b: c", None),
            // RFC 3875, 6.2.3: "The CGI script can return an absolute URI path in a Location header
            // field, to indicate to the client that it should reprocess the request using the URI
            // specified."
            (
                "Location: http://a/b\n\nx",
                302,
                "Location: http://a/b",
                None,
            ),
            // RFC 3875, 6.2.4: with a status of its own, and a document.
            (
                "Status: 303 See other\nLocation: /done\nContent-Type: a/b\n\nx",
                303,
                "Content-Type: a/b\nLocation: /done",
                None,
            ),
            // mod_cgi treats a status of 200 as no status.
            (
                "Status: 200 OK\nLocation: http://a/b\n\nx",
                302,
                "Location: http://a/b",
                None,
            ),
            // It reads only the digits of a status.
            ("Status: 404Not found\n\nx", 404, "", None),
            ("Status: 200\tOK\n\nx", 200, "", None),
            // If a field may occur once, its last occurrence counts.
            (
                "Content-Type: a/b\ncontent-type: c/d\nX: y\n\nx",
                200,
                "Content-Type: c/d\nX: y",
                None,
            ),
            ("Status: 200\nStatus: 404\n\nx", 404, "", None),
            (
                "Content-Length: 9\nContent-Length: 1\n\nx",
                200,
                "",
                Some(1),
            ),
            (
                "Location: http://a/\nLocation: http://b/\n\nx",
                302,
                "Location: http://b/",
                None,
            ),
            // A header without a field.
            ("\nx", 200, "", None),
            ("\r\nx", 200, "", None),
            ("Content-Length: 1\n\nx", 200, "", Some(1)),
            // RFC 3875, 6.3.4: a program may not set the server's own fields.
            (
                "X: y\nConnection: close\nTransfer-Encoding: chunked\nDate: now\nKeep-Alive: 1\n\nx",
                200,
                "X: y",
                None,
            ),
            (
                "Set-Cookie: a=b\nSet-Cookie: c=d\n\nx",
                200,
                "Set-Cookie: a=b\nSet-Cookie: c=d",
                None,
            ),
        ];
        for (output, status, fields, length) in rows {
            let (reply, document) = decoded(output).unwrap().unwrap();
            assert_eq!(document, "x", "{output:?}");
            let Reply::Document {
                head,
                length: found,
            } = reply
            else {
                panic!("{output:?}: {reply:?}");
            };
            let found_fields: Vec<_> = head.fields.iter().map(field_text).collect();
            assert_eq!(head.status, status, "{output:?}");
            assert_eq!(found_fields.join("\n"), fields, "{output:?}");
            assert_eq!(found, length, "{output:?}");
            check_split_invariance(output.as_bytes());
        }
        // RFC 3875, 6.2.2: "The CGI script can return a URI path and query-string
        // ('local-pathquery') for a local resource in a Location header field."
        let rows = [
            ("Location: /a?b\n\n", "/a?b", ""),
            ("Status: 200 OK\nLocation: /a\n\n", "/a", ""),
            ("Location: /a\nLocation: /b\n\n", "/b", ""),
            (
                "Set-Cookie: s=1\nLocation: /t\nContent-Type: a/b\nSet-Cookie: u=2\nX-A: b\n\n",
                "/t",
                "Set-Cookie: s=1\nSet-Cookie: u=2\nX-A: b",
            ),
            (
                "Location: /t\nETag: \"x\"\nLast-Modified: now\nX-A: b\n\n",
                "/t",
                "X-A: b",
            ),
        ];
        for (output, path, fields) in rows {
            let Ok(Some((
                Reply::LocalRedirect {
                    path: found,
                    fields: carried,
                },
                _,
            ))) = decoded(output)
            else {
                panic!("{output:?}: {:?}", decoded(output));
            };
            let carried: Vec<_> = carried.iter().map(field_text).collect();
            assert_eq!(
                (&*found, &*carried.join("\n")),
                (path, fields),
                "{output:?}"
            );
            check_split_invariance(output.as_bytes());
        }
    }

    #[test]
    fn what_is_not_passed_on_is_remarked() {
        let rows = [
            ("Connection: close\nX: y\n\n", "Connection is the server's"),
            ("Date: now\n\n", "Date is the server's"),
            (
                "Status: 201\nStatus: 404\n\n",
                "Status is there twice: \"201\" does not count",
            ),
            (
                "Content-Type: a/b\nContent-type: c/d\n\n",
                "\"a/b\" does not count",
            ),
            (
                "Location: /t\nETag: \"x\"\n\n",
                "etag is not that of what it redirects to",
            ),
            ("\nhello", "begins with a blank line"),
        ];
        for (output, expected) in rows {
            let mut decoder = ReplyDecoder::new(1024);
            decoder.feed(output.as_bytes()).unwrap().unwrap();
            let remarks = decoder.remarks();
            assert!(
                remarks.len() == 1 && remarks[0].contains(expected),
                "{remarks:?}"
            );
        }
        let mut decoder = ReplyDecoder::new(1024);
        let twice_the_same = b"Content-Type: a/b\nContent-Type: a/b\nSet-Cookie: a\n\n";
        decoder.feed(twice_the_same).unwrap().unwrap();
        assert!(decoder.remarks().is_empty());
    }

    #[test]
    fn bad_headers_are_told_apart() {
        let long = format!("X: {}\n\n", "y".repeat(2000));
        let rows = [
            ("hello\n\n", ReplyError::Field("hello".into())),
            ("<html>\n\n", ReplyError::Field("<html>".into())),
            ("A B: c\n\n", ReplyError::Field("A B: c".into())),
            (
                "A: b\n continued\n\n",
                ReplyError::Field(" continued".into()),
            ),
            ("A: \0\n\n", ReplyError::Field("A: \0".into())),
            ("\u{e9}: b\n\n", ReplyError::Field("\u{e9}: b".into())),
            ("Status: OK\n\n", ReplyError::Status("OK".into())),
            (
                "Status: 100 Continue\n\n",
                ReplyError::Status("100 Continue".into()),
            ),
            ("Status: 99\n\n", ReplyError::Status("99".into())),
            ("Status: 2000\n\n", ReplyError::Status("2000".into())),
            ("Content-Length: -1\n\n", ReplyError::Length("-1".into())),
            ("Content-Length: 1 1\n\n", ReplyError::Length("1 1".into())),
            ("Content-Length: \n\n", ReplyError::Length(String::new())),
            (&long, ReplyError::TooLarge(1024)),
        ];
        for (output, expected) in rows {
            assert_eq!(decoded(output), Err(expected), "{output:?}");
            check_split_invariance(output.as_bytes());
        }
        assert_eq!(ReplyDecoder::new(9).finish(), ReplyError::Nothing);
        let mut decoder = ReplyDecoder::new(99);
        assert_eq!(decoder.feed(b"Content-Type: text/plain\nhello"), Ok(None));
        assert_eq!(decoder.finish(), ReplyError::Incomplete);
    }
}
