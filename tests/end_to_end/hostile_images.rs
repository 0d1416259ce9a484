//! Images that claim to be large: what their thumbnails cost is bounded before anything is decoded.

use std::fs;
use std::io::{Cursor, Write};

use image::{ImageFormat, Rgb, RgbImage};

use super::server::Server;

/// What all images that are decoded at the same time may need: as `docs/src/security.md` promises.
const BUDGET: u64 = 256 << 20;

/// What the server itself may need beside them.
const SLACK: u64 = 24 << 20;

fn chunk(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_le_bytes();
    let padding = vec![0; content.len() % 2];
    [&name[..], &length, content, &padding].concat()
}

fn webp(chunks: &[Vec<u8>]) -> Vec<u8> {
    chunk(b"RIFF", &[&b"WEBP"[..], &chunks.concat()].concat())
}

/// A lossy picture of this many pixels in each direction.
fn lossy(side: u16) -> Vec<u8> {
    let [low, high] = side.to_le_bytes();
    let head = [0x10, 2, 0, 0x9d, 1, 0x2a, low, high, low, high];
    chunk(b"VP8 ", &[&head[..], &[0; 600]].concat())
}

/// A canvas of this many pixels in each direction.
fn canvas(flags: u8, side: u32) -> Vec<u8> {
    let [low, middle, high, _] = (side - 1).to_le_bytes();
    chunk(
        b"VP8X",
        &[flags, 0, 0, 0, low, middle, high, low, middle, high],
    )
}

fn animation(side: u32, frame: &[Vec<u8>]) -> Vec<u8> {
    let [low, middle, high, _] = (side - 1).to_le_bytes();
    let head = [
        0, 0, 0, 0, 0, 0, low, middle, high, low, middle, high, 0, 0, 0, 0,
    ];
    let frame = chunk(b"ANMF", &[&head[..], &frame.concat()].concat());
    webp(&[canvas(0x12, side), chunk(b"ANIM", &[0; 6]), frame])
}

/// Bits, the lowest first, as in lossless WebP data.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    count: usize,
}

impl Bits {
    fn put(&mut self, value: u32, count: usize) {
        for bit in 0..count {
            if self.count.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let last = self.bytes.last_mut().unwrap();
            *last |= ((value >> bit & 1) as u8) << (self.count % 8);
            self.count += 1;
        }
    }

    /// A code with one symbol.
    fn put_symbol(&mut self, symbol: u32) {
        self.put(1, 1);
        self.put(0, 1);
        self.put(1, 1);
        self.put(symbol, 8);
    }

    /// A code of eleven symbols, with lengths from 1 to 10: its table has 1,024 entries.
    fn put_large_code(&mut self) {
        self.put(0, 1);
        self.put(10, 4);
        // The codes of the lengths 1 to 10: six have three bits, four have four. In the order of
        // RFC 9649, section 3.7.2.1.2.
        for length in [0, 0, 0, 3, 3, 3, 3, 3, 0, 3, 4, 4, 4, 4] {
            self.put(length, 3);
        }
        // Only eleven lengths follow.
        self.put(1, 1);
        self.put(1, 3);
        self.put(9, 4);
        // Canonical codes, written from their highest bit.
        for length in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10] {
            let (code, count): (u32, usize) = match length {
                1..=6 => (length - 1, 3),
                _ => (12 + length - 7, 4),
            };
            self.put(code.reverse_bits() >> (32 - count), count);
        }
    }
}

/// A lossless picture whose pixels choose among this many groups of codes.
fn many_codes(groups: u32) -> Vec<u8> {
    let mut bits = Bits::default();
    bits.put(0x2f, 8);
    // 16 by 16 pixels, no alpha channel, version 0; no transform, no cache of colors.
    bits.put(15, 14);
    bits.put(15, 14);
    bits.put(0, 4);
    bits.put(0, 1);
    bits.put(0, 1);
    // Groups of codes, chosen by a picture of one color, which is the number of the last group.
    bits.put(1, 1);
    bits.put(0, 3);
    bits.put(0, 1);
    let [high, low] = u16::try_from(groups - 1).unwrap().to_be_bytes();
    for symbol in [low.into(), high.into(), 0, 255, 0] {
        bits.put_symbol(symbol);
    }
    for _ in 0..groups * 5 {
        bits.put_large_code();
    }
    for _ in 0..4096 {
        bits.put(0, 1);
    }
    webp(&[chunk(b"VP8L", &bits.bytes)])
}

/// A PNG of black pixels. Only its header is right if `rows` are fewer than its height.
fn png(side: u32, depth: u8, colors: u8, rows: u32, extra: &[Vec<u8>]) -> Vec<u8> {
    let samples = match colors {
        2 => 3,
        6 => 4,
        _ => 1,
    };
    let row = 1 + side as usize * samples * usize::from(depth) / 8;
    let mut data = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    for _ in 0..rows {
        data.write_all(&vec![0; row]).unwrap();
    }
    let head = [
        &side.to_be_bytes()[..],
        &side.to_be_bytes(),
        &[depth, colors, 0, 0, 0],
    ]
    .concat();
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    file.extend(png_chunk(b"IHDR", &head));
    file.extend(extra.concat());
    file.extend(png_chunk(b"IDAT", &data.finish().unwrap()));
    file.extend(png_chunk(b"IEND", &[]));
    file
}

fn png_chunk(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let mut sum = flate2::Crc::new();
    sum.update(name);
    sum.update(content);
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    [&length[..], name, content, &sum.sum().to_be_bytes()].concat()
}

/// Half a gibibyte of zeros, compressed, as a color profile.
fn large_profile() -> Vec<u8> {
    let mut data = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    for _ in 0..512 {
        data.write_all(&vec![0; 1 << 20]).unwrap();
    }
    let content = [&b"profile\0\0"[..], &data.finish().unwrap()].concat();
    png_chunk(b"iCCP", &content)
}

/// A GIF with this screen, and frames of the same size or larger.
fn gif(screen: u16, frame: u16, frames: usize) -> Vec<u8> {
    let mut file = b"GIF89a".to_vec();
    file.extend([screen.to_le_bytes(), screen.to_le_bytes()].concat());
    file.extend([0x80, 0, 0, 0, 0, 0, 255, 255, 255]);
    for _ in 0..frames {
        file.extend([0x2c, 0, 0, 0, 0]);
        file.extend([frame.to_le_bytes(), frame.to_le_bytes()].concat());
        file.extend([0, 2, 2, 0x4c, 0x01, 0]);
    }
    file.push(0x3b);
    file
}

/// The header of a JPEG of this many pixels in each direction, and scans without data.
fn jpeg(marker: u8, side: u16, components: u8, scans: usize) -> Vec<u8> {
    let [high, low] = side.to_be_bytes();
    let mut file = vec![0xff, 0xd8, 0xff, 0xdb, 0, 67, 0];
    file.extend([1; 64]);
    // A table of one code of one bit, for the value zero: of coefficients 0, and of the others.
    for class in [0, 0x10] {
        file.extend([0xff, 0xc4, 0, 20, class, 1]);
        file.extend([0; 15]);
        file.push(0);
    }
    file.extend([
        0xff,
        marker,
        0,
        8 + 3 * components,
        8,
        high,
        low,
        high,
        low,
        components,
    ]);
    for number in 1..=components {
        file.extend([number, 0x11, 0]);
    }
    for _ in 0..scans {
        let count = if marker == 0xc2 { 1 } else { components };
        file.extend([0xff, 0xda, 0, 6 + 2 * count, count]);
        for number in 1..=count {
            file.extend([number, 0]);
        }
        file.extend([0, if marker == 0xc2 { 0 } else { 63 }, 0]);
        file.extend([0; 64]);
    }
    file.extend([0xff, 0xd9]);
    file
}

fn server_of(files: &[(&str, Vec<u8>)]) -> Server {
    let server = Server::start(&["-v"]);
    for (name, content) in files {
        fs::write(server.path().join(name), content).unwrap();
    }
    server.assert_well();
    server
}

/// Asks for all thumbnails at the same time; returns whether each is the placeholder.
fn ask_for_all(server: &Server, names: &[&str]) -> Vec<bool> {
    let mut clients: Vec<_> = names.iter().map(|_| server.connect().patient()).collect();
    for (client, name) in clients.iter_mut().zip(names) {
        client.send(format!("GET /{name}?thumbnail HTTP/1.1\r\nHost: a\r\n\r\n"));
    }
    let is_placeholder = |client: &mut super::server::Client| {
        let response = client.response(false);
        assert_eq!(response.status, 200);
        response.field("content-type") == Some("image/svg+xml")
    };
    clients.iter_mut().map(is_placeholder).collect()
}

#[test]
fn a_claim_costs_nothing() {
    let files = [
        // 28 bytes, of which the decoder makes a gibibyte.
        (
            "claim.webp",
            webp(&[chunk(b"VP8L", &[0x2f, 0xfe, 0xbf, 0xff, 0x0f, 0, 0, 0])]),
        ),
        ("lossy.webp", webp(&[lossy(16_383)])),
        ("canvas.webp", webp(&[canvas(0, 16), lossy(16_383)])),
        (
            "alpha.webp",
            webp(&[canvas(0x10, 9000), chunk(b"ALPH", &[1; 40]), lossy(9000)]),
        ),
        ("frame.webp", animation(16, &[lossy(16_383)])),
        ("animation.webp", animation(9000, &[lossy(9000)])),
        ("codes.webp", many_codes(65_536)),
        ("progressive.jpg", jpeg(0xc2, 16_000, 3, 1)),
        ("baseline.jpg", jpeg(0xc0, 16_000, 3, 1)),
        ("scans.jpg", jpeg(0xc2, 2_000, 3, 3_000)),
        ("deep.png", png(19_000, 16, 6, 1, &[])),
        ("wide.png", png(60_000, 1, 0, 1, &[])),
        ("profile.png", png(64, 8, 2, 64, &[large_profile()])),
        ("screen.gif", gif(19_999, 19_999, 1)),
        ("frame.gif", gif(16, 65_535, 1)),
        ("claim.png", b"\x89PNG\r\n\x1a\n".to_vec()),
    ];
    let server = server_of(&files);
    let before = server.peak_memory();
    let names = files.each_ref().map(|(name, _)| *name);
    for (is_placeholder, name) in ask_for_all(&server, &names).into_iter().zip(names) {
        // A profile that is too large may be left out.
        assert!(is_placeholder || name == "profile.png", "{name}");
        let grown = server.peak_memory() - before;
        assert!(grown < 40 << 20, "{name}: {} MiB", grown >> 20);
    }
    server.assert_well();
}

/// What may be decoded costs no more than was reckoned with, also side by side. The codes of a WebP
/// are small blocks, which the allocator keeps for a while after their decoder has ended; so they
/// have a server of their own.
#[test]
#[ignore = "needs the machine for itself: tests/all.sh runs it"]
fn what_is_decoded_keeps_to_the_budget() {
    let server = server_of(&[("codes.webp", many_codes(10_000))]);
    let before = server.peak_memory();
    ask_for_all(&server, &["codes.webp"]);
    let grown = server.peak_memory() - before;
    assert!(grown < BUDGET + SLACK, "{} MiB of codes", grown >> 20);

    let files = [
        ("a.png", png(7_000, 8, 2, 7_000, &[])),
        ("b.png", png(4_500, 16, 6, 4_500, &[])),
        ("a.jpg", jpeg(0xc2, 4_900, 3, 1)),
        ("b.jpg", jpeg(0xc0, 8_000, 3, 1)),
        ("a.gif", gif(4_500, 4_500, 1)),
        ("b.gif", gif(100, 90, 3_000)),
        ("a.webp", webp(&[lossy(6_900)])),
        ("b.webp", animation(3_500, &[lossy(3_500)])),
    ];
    let server = server_of(&files);
    let before = server.peak_memory();
    let names = files.each_ref().map(|(name, _)| *name);
    let placeholders = ask_for_all(&server, &names);
    let grown = server.peak_memory() - before;
    assert!(grown < BUDGET + SLACK, "{} MiB", grown >> 20);
    for (is_placeholder, name) in placeholders.into_iter().zip(names) {
        // Those that have no data may be refused, but only by their decoder.
        assert!(!is_placeholder || !name.ends_with("png"), "{name}");
    }
    let weights = server.log_until("GET").join("\n");
    assert!(!weights.contains("Memory limit exceeded"), "{weights}");
    server.assert_well();
}

/// The first picture of an animation is shown, and the others cost nothing.
#[test]
fn an_animation_has_a_thumbnail() {
    let server = server_of(&[("many.gif", gif(100, 100, 20_000))]);
    let before = server.peak_memory();
    assert_eq!(server.get("/many.gif?thumbnail").status, 200);
    assert!(server.peak_memory() - before < 40 << 20);
}

#[test]
fn a_photo_keeps_its_colors() {
    let profile = moxcms::ColorProfile::new_display_p3().encode().unwrap();
    let mut file = Vec::new();
    let photo = RgbImage::from_pixel(300, 200, Rgb([200, 100, 50]));
    photo
        .write_to(&mut Cursor::new(&mut file), ImageFormat::Jpeg)
        .unwrap();
    let length = u16::try_from(profile.len() + 16).unwrap().to_be_bytes();
    let segment = [
        &b"\xff\xe2"[..],
        &length,
        b"ICC_PROFILE\0\x01\x01",
        &profile,
    ]
    .concat();
    let plain = file.clone();
    file.splice(2..2, segment);
    let server = server_of(&[("p3.jpg", file), ("srgb.jpg", plain)]);
    for (path, expected) in [("/p3.jpg", [215, 93, 31]), ("/srgb.jpg", [200, 100, 50])] {
        let thumbnail = server.get(&format!("{path}?thumbnail"));
        let picture = image::load_from_memory(&thumbnail.body)
            .unwrap()
            .into_rgb8();
        let pixel = picture.get_pixel(48, 32).0;
        let is_near = |(a, b): (&u8, &u8)| a.abs_diff(*b) <= 4;
        assert!(
            pixel.iter().zip(&expected).all(is_near),
            "{path}: {pixel:?}"
        );
    }
}

/// A picture for print has four colors, and often a profile for them.
#[test]
fn a_picture_in_the_colors_of_print_is_no_harm() {
    let server = server_of(&[
        ("cmyk.jpg", jpeg(0xc0, 64, 4, 1)),
        ("progressive.jpg", jpeg(0xc2, 64, 4, 4)),
    ]);
    for path in ["/cmyk.jpg?thumbnail", "/progressive.jpg?thumbnail"] {
        assert_eq!(server.get(path).status, 200);
    }
    server.assert_well();
}
