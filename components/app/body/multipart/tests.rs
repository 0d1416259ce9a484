//! The decoder: what it finds, however the body is split, and what it refuses.

use super::head::boundary;
use super::*;

/// Decodes a body that arrives in pieces of this size; each part as a line.
fn decode(boundary: &str, body: &[u8], size: usize) -> Result<Vec<String>, MultipartError> {
    let mut decoder = MultipartDecoder::new(boundary);
    let (mut parts, mut content) = (Vec::new(), Vec::new());
    for piece in body.chunks(size) {
        decoder.feed(piece);
        while let Some(event) = decoder.next()? {
            match event {
                MultipartEvent::Part(head) => {
                    let file = head
                        .file_name
                        .map_or(String::new(), |name| format!(" ({name})"));
                    let kind = head
                        .media_type
                        .map_or(String::new(), |kind| format!(" {kind}"));
                    parts.push(format!("{}{file}{kind}", head.name));
                }
                MultipartEvent::Data(bytes) => content.extend_from_slice(&bytes),
                MultipartEvent::EndOfPart => {
                    let content =
                        String::from_utf8_lossy(&std::mem::take(&mut content)).into_owned();
                    *parts.last_mut().unwrap() += &format!(" = {content}");
                }
                MultipartEvent::End => parts.push("end".to_owned()),
            }
        }
    }
    decoder.finish().map(|()| parts)
}

fn part(disposition: &str, content: &str) -> String {
    format!("--b\r\nContent-Disposition: {disposition}\r\n\r\n{content}\r\n")
}

#[test]
fn a_body_is_decoded_however_it_is_split() {
    let rows: Vec<(String, Vec<&str>)> = vec![
        (part("form-data; name=\"a\"", "hello") + "--b--\r\n", vec!["a = hello", "end"]),
        (part("form-data; name=a", "") + "--b--", vec!["a = ", "end"]),
        // RFC 2046, 5.1.1: "transport padding", a preamble and an epilogue.
        (
            "preamble\r\n--b  \t\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n--b-- \r\nepilogue\r\n--b\r\n".to_owned(),
            vec!["a = x", "end"],
        ),
        // Content that begins like a boundary.
        (
            part("form-data; name=\"a\"", "x\r\n--bc\r\n--b!\r\n-\r\n--\r\n--B\r\n") + "--b--",
            vec!["a = x\r\n--bc\r\n--b!\r\n-\r\n--\r\n--B\r\n", "end"],
        ),
        (
            part("form-data; name=\"a\"; filename=\"C:\\dir\\f.txt\"", "1")
                + &part("form-data; name=\"b\"; filename=\"\"", "")
                + "--b--",
            vec!["a (C:\\dir\\f.txt) = 1", "b () = ", "end"],
        ),
        // HTML Standard, 4.10.21.8: quotes and line breaks in names are escaped.
        (
            part("form-data; name=\"a%22b%0D%0Ac\"; filename=\"q\\\"\\\\r\"", "1") + "--b--",
            vec!["a\"b\r\nc (q\"\\r) = 1", "end"],
        ),
        // RFC 7578, 4.2: the parameter `filename*` "MUST NOT be used".
        (
            part("form-data; filename*=UTF-8''x; name=\"\u{e9}\"", "\u{e9}") + "--b--",
            vec!["\u{e9} = \u{e9}", "end"],
        ),
        (
            "--b\r\ncontent-type: image/png\r\ncontent-disposition: FORM-DATA; NAME=\"a\"\r\nX-Other: 1\r\n\r\n\r\n\r\n\r\n--b--".to_owned(),
            vec!["a image/png = \r\n\r\n", "end"],
        ),
        ("--b--\r\n".to_owned(), vec!["end"]),
    ];
    for (body, expected) in rows {
        for size in 1..=body.len() {
            assert_eq!(
                decode("b", body.as_bytes(), size).unwrap(),
                expected,
                "{body:?} in pieces of {size}"
            );
        }
    }
    // A boundary with hyphens at its end.
    let body = "--x--\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x-\r\n--x----";
    for size in 1..=body.len() {
        assert_eq!(
            decode("x--", body.as_bytes(), size).unwrap(),
            ["a = 1\r\n--x-", "end"],
            "{size}"
        );
    }
}

#[test]
fn an_invalid_body_is_refused() {
    for (body, error) in [
        (String::new(), MultipartError::Unfinished),
        ("--b".to_owned(), MultipartError::Unfinished),
        ("--b\r\n".to_owned(), MultipartError::Unfinished),
        ("--c--\r\n".to_owned(), MultipartError::Unfinished),
        (
            part("form-data; name=\"a\"", "x"),
            MultipartError::Unfinished,
        ),
        (
            part("form-data; name=\"a\"", "x") + "--b",
            MultipartError::Unfinished,
        ),
        ("--b\r\n\r\nx\r\n--b--".to_owned(), MultipartError::Name),
        (part("form-data", "x") + "--b--", MultipartError::Name),
        (
            part("form-data; filename=\"a\"", "x") + "--b--",
            MultipartError::Name,
        ),
        (
            part("attachment; name=\"a\"", "x") + "--b--",
            MultipartError::Name,
        ),
        (
            "--b\r\nno field\r\n\r\nx\r\n--b--".to_owned(),
            MultipartError::Head,
        ),
        (
            "--b\r\nA b: c\r\n\r\nx\r\n--b--".to_owned(),
            MultipartError::Head,
        ),
        (
            format!("--b\r\nA: {}", "x".repeat(20_000)),
            MultipartError::HeadTooLarge,
        ),
        (
            format!("--b\r\nA: {}\r\n\r\n", "x".repeat(20_000)),
            MultipartError::HeadTooLarge,
        ),
        (
            part("form-data; name=\"a\"", "").repeat(1001),
            MultipartError::TooManyParts,
        ),
        (format!("--b{}", " ".repeat(300)), MultipartError::Boundary),
    ] {
        let size = body.len().max(1);
        assert_eq!(
            decode("b", body.as_bytes(), size),
            Err(error),
            "{:.80}",
            body
        );
    }
    let mut latin = part("form-data; name=\"a\"", "x").into_bytes();
    latin[40] = 0xE9;
    assert_eq!(decode("b", &latin, 1), Err(MultipartError::Head));
}

#[test]
fn a_boundary_is_checked() {
    for (media_type, expected) in [
        ("multipart/form-data; boundary=abc", Some("abc")),
        (
            "multipart/form-data; charset=utf-8; Boundary=\"a b:c\"",
            Some("a b:c"),
        ),
        (
            "multipart/form-data;boundary=----WebKitFormBoundaryx",
            Some("----WebKitFormBoundaryx"),
        ),
        ("multipart/form-data", None),
        ("multipart/form-data; boundary=", None),
        ("multipart/form-data; boundary=\"\"", None),
        ("multipart/form-data; boundary=\"a \"", None),
        ("multipart/form-data; boundary=\u{e9}", None),
    ] {
        assert_eq!(boundary(media_type).as_deref(), expected, "{media_type}");
    }
    let long = |length| format!("multipart/form-data; boundary={}", "x".repeat(length));
    assert!(boundary(&long(70)).is_some());
    assert!(boundary(&long(71)).is_none());
}
