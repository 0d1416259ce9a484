use super::*;

fn frame(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[kind][..], &length, &body].concat()
}

const SEVEN: &[u8] = &[0, 0, 0, 0, 0, 0, 0, 7];

fn head_of(status: u16, fields: Fields, length: Option<u64>) -> AnswerHead {
    let status = StatusCode::from_u16(status).unwrap();
    AnswerHead {
        head: ResponseHead {
            fields,
            ..ResponseHead::new(status)
        },
        length,
    }
}

#[test]
fn frames_are_understood_however_they_are_cut() {
    let all = [
        frame(b'A', &[SEVEN, b"200 OK\nX-A\n\nX-A\nb\0hello"]),
        frame(b'W', &[SEVEN]),
        frame(b'H', &[SEVEN, b"404 Nothing here\nContent-Length\n3\0"]),
        frame(b'D', &[b"abc"]),
        frame(b'E', &[]),
        frame(b'F', &[SEVEN, b"ValueError: no"]),
        frame(b'C', &[b"KeyError: 1"]),
    ]
    .concat();
    let fields = Fields::new().with("X-A", "").with("X-A", "b");
    let expected = [
        Frame::Answer(7, Ok(head_of(200, fields, None)), "hello".into()),
        Frame::Wanted(7),
        Frame::Head(7, Ok(head_of(404, Fields::new(), Some(3))), Bytes::new()),
        Frame::Data("abc".into()),
        Frame::End,
        Frame::Failed(7, "ValueError: no".to_owned()),
        Frame::Cut("KeyError: 1".to_owned()),
    ];
    let found: Result<Vec<_>, _> = frames([Bytes::from(all.clone())]).into_iter().collect();
    assert_eq!(found.unwrap(), expected);
    check_frames(&all);
}

#[test]
fn what_is_no_frame_is_refused() {
    let long = u32::try_from(LONGEST + 1).unwrap().to_be_bytes();
    for bytes in [
        frame(b'Z', &[]),
        frame(b'A', &[b"short"]),
        frame(b'A', &[SEVEN, b"200 OK"]),
        frame(b'E', &[b"more"]),
        frame(b'W', &[SEVEN, b"more"]),
        [&b"D"[..], &long].concat(),
    ] {
        let mut decoder = FrameDecoder::default();
        decoder.feed(bytes.clone().into());
        assert_eq!(decoder.next(), Err(FrameError), "{bytes:?}");
        check_frames(&bytes);
    }
}

#[test]
fn a_head_is_checked() {
    let right: [(&[u8], u16, Option<u64>); 4] = [
        (b"200", 200, None),
        (b"299 \xe9t\xe9", 299, None),
        (
            b"200 OK\nContent-Length\n 5 \ncontent-length\n5",
            200,
            Some(5),
        ),
        // PEP 3333: "applications ... are forbidden from using HTTP/1.1 "hop-by-hop" features or
        // headers".
        (
            b"200 OK\nConnection\nclose\nTransfer-Encoding\nchunked\nKeep-Alive\n1",
            200,
            None,
        ),
    ];
    for (head, status, length) in right {
        assert_eq!(
            decode_head(head),
            Ok(head_of(status, Fields::new(), length))
        );
    }
    for head in [
        &b""[..],
        b"OK",
        b"20",
        b"2000",
        b"200OK",
        b"100 Continue",
        b"200 OK\nContent-Length\nmany",
        b"200 OK\nContent-Length\n-1",
        b"200 OK\nContent-Length\n+1",
        b"200 OK\nContent-Length\n1\nContent-Length\n2",
        b"200 OK\nX Y\n1",
        b"200 OK\n\n1",
        b"200 OK\nX\na\rSet-Cookie: b",
        b"200 OK\nX\xe9\nb",
    ] {
        assert!(decode_head(head).is_err(), "{:?}", lossy(head));
    }
}

#[test]
fn requests_and_content_are_written() {
    let mut variables = Variables::default();
    variables.set("A", "1");
    variables.set("B", "");
    let frame = encode_request(&variables, RequestBody::None);
    assert_eq!(frame, "R\0\0\0\x09\0\0\0\x03A\0B1\0");
    let on_request = encode_request(&variables, RequestBody::OnRequest);
    assert_eq!((on_request[0], &on_request[1..]), (b'P', &frame[1..]));
    let whole = encode_request(&variables, RequestBody::Whole(b"content"));
    assert_eq!((whole[0], &whole[5..9]), (b'B', &[0, 0, 0, 7][..]));
    assert_eq!(whole[9..], [&frame[5..], b"content"].concat());
    let mut out = BytesMut::new();
    encode_content(&mut out, &vec![b'x'; CHUNK + 1]);
    encode_end(&mut out, true);
    encode_end(&mut out, false);
    assert_eq!(out.len(), CHUNK + 1 + 4 * PREFIX);
    assert!(out.starts_with(b"D\0\x01\0\0xx"));
    assert!(out.ends_with(b"D\0\0\0\x01xE\0\0\0\0X\0\0\0\0"));
}
