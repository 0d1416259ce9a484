//! Handshakes that must fail, each with the alert that the client is sent (RFC 8446 section 6).

use proptest::prelude::*;

use super::*;

/// The number of an alert (RFC 8446 section 6).
const CLOSE_NOTIFY: u8 = 0;
const UNEXPECTED_MESSAGE: u8 = 10;
const RECORD_OVERFLOW: u8 = 22;
const HANDSHAKE_FAILURE: u8 = 40;
const ILLEGAL_PARAMETER: u8 = 47;
const DECODE_ERROR: u8 = 50;
const PROTOCOL_VERSION: u8 = 70;
const MISSING_EXTENSION: u8 = 109;
const NO_APPLICATION_PROTOCOL: u8 = 120;

/// A client hello (RFC 8446 section 4.1.2), whose parts may be wrong.
#[derive(Clone)]
struct Hello {
    version: [u8; 2],
    session_id: Vec<u8>,
    suites: Vec<u8>,
    compression: Vec<u8>,
    extensions: Vec<(u16, Vec<u8>)>,
    /// What stands behind the extensions.
    rest: Vec<u8>,
}

const SERVER_NAME: u16 = 0;
const GROUPS: u16 = 10;
const SIGNATURES: u16 = 13;
const PROTOCOLS: u16 = 16;
const PRE_SHARED_KEY: u16 = 41;
const VERSIONS: u16 = 43;
const KEY_EXCHANGE_MODES: u16 = 45;
const KEY_SHARE: u16 = 51;

/// `bytes` with their length before them, of `size` bytes.
fn sized(size: usize, bytes: &[u8]) -> Vec<u8> {
    let length = (bytes.len() as u32).to_be_bytes();
    [&length[4 - size..], bytes].concat()
}

/// A share of a key for a group.
fn share(group: u16, key: &[u8]) -> Vec<u8> {
    [&group.to_be_bytes()[..], &sized(2, key)].concat()
}

impl Hello {
    /// TLS 1.3 with X25519: our server answers it.
    fn good() -> Self {
        Self {
            version: [3, 3],
            session_id: Vec::new(),
            suites: vec![0x13, 0x01, 0x13, 0x02, 0x13, 0x03],
            compression: vec![0],
            extensions: vec![
                (
                    SERVER_NAME,
                    sized(2, &[&[0][..], &sized(2, b"localhost")].concat()),
                ),
                (GROUPS, sized(2, &[0, 29])),
                (SIGNATURES, sized(2, &[4, 3, 8, 4])),
                (VERSIONS, sized(1, &[3, 4])),
                (KEY_SHARE, sized(2, &share(29, &[9; 32]))),
            ],
            rest: Vec::new(),
        }
    }

    /// TLS 1.2 with P-256 and ECDSA.
    fn tls12() -> Self {
        let mut hello = Self::good().without(VERSIONS).without(KEY_SHARE);
        hello.suites = vec![0xc0, 0x2b];
        hello
            .with(GROUPS, sized(2, &[0, 23]))
            .with(11, sized(1, &[0]))
            .with(23, Vec::new())
    }

    fn without(mut self, extension: u16) -> Self {
        self.extensions.retain(|(number, _)| *number != extension);
        self
    }

    /// With this extension instead of the one that it has; the place stays the same.
    fn with(mut self, extension: u16, value: Vec<u8>) -> Self {
        let found = self
            .extensions
            .iter_mut()
            .find(|(number, _)| *number == extension);
        match found {
            Some((_, known)) => *known = value,
            None => self.extensions.push((extension, value)),
        }
        self
    }

    fn change(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// The handshake message.
    fn message(&self) -> Vec<u8> {
        let extensions: Vec<_> = self
            .extensions
            .iter()
            .map(|(number, value)| [&number.to_be_bytes()[..], &sized(2, value)].concat())
            .collect();
        let body = [
            &self.version[..],
            &[7; 32],
            &sized(1, &self.session_id),
            &sized(2, &self.suites),
            &sized(1, &self.compression),
            &sized(2, &extensions.concat()),
            &self.rest,
        ]
        .concat();
        [&[1][..], &sized(3, &body)].concat()
    }

    fn record(&self) -> Vec<u8> {
        record(22, &self.message())
    }
}

fn record(kind: u8, content: &[u8]) -> Vec<u8> {
    [&[kind, 3, 1][..], &sized(2, content)].concat()
}

/// Extensions of a pre-shared key: identities, and as many binders as are wanted.
fn pre_shared(binders: usize) -> Vec<u8> {
    let identity = [&sized(2, b"a ticket")[..], &[0; 4]].concat();
    let binders = sized(1, &[1; 32]).repeat(binders);
    [sized(2, &identity), sized(2, &binders)].concat()
}

/// A hello, what is wrong with it, and the number of the alert.
///
/// The alerts are those that RFC 8446 asks for, with two exceptions of `rustls`: it sends
/// `decode_error` for a type of record that it does not know (`unexpected_message`, section 5), and
/// `handshake_failure` for an extension that is missing (`missing_extension`, section 9.2).
type Row = (&'static str, Vec<u8>, u8);

/// What is no client hello at all.
fn no_hellos() -> Vec<Row> {
    let hello = Hello::good();
    let of_kind = |kind: u8| {
        let mut message = hello.message();
        message[0] = kind;
        record(22, &message)
    };
    vec![
        (
            "a request of HTTP",
            b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(),
            DECODE_ERROR,
        ),
        (
            "the banner of SSH",
            b"SSH-2.0-OpenSSH_9\r\n".to_vec(),
            DECODE_ERROR,
        ),
        (
            "a hello of SSL 2",
            b"\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10".to_vec(),
            DECODE_ERROR,
        ),
        ("an unknown type of record", record(99, b"a"), DECODE_ERROR),
        (
            "a version that there is not",
            b"\x16\x09\x09\x00\x01a".to_vec(),
            DECODE_ERROR,
        ),
        (
            "a record that is too long",
            b"\x16\x03\x01\xff\xff".to_vec(),
            DECODE_ERROR,
        ),
        (
            "an empty record of a handshake",
            record(22, b""),
            DECODE_ERROR,
        ),
        ("application data", record(23, b"a"), UNEXPECTED_MESSAGE),
        ("a heartbeat", record(24, b"\x01\x00\x00"), DECODE_ERROR),
        (
            "a change of the cipher",
            record(20, b"\x01"),
            UNEXPECTED_MESSAGE,
        ),
        (
            "a request for a hello",
            record(22, b"\x00\x00\x00\x00"),
            UNEXPECTED_MESSAGE,
        ),
        ("the hello of a server", of_kind(2), DECODE_ERROR),
        (
            "a certificate",
            record(22, b"\x0b\x00\x00\x03\x00\x00\x00"),
            UNEXPECTED_MESSAGE,
        ),
        (
            "the end of a handshake",
            record(22, b"\x14\x00\x00\x0caaaaaaaaaaaa"),
            UNEXPECTED_MESSAGE,
        ),
        (
            "a change of the key",
            record(22, b"\x18\x00\x00\x01\x00"),
            UNEXPECTED_MESSAGE,
        ),
        ("an unknown message", of_kind(99), UNEXPECTED_MESSAGE),
        (
            "a hello of 16 MiB",
            record(22, b"\x01\xff\xff\xff\x03\x03"),
            DECODE_ERROR,
        ),
        (
            "another message behind the hello",
            record(22, &[hello.message(), hello.message()].concat()),
            UNEXPECTED_MESSAGE,
        ),
    ]
}

/// Hellos that are cut, or whose lengths are wrong.
fn malformed() -> Vec<Row> {
    let good = Hello::good;
    let row = |name, hello: Hello, alert| (name, hello.record(), alert);
    vec![
        (
            "a hello of one byte",
            record(22, b"\x01\x00\x00\x01\x03"),
            DECODE_ERROR,
        ),
        row(
            "bytes behind the extensions",
            good().change(|it| it.rest = vec![0]),
            DECODE_ERROR,
        ),
        row(
            "a session of 33 bytes",
            good().change(|it| it.session_id = vec![1; 33]),
            DECODE_ERROR,
        ),
        row(
            "half of a cipher",
            good().change(|it| it.suites.push(0x13)),
            DECODE_ERROR,
        ),
        row(
            "no cipher",
            good().change(|it| it.suites.clear()),
            DECODE_ERROR,
        ),
        row(
            "no compression",
            good().change(|it| it.compression.clear()),
            DECODE_ERROR,
        ),
        row(
            "an extension twice",
            good().change(|it| it.extensions.push((GROUPS, sized(2, &[0, 29])))),
            ILLEGAL_PARAMETER,
        ),
        row(
            "a name that is empty",
            good().with(SERVER_NAME, Vec::new()),
            DECODE_ERROR,
        ),
        row(
            "no list of groups",
            good().with(GROUPS, vec![0]),
            DECODE_ERROR,
        ),
        row(
            "half of a group",
            good().with(GROUPS, sized(2, &[0, 29, 0])),
            DECODE_ERROR,
        ),
        row(
            "half of a signature",
            good().with(SIGNATURES, sized(2, &[4])),
            DECODE_ERROR,
        ),
        row(
            "half of a version",
            good().with(VERSIONS, sized(1, &[3])),
            DECODE_ERROR,
        ),
        row(
            "a share that is cut",
            good().with(KEY_SHARE, vec![0, 36, 0, 29, 0, 32, 1]),
            DECODE_ERROR,
        ),
        row(
            "no protocol",
            good().with(PROTOCOLS, sized(2, b"")),
            DECODE_ERROR,
        ),
        row(
            "a protocol without a name",
            good().with(PROTOCOLS, sized(2, &sized(1, b""))),
            DECODE_ERROR,
        ),
        row(
            "no key exchange mode",
            good().with(KEY_EXCHANGE_MODES, vec![1]),
            DECODE_ERROR,
        ),
    ]
}

/// Well-formed hellos of clients with which our server has nothing in common, or that break a rule.
fn disagreeing() -> Vec<Row> {
    let (good, tls12) = (Hello::good, Hello::tls12);
    let row = |name, hello: Hello, alert| (name, hello.record(), alert);
    let modes = sized(1, &[1]);
    vec![
        row(
            "SSL 3",
            tls12().change(|it| it.version = [3, 0]),
            PROTOCOL_VERSION,
        ),
        row(
            "TLS 1.0",
            tls12().change(|it| it.version = [3, 1]),
            PROTOCOL_VERSION,
        ),
        row(
            "TLS 1.1",
            tls12().change(|it| it.version = [3, 2]),
            PROTOCOL_VERSION,
        ),
        row(
            "TLS 1.1 by the extension",
            good().with(VERSIONS, sized(1, &[3, 2])),
            PROTOCOL_VERSION,
        ),
        row(
            "a version of the future",
            good().with(VERSIONS, sized(1, &[3, 9])),
            PROTOCOL_VERSION,
        ),
        row(
            "a cipher that is too weak",
            good().change(|it| it.suites = vec![0, 5]),
            HANDSHAKE_FAILURE,
        ),
        row(
            "a key without forward secrecy, TLS 1.2",
            tls12().change(|it| it.suites = vec![0, 0x9c]),
            HANDSHAKE_FAILURE,
        ),
        row(
            "a cipher for another key, TLS 1.2",
            tls12().change(|it| it.suites = vec![0xc0, 0x2f]),
            HANDSHAKE_FAILURE,
        ),
        row(
            "compression, TLS 1.3",
            good().change(|it| it.compression = vec![1]),
            ILLEGAL_PARAMETER,
        ),
        row(
            "no signatures",
            good().without(SIGNATURES),
            HANDSHAKE_FAILURE,
        ),
        row(
            "a signature for another key",
            good().with(SIGNATURES, sized(2, &[8, 4])),
            HANDSHAKE_FAILURE,
        ),
        row(
            "a signature with SHA-1",
            good().with(SIGNATURES, sized(2, &[2, 3])),
            HANDSHAKE_FAILURE,
        ),
        row("no groups", good().without(GROUPS), HANDSHAKE_FAILURE),
        row(
            "a group that nobody knows",
            good().with(GROUPS, sized(2, &[9, 9])),
            HANDSHAKE_FAILURE,
        ),
        row(
            "no share of a key",
            good().without(KEY_SHARE),
            HANDSHAKE_FAILURE,
        ),
        row(
            "two shares for one group",
            good().with(KEY_SHARE, sized(2, &share(29, &[9; 32]).repeat(2))),
            ILLEGAL_PARAMETER,
        ),
        row(
            "a share of the wrong length",
            good().with(KEY_SHARE, sized(2, &share(29, &[9; 31]))),
            ILLEGAL_PARAMETER,
        ),
        row(
            "a share that gives no secret",
            good().with(KEY_SHARE, sized(2, &share(29, &[0; 32]))),
            ILLEGAL_PARAMETER,
        ),
        row(
            "another protocol",
            good().with(PROTOCOLS, sized(2, &sized(1, b"h2"))),
            NO_APPLICATION_PROTOCOL,
        ),
        row(
            "another protocol, TLS 1.2",
            tls12().with(PROTOCOLS, sized(2, &sized(1, b"h2"))),
            NO_APPLICATION_PROTOCOL,
        ),
        row(
            "a pre-shared key that is not last",
            good()
                .with(KEY_EXCHANGE_MODES, modes.clone())
                .with(PRE_SHARED_KEY, pre_shared(1))
                .with(PROTOCOLS, sized(2, &sized(1, b"http/1.1"))),
            ILLEGAL_PARAMETER,
        ),
        row(
            "a pre-shared key without its binder",
            good()
                .with(KEY_EXCHANGE_MODES, modes)
                .with(PRE_SHARED_KEY, pre_shared(2)),
            ILLEGAL_PARAMETER,
        ),
        row(
            "a pre-shared key without its mode",
            good().with(PRE_SHARED_KEY, pre_shared(1)),
            MISSING_EXTENSION,
        ),
    ]
}

fn own_server() -> ServerTls {
    server_of(&[&certificate(&["localhost"])])
}

/// The last record that a server sends: its type and its content.
fn last_record(mut outgoing: &[u8]) -> Option<(u8, &[u8])> {
    let mut last = None;
    while let [kind, 3, _, high, low, rest @ ..] = outgoing {
        let (content, next) = rest.split_at(u16::from_be_bytes([*high, *low]).into());
        (last, outgoing) = (Some((*kind, content)), next);
    }
    last
}

/// Whether this is a fatal alert of this number; any, if it is not named. Behind a server hello of
/// TLS 1.3 it is encrypted: then only its length shows (RFC 8446 section 5.2).
fn is_alert(outgoing: &[u8], number: Option<u8>) -> bool {
    match last_record(outgoing) {
        Some((21, [2, sent])) => number.is_none_or(|number| number == *sent),
        Some((23, encrypted)) => encrypted.len() == 2 + 1 + 16,
        _ => false,
    }
}

#[test]
fn a_good_hello_is_answered() {
    let tls = own_server();
    for hello in [Hello::good(), Hello::tls12()] {
        let mut server = Session::server(&tls);
        server.receive(&hello.record()).unwrap();
        // A server hello (RFC 8446 section 4.1.3).
        assert!(matches!(
            server.take_outgoing()[..],
            [22, 3, _, _, _, 2, ..]
        ));
        assert!(server.is_handshaking());
    }
}

#[test]
fn handshakes_fail_with_the_right_alert_however_they_are_cut() {
    let tls = own_server();
    let rows: Vec<Row> = [no_hellos(), malformed(), disagreeing()].concat();
    assert!(rows.len() >= 40, "{} rows", rows.len());
    let mut wrong = Vec::new();
    for (name, bytes, expected) in rows {
        for cut in [usize::MAX, 1] {
            let mut server = Session::server(&tls);
            let said = bytes
                .chunks(cut)
                .find_map(|part| server.receive(part).err());
            let outgoing = server.take_outgoing();
            if !is_alert(&outgoing, Some(expected)) {
                let sent = last_record(&outgoing);
                wrong.push(format!(
                    "{name}, cut at {cut}: {sent:?} for {expected}: {said:?}"
                ));
                continue;
            }
            // The census tells the same.
            let failure = said.unwrap().failure();
            if failure.ended_by != "server" || number_of(&failure.reason) != Some(expected) {
                wrong.push(format!("{name}, cut at {cut}: the census has {failure:?}"));
            }
            // Nothing goes on.
            assert!(server.receive(&Hello::good().record()).is_err(), "{name}");
            assert!(server.encrypt(b"a", &mut Vec::new()).is_err(), "{name}");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The number of the alert of this name.
fn number_of(name: &str) -> Option<u8> {
    Some(match name {
        "close_notify" => CLOSE_NOTIFY,
        "unexpected_message" => UNEXPECTED_MESSAGE,
        "record_overflow" => RECORD_OVERFLOW,
        "handshake_failure" => HANDSHAKE_FAILURE,
        "illegal_parameter" => ILLEGAL_PARAMETER,
        "decode_error" => DECODE_ERROR,
        "protocol_version" => PROTOCOL_VERSION,
        "missing_extension" => MISSING_EXTENSION,
        "no_application_protocol" => NO_APPLICATION_PROTOCOL,
        _ => return None,
    })
}

#[test]
fn an_old_version_is_refused_where_only_the_new_one_is_spoken() {
    let mut options = TlsOptions::new(vec![certificate(&["localhost"])]);
    options.minimal_version = MinimalVersion::Tls13;
    let tls = ServerTls::new(options).unwrap();
    let mut server = Session::server(&tls);
    server.receive(&Hello::tls12().record()).unwrap_err();
    assert!(is_alert(&server.take_outgoing(), Some(PROTOCOL_VERSION)));
    let mut server = Session::server(&tls);
    server.receive(&Hello::good().record()).unwrap();
}

#[test]
fn a_client_that_gives_up_ends_the_handshake() {
    let tls = own_server();
    for (alert, name) in [
        ([2, HANDSHAKE_FAILURE], "handshake_failure"),
        ([2, 48], "unknown_ca"),
    ] {
        let mut server = Session::server(&tls);
        server.receive(&Hello::good().record()).unwrap();
        let failure = server.receive(&record(21, &alert)).unwrap_err().failure();
        assert_eq!((failure.ended_by, &failure.reason[..]), ("client", name));
    }
}

/// The connection fails when its bytes are changed on their way, from the first encrypted record
/// on.
#[test]
fn a_changed_byte_is_noticed() {
    let own = certificate(&["localhost"]);
    let (tls, trusting) = (server_of(&[&own]), ClientTls::trusting(&own).unwrap());
    let flight = |changed: Option<usize>| {
        let mut server = Session::server(&tls);
        let mut client = Session::client(&trusting, "localhost").unwrap();
        server.receive(&client.take_outgoing()).unwrap();
        client.receive(&server.take_outgoing()).unwrap();
        let mut records = client.take_outgoing().to_vec();
        client.encrypt(b"hello", &mut records).unwrap();
        if let Some(index) = changed {
            records[index] ^= 1;
        }
        let received = server.receive(&records);
        (records, received, server.take_plaintext())
    };
    let (good, received, plaintext) = flight(None);
    received.unwrap();
    assert_eq!(plaintext, "hello");
    // The types and versions in the heads of records mean nothing (RFC 8446 section 5.1).
    let (mut heads, mut at) = (Vec::new(), 0);
    while let Some(head) = good.get(at..at + 5) {
        heads.extend(at..at + 3);
        at += 5 + usize::from(u16::from_be_bytes([head[3], head[4]]));
    }
    for index in 0..good.len() {
        let (_, received, plaintext) = flight(Some(index));
        // A length that became longer waits for the rest.
        assert!(
            plaintext.is_empty() || (plaintext == "hello" && heads.contains(&index)),
            "{index}: {received:?}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// A hello that was changed anywhere is answered, refused with one fatal alert, or waited for:
    /// the same however it is cut.
    #[test]
    fn a_hello_that_was_changed_anywhere_is_answered_or_refused(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        is_old in any::<bool>(),
        cut in 1_usize..40,
    ) {
        static TLS: std::sync::LazyLock<ServerTls> = std::sync::LazyLock::new(own_server);
        let hello = if is_old { Hello::tls12() } else { Hello::good() };
        let mut bytes = hello.record();
        for (index, byte) in changes {
            let index = index.index(bytes.len());
            bytes[index] = byte;
        }
        let outcome = |cut: usize| {
            let mut server = Session::server(&TLS);
            let failed = bytes.chunks(cut).find_map(|part| server.receive(part).err());
            let outgoing = server.take_outgoing();
            let is_refused = is_alert(&outgoing, None);
            (failed.map(|error| error.failure()), is_refused, outgoing.is_empty())
        };
        let (failed, is_refused, is_silent) = outcome(usize::MAX);
        prop_assert_eq!((failed.clone(), is_refused, is_silent), outcome(cut));
        match failed {
            None => prop_assert!(!is_refused),
            Some(failure) if failure.ended_by == "server" => {
                prop_assert!(is_refused, "{:?}", failure);
            }
            Some(_) => {}
        }
    }
}
