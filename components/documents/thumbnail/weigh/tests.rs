use std::io::Cursor;

use image::{DynamicImage, RgbImage, RgbaImage};

use super::*;

fn weight(file: &[u8]) -> ImageResult<Weight> {
    weigh(Cursor::new(file), file.len() as u64)
}

fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    image.write_to(&mut file, format).unwrap();
    file.into_inner()
}

#[test]
fn what_is_weighed_can_be_decoded() {
    let opaque = DynamicImage::from(RgbImage::new(300, 200));
    let clear = DynamicImage::from(RgbaImage::new(300, 200));
    for (image, format, least) in [
        (&opaque, ImageFormat::Jpeg, 3),
        (&opaque, ImageFormat::Png, 3),
        (&clear, ImageFormat::Png, 4),
        (&clear, ImageFormat::Gif, 8),
        (&opaque, ImageFormat::WebP, 7),
        (&clear, ImageFormat::WebP, 8),
    ] {
        let file = encoded(image, format);
        let weight = weight(&file).unwrap();
        assert_eq!((weight.format, weight.size), (format, (300, 200)));
        let picture = weight.bytes - OVERHEAD;
        assert!(picture >= 300 * 200 * least, "{format:?}: {picture}");
        assert!(picture <= 300 * 200 * 20, "{format:?}: {picture}");
        let decoder = weight.decoder(Cursor::new(file)).unwrap();
        assert_eq!(DynamicImage::from_decoder(decoder).unwrap().width(), 300);
    }
}

/// A JPEG header: a start, these segments, and the beginning of a scan.
fn jpeg(segments: &[&[u8]], scan_components: u8) -> Vec<u8> {
    let start = [&[0xff, 0xd8][..], &segments.concat()].concat();
    [
        &start[..],
        &[0xff, 0xda, 0, 8, scan_components, 0, 0, 0, 0, 0],
    ]
    .concat()
}

/// A frame header of 4000 by 1000 pixels.
fn frame(marker: u8, components: u8) -> Vec<u8> {
    let content = [8, 0x03, 0xe8, 0x0f, 0xa0, components];
    let length = 8 + 3 * components;
    let rest = vec![0x11; usize::from(components) * 3];
    [&[0xff, marker, 0, length][..], &content, &rest].concat()
}

#[test]
fn a_jpeg_that_keeps_its_coefficients_weighs_more() {
    let comment: &[u8] = b"\xff\xfe\0\x06\xff\xc2ab";
    let table: &[u8] = b"\xff\xff\xff\xc4\0\x04\0\0";
    let pixels = 4000 * 1000;
    for (file, per_pixel) in [
        (jpeg(&[&frame(0xc0, 3)], 3), 3),
        (jpeg(&[comment, table, b"garbage", &frame(0xc1, 3)], 3), 3),
        (jpeg(&[&frame(0xc2, 3)], 1), 9),
        // Baseline, but the components come one after another.
        (jpeg(&[&frame(0xc0, 3)], 1), 9),
        (jpeg(&[&frame(0xc2, 4)], 4), 11),
        (jpeg(&[&frame(0xc0, 1)], 1), 3),
    ] {
        let found = Jpeg::read(&mut Cursor::new(&file)).unwrap();
        assert_eq!(found.size, (4000, 1000));
        let expected = pixels * per_pixel;
        let slack = pixels / 2;
        assert!(
            (expected..expected + slack).contains(&found.bytes()),
            "{file:x?}: {found:?}"
        );
    }
}

#[test]
fn a_jpeg_of_many_scans_is_refused() {
    let scan: &[u8] = b"\xff\xda\0\x08\x01\0\0\0\0\0";
    let begin = jpeg(&[&frame(0xc2, 3)], 1);
    let scans = |count: usize| [&begin[..], &scan.repeat(count)].concat();
    assert!(weight(&scans(MOST_SCANS)).is_ok());
    assert!(weight(&scans(MOST_SCANS + 1)).is_err());
    // The marker may lie across the border of a buffer.
    let split = [
        &begin[..],
        &vec![0; 8191 - begin.len()],
        &scan.repeat(MOST_SCANS + 1),
    ]
    .concat();
    let weighed = weigh(std::io::BufReader::new(Cursor::new(&split)), 0);
    assert!(weighed.is_err());
    // Each goes through the picture only if the picture is kept.
    let baseline = [&jpeg(&[&frame(0xc0, 3)], 3)[..], &scan.repeat(1000)].concat();
    assert!(weight(&baseline).is_ok());
}

#[test]
fn a_broken_header_is_an_error_and_ends() {
    for file in [
        &b"\xff\xd8\xff"[..],
        b"\xff\xd8\xff\xe0",
        b"\xff\xd8\xff\xc0\0\0",
        b"\xff\xd8\xff\xc0\0\x03\x08\0\x01\0\x01\x03",
        b"\xff\xd8\xff\xd9\0\0\0\0",
        b"\xff\xd8\xff\xe1\0\0\xff\xe1\0\0",
        b"GIF89a",
        b"\x89PNG\r\n\x1a\n",
        b"BM",
        b"",
    ] {
        assert!(weight(file).is_err(), "{file:x?}");
    }
    assert_eq!(WebP::read(&mut Cursor::new(b"RIFF")).unwrap().bytes(), 0);
}

fn chunk(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_le_bytes();
    let padding = vec![0; content.len() % 2];
    [&name[..], &length, content, &padding].concat()
}

fn webp(chunks: &[Vec<u8>]) -> Vec<u8> {
    let content = [&b"WEBP"[..], &chunks.concat()].concat();
    chunk(b"RIFF", &content)
}

#[test]
fn the_largest_picture_of_a_webp_counts() {
    let canvas = |flags: u8| chunk(b"VP8X", &[flags, 0, 0, 0, 99, 0, 0, 99, 0, 0]);
    let lossy = |side: u16| {
        let [low, high] = side.to_le_bytes();
        chunk(b"VP8 ", &[0x10, 0, 0, 0x9d, 1, 0x2a, low, high, low, high])
    };
    let lossless = chunk(b"VP8L", &[0x2f, 0xff, 0xff, 0xff, 0x0f]);
    let alpha = chunk(b"ALPH", &[1, 2, 3]);
    let area = 16_383 * 16_383;
    let frame = |inner: &[Vec<u8>]| {
        let head = [0, 0, 0, 0, 0, 0, 99, 0, 0, 99, 0, 0, 0, 0, 0, 0];
        chunk(b"ANMF", &[&head[..], &inner.concat()].concat())
    };
    for (chunks, least) in [
        (vec![lossy(16_383)], 5 * area),
        (vec![canvas(0), lossy(16_383)], 5 * area),
        (vec![canvas(0x10), alpha.clone(), lossy(16_383)], 11 * area),
        (vec![lossless.clone()], 8 * 16_384 * 16_384),
        (vec![canvas(2), frame(&[lossy(16_383)])], 19 * area),
        (
            vec![canvas(2), frame(&[alpha.clone(), lossy(16_383)])],
            19 * area,
        ),
        (
            vec![canvas(2), frame(std::slice::from_ref(&lossless))],
            19 * area,
        ),
        (
            vec![canvas(2), chunk(b"NONE", b"x"), lossy(16_383)],
            5 * area,
        ),
    ] {
        let file = webp(&chunks);
        let found = WebP::read(&mut Cursor::new(&file)).unwrap();
        assert!(found.bytes() >= least, "{found:?}");
    }
    // A photo with a color profile and EXIF is a lossy picture.
    let photo = webp(&[canvas(0x2c), chunk(b"ICCP", &[0; 99]), lossy(100)]);
    let found = WebP::read(&mut Cursor::new(&photo)).unwrap();
    assert_eq!((found.size, found.bytes()), ((100, 100), 5 * 100 * 100));
    let many = webp(&vec![chunk(b"NONE", b""); MOST_CHUNKS]);
    assert!(WebP::read(&mut Cursor::new(&many)).is_err());
}

/// Each lossless code may need a table of its own.
#[test]
fn lossless_data_weighs_for_its_codes() {
    let file = webp(&[chunk(b"VP8L", &vec![0x2f; 2_000_000])]);
    let found = WebP::read(&mut Cursor::new(&file)).unwrap();
    assert!(found.bytes() > 700 << 20, "{found:?}");
}
