//! The access log: one line for each exchange, in the formats that every tool for web servers
//! reads.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use http::Version;
use kamea::{Blocking, Done, Sink, blocking};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use crate::web::{Attempted, Record};

/// The format of a line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// The Common Log Format: `host - - [time] "request line" status bytes`.
    Common,
    /// The same, followed by `"referrer" "user agent"`.
    #[default]
    Combined,
    /// The same for the client that trusted proxies name, followed by `time="seconds"
    /// host="name" route="name" upstream="addresses" attempts="count" upstream_status="statuses"
    /// first_byte="seconds"`, where the last ones have a part for each attempt, separated by `, `.
    Forwarded,
}

/// The destination of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogTarget {
    /// To a file, appended to its contents.
    File(PathBuf),
    /// To standard output.
    Stdout,
}

/// The messages to the log.
#[derive(Debug)]
pub enum LogEntry {
    /// An exchange to write.
    Record(Record),
    /// The file has been moved away: start a new one.
    Reopen,
}

impl From<Record> for LogEntry {
    fn from(record: Record) -> Self {
        Self::Record(record)
    }
}

/// The largest write to a pipe, in bytes, that other processes cannot interrupt (pipe(7)).
const PIPE_BUF: usize = 4096;

impl LogTarget {
    fn open(&self) -> io::Result<BufWriter<Box<dyn Write + Send>>> {
        Ok(match self {
            Self::File(path) => {
                let file: File = OpenOptions::new().append(true).create(true).open(path)?;
                BufWriter::new(Box::new(file))
            }
            Self::Stdout => BufWriter::with_capacity(PIPE_BUF, Box::new(io::stdout())),
        })
    }
}

/// Writes a line for each record, on a thread of its own. It flushes its buffer whenever no more
/// records are waiting, and at the end.
///
/// A line that cannot be written is lost, and the program's log reports it.
///
/// # Errors
///
/// If the file cannot be opened.
///
/// # Examples
///
/// ```
/// use kamea::{Graph, Scheduler};
/// use kamea_components::server::{LogFormat, LogTarget, Site, WebServer, write_access_log};
///
/// let folder = tempfile::tempdir()?;
/// let target = LogTarget::File(folder.path().join("access.log"));
/// let mut graph = Graph::new("access log");
/// let log = graph.add("log", write_access_log(target, LogFormat::Combined)?);
/// let records = graph.feed(log.inbox);
/// let scheduler = Scheduler::with_workers(1);
/// let running = scheduler.run(graph)?;
/// let server = WebServer::new(Site::new(".")).records(records);
/// # drop(server);
/// # running.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_access_log(
    target: LogTarget,
    format: LogFormat,
) -> io::Result<Blocking<impl FnMut(&mut Sink<LogEntry>) -> Done + Send>> {
    let mut out = target.open()?;
    Ok(blocking(move |io: &mut Sink<LogEntry>| {
        let mut line = Vec::new();
        let mut is_failing = false;
        while let Some(entry) = io.inbox.next_blocking() {
            let outcome = match entry {
                LogEntry::Record(record) => {
                    line.clear();
                    put_line(&mut line, &record, format);
                    out.write_all(&line)
                }
                LogEntry::Reopen => out.flush().and_then(|()| {
                    out = target.open()?;
                    Ok(())
                }),
            };
            let outcome = match outcome {
                Ok(()) if io.inbox.is_empty() => out.flush(),
                outcome => outcome,
            };
            match outcome {
                Err(error) if !is_failing => {
                    log::error!("the access log cannot be written: {error}");
                    is_failing = true;
                }
                outcome => is_failing = outcome.is_err(),
            }
        }
        Ok(out.flush()?)
    }))
}

const TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[day]/[month repr:short]/[year]:[hour]:[minute]:[second] +0000");

fn put_line(line: &mut Vec<u8>, record: &Record, format: LogFormat) {
    let forwarded = record.forwarded.as_ref();
    let client = match (format, forwarded) {
        (LogFormat::Forwarded, Some(forwarded)) => forwarded.client,
        _ => record.peer.ip(),
    };
    put(line, format_args!("{client} - - ["));
    // A clock cannot return a time outside the calendar.
    let _ = OffsetDateTime::from(record.at).format_into(line, TIME);
    line.extend_from_slice(b"] \"");
    match &record.head {
        Some(head) => {
            put(line, format_args!("{} ", head.method));
            put_escaped(line, head.target.as_bytes());
            let version = match head.version {
                Version::HTTP_10 => " HTTP/1.0",
                _ => " HTTP/1.1",
            };
            line.extend_from_slice(version.as_bytes());
        }
        None => line.push(b'-'),
    }
    // Other servers write 499 for a client that disconnected.
    let status = record.status.map_or(499, |status| status.as_u16());
    put(line, format_args!("\" {status} {}", record.content));
    if format != LogFormat::Common {
        for name in ["referer", "user-agent"] {
            let value = record.head.as_ref().and_then(|head| head.fields.get(name));
            line.extend_from_slice(b" \"");
            put_escaped(line, value.unwrap_or(b"-"));
            line.push(b'"');
        }
    }
    if format == LogFormat::Forwarded {
        put_forwarded(line, record);
    }
    line.push(b'\n');
}

/// Which host was asked, how long it took, and how the request was forwarded.
fn put_forwarded(line: &mut Vec<u8>, record: &Record) {
    put(
        line,
        format_args!(" time=\"{:.6}\" host=\"", record.took.as_secs_f64()),
    );
    let host = record.head.as_ref().and_then(|head| head.authority());
    put_escaped(line, host.unwrap_or(b"-"));
    line.extend_from_slice(b"\" route=\"");
    let forwarded = record.forwarded.as_ref();
    let route = forwarded.map_or("-", |forwarded| &forwarded.route);
    put_escaped(line, route.as_bytes());
    let attempts = forwarded.map_or(&[][..], |forwarded| &forwarded.attempts);
    line.extend_from_slice(b"\" upstream=\"");
    put_each(line, attempts, |line, attempt| {
        put_escaped(line, attempt.upstream.as_bytes());
    });
    put(
        line,
        format_args!("\" attempts=\"{}\" upstream_status=\"", attempts.len()),
    );
    put_each(line, attempts, |line, attempt| {
        match (attempt.failed, attempt.status) {
            (Some(error), _) => put_escaped(line, error.as_bytes()),
            (None, Some(status)) => put(line, format_args!("{}", status.as_u16())),
            (None, None) => line.push(b'-'),
        }
    });
    line.extend_from_slice(b"\" first_byte=\"");
    put_each(line, attempts, |line, attempt| match attempt.first_byte {
        Some(after) => put(line, format_args!("{:.6}", after.as_secs_f64())),
        None => line.push(b'-'),
    });
    line.push(b'"');
}

/// Puts a part of each attempt, or `-` if there was none.
fn put_each(
    line: &mut Vec<u8>,
    attempts: &[Attempted],
    put_part: impl Fn(&mut Vec<u8>, &Attempted),
) {
    if attempts.is_empty() {
        line.push(b'-');
    }
    for (number, attempt) in attempts.iter().enumerate() {
        if number > 0 {
            line.extend_from_slice(b", ");
        }
        put_part(line, attempt);
    }
}

fn put(line: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // A write to memory does not fail.
    let _ = line.write_fmt(text);
}

/// Data from a peer can end neither its field nor its line.
fn put_escaped(line: &mut Vec<u8>, bytes: &[u8]) {
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => line.extend_from_slice(&[b'\\', byte]),
            b' '..=b'~' => line.push(byte),
            _ => put(line, format_args!("\\x{byte:02x}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use http::StatusCode;

    use super::*;
    use crate::http::{Event, Limits, RequestDecoder};

    fn record(request: &'static str) -> Record {
        let mut decoder = RequestDecoder::new(Limits::default());
        decoder.feed(request.into());
        let head = match decoder.next() {
            Ok(Some(Event::Head(head, _))) => Some(Box::new(head)),
            _ => None,
        };
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(971_186_136);
        let peer = "192.0.2.7:4711".parse().unwrap();
        Record::new(peer, at, head, Some(StatusCode::OK), 2326)
    }

    fn line(record: &Record, format: LogFormat) -> String {
        let mut line = Vec::new();
        put_line(&mut line, record, format);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn lines() {
        let ask = "GET /a?b HTTP/1.0\r\nReferer: http://x/\r\nUser-Agent: a \"b\"\\\t\r\n\r\n";
        let common = "192.0.2.7 - - [10/Oct/2000:13:55:36 +0000] \"GET /a?b HTTP/1.0\" 200 2326";
        assert_eq!(line(&record(ask), LogFormat::Common), format!("{common}\n"));
        let combined = format!("{common} \"http://x/\" \"a \\\"b\\\"\\\\\"\n");
        assert_eq!(line(&record(ask), LogFormat::Combined), combined);
    }

    #[test]
    fn a_forwarded_request_names_its_attempts() {
        use crate::web::Forwarded;

        let ask = "GET /a HTTP/1.1\r\nHost: app1.local\r\n\r\n";
        let milliseconds = Duration::from_millis;
        let begin = "[10/Oct/2000:13:55:36 +0000] \"GET /a HTTP/1.1\" 200 2326 \"-\" \"-\"";
        let own = record(ask).took(milliseconds(12));
        let expected = format!(
            "192.0.2.7 - - {begin} time=\"0.012000\" host=\"app1.local\" route=\"-\" upstream=\"-\" \
             attempts=\"0\" upstream_status=\"-\" first_byte=\"-\"\n"
        );
        assert_eq!(line(&own, LogFormat::Forwarded), expected);

        let client = "2001:db8::1".parse().unwrap();
        let mut forwarded = Forwarded::new(0, client, "app1.local \"/a\n".into());
        for name in [
            "http://10.0.0.1:80",
            "http://10.0.0.2:80",
            "http://10.0.0.3:80",
        ] {
            forwarded.attempts.push(Attempted::new(name.into()));
        }
        forwarded.attempts[0].failed = Some("connection_refused");
        forwarded.attempts[1].first_byte = Some(Duration::from_micros(412));
        forwarded.attempts[1].status = Some(StatusCode::BAD_GATEWAY);
        let passed = record(ask).forwarded(forwarded);
        let text = line(&passed, LogFormat::Forwarded);
        let expected = format!(
            "2001:db8::1 - - {begin} time=\"0.000000\" host=\"app1.local\" \
             route=\"app1.local \\\"/a\\x0a\" \
             upstream=\"http://10.0.0.1:80, http://10.0.0.2:80, http://10.0.0.3:80\" attempts=\"3\" \
             upstream_status=\"connection_refused, 502, -\" first_byte=\"-, 0.000412, -\"\n"
        );
        assert_eq!(text, expected);
        // The other formats stay as every tool reads them.
        assert!(line(&passed, LogFormat::Combined).starts_with("192.0.2.7 - - ["));
        assert!(line(&passed, LogFormat::Combined).ends_with("\"-\" \"-\"\n"));
    }

    #[test]
    fn what_could_not_be_read_or_was_not_answered_has_a_line_too() {
        let mut unread = record("nonsense\r\n\r\n");
        unread.status = None;
        let line = line(&unread, LogFormat::Combined);
        assert!(line.ends_with("] \"-\" 499 2326 \"-\" \"-\"\n"), "{line}");
    }

    #[test]
    fn nothing_that_a_peer_sends_breaks_a_line() {
        let ask = "GET /\"%0A|\\ HTTP/1.1\r\nHost: a\r\nUser-Agent: \x01\u{e9}\r\n\r\n";
        let line = line(&record(ask), LogFormat::Combined);
        assert_eq!(line.lines().count(), 1);
        assert!(line.is_ascii(), "{line}");
    }
}
