//! Thumbnails of images.

use std::fs;

use image::{ImageFormat, Rgb, RgbImage, RgbaImage};

use super::server::Server;

fn images() -> Server {
    let server = Server::start(&["-v"]);
    let folder = server.path();
    let photo = RgbImage::from_fn(900, 600, |x, _| Rgb([(x / 4) as u8, 0, 0]));
    for name in ["photo.jpg", "photo.png", "photo.gif", "photo.webp"] {
        photo.save(folder.join(name)).unwrap();
    }
    RgbaImage::new(10, 400)
        .save(folder.join("clear.png"))
        .unwrap();
    fs::write(folder.join("broken.jpg"), "no image").unwrap();
    fs::write(folder.join("bomb.png"), bomb()).unwrap();
    server
}

/// A picture that claims to have 60,000 by 60,000 pixels.
pub(crate) fn bomb() -> Vec<u8> {
    let mut bomb = Vec::new();
    let small = RgbImage::new(1, 1);
    small
        .write_to(&mut std::io::Cursor::new(&mut bomb), ImageFormat::Png)
        .unwrap();
    bomb[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
    // The checksum of the chunk with this claim.
    let mut sum = flate2::Crc::new();
    sum.update(&bomb[12..29]);
    bomb[29..33].copy_from_slice(&sum.sum().to_be_bytes());
    bomb
}

#[test]
fn a_thumbnail_is_a_small_picture_that_can_be_validated() {
    let server = images();
    for (path, media_type, size) in [
        ("/photo.jpg?thumbnail", "image/jpeg", (96, 64)),
        ("/photo.png?thumbnail", "image/jpeg", (96, 64)),
        ("/photo.gif?thumbnail", "image/png", (96, 64)),
        ("/photo.webp?thumbnail", "image/jpeg", (96, 64)),
        ("/clear.png?thumbnail", "image/png", (2, 96)),
    ] {
        let response = server.get(path);
        assert_eq!(response.status, 200, "{path}");
        assert_eq!(response.field("content-type"), Some(media_type), "{path}");
        let picture = image::load_from_memory(&response.body).unwrap();
        assert_eq!((picture.width(), picture.height()), size, "{path}");
        // RFC 9111, 5.2.2.4: no-cache, "must not be used to satisfy any other request without
        // forwarding it for validation".
        assert_eq!(response.field("cache-control"), Some("no-cache"));
        let etag = response.field("etag").unwrap();
        let again = server.ask_with("GET", path, &format!("If-None-Match: {etag}\r\n"));
        assert_eq!(again.status, 304, "{path}");
        let whole = server.get(path.split('?').next().unwrap());
        assert_ne!(whole.field("etag"), Some(etag), "it is not the image");
    }
}

#[test]
fn what_is_no_image_harms_nobody() {
    let server = images();
    for path in ["/broken.jpg?thumbnail", "/bomb.png?thumbnail"] {
        let response = server.get(path);
        assert_eq!(
            response.field("content-type"),
            Some("image/svg+xml"),
            "{path}"
        );
    }
    for path in [
        "/hello.txt?thumbnail",
        "/missing.jpg?thumbnail",
        "/?thumbnail",
    ] {
        assert_eq!(server.get(path).status, 404, "{path}");
    }
    assert!(server.peak_memory() < 200 << 20, "{}", server.peak_memory());
    server.assert_well();
}

#[test]
fn a_changed_image_has_another_thumbnail() {
    let server = images();
    let before = server.get("/photo.jpg?thumbnail");
    let other = RgbImage::from_pixel(100, 100, Rgb([0, 255, 0]));
    other.save(server.path().join("photo.jpg")).unwrap();
    let after = server.get("/photo.jpg?thumbnail");
    assert_ne!(before.field("etag"), after.field("etag"));
    let picture = image::load_from_memory(&after.body).unwrap();
    assert_eq!((picture.width(), picture.height()), (96, 96));
}

#[test]
fn a_picture_that_was_taken_upright_stands_upright() {
    let server = images();
    // A JPEG of 40 by 20, with an EXIF header that says "turn it by 90 degrees".
    let mut jpeg = Vec::new();
    let lying = RgbImage::new(400, 200);
    lying
        .write_to(&mut std::io::Cursor::new(&mut jpeg), ImageFormat::Jpeg)
        .unwrap();
    let exif =
        b"\xff\xe1\x00\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    jpeg.splice(2..2, exif.iter().copied());
    fs::write(server.path().join("upright.jpg"), jpeg).unwrap();
    let response = server.get("/upright.jpg?thumbnail");
    let picture = image::load_from_memory(&response.body).unwrap();
    assert_eq!((picture.width(), picture.height()), (48, 96));
}

#[test]
fn each_is_made_once() {
    let server = images();
    let path = "/photo.png?thumbnail";
    let mut clients: Vec<_> = (0..20).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
    }
    let first = clients[0].response(false);
    assert!(
        clients[1..]
            .iter_mut()
            .all(|client| client.response(false).body == first.body)
    );
    server.get("/done");
    let made = server
        .log_until("/done")
        .iter()
        .filter(|line| line.contains("Made a thumbnail"))
        .count();
    assert_eq!(made, 1);
}
