//! Pages in a real browser, headless Chromium: what it shows, requests and refuses.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use image::{Rgb, RgbImage};
use tempfile::TempDir;

use super::server::Server;

const MAGENTA: Rgb<u8> = Rgb([255, 0, 255]);

/// Starts Chromium with an address of the server; `what` says what to do with the page.
fn chromium(server: &Server, path: &str, profile: &TempDir, what: &[&str]) -> Command {
    let mut command = Command::new("chromium");
    command
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
        ])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
        ])
        .args(["--hide-scrollbars", "--enable-logging=stderr", "--v=0"])
        .args(["--autoplay-policy=no-user-gesture-required", "--mute-audio"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(what)
        .arg(format!("http://{}{path}", server.address));
    command
}

fn open(server: &Server, path: &str, profile: &TempDir, what: &[&str]) {
    let mut command = chromium(server, path, profile, what);
    let output = command
        .output()
        .expect("chromium, which `make test` installs");
    let said = String::from_utf8_lossy(&output.stderr);
    for complaint in [
        "Refused to",
        "violates the following Content Security Policy",
    ] {
        assert!(!said.contains(complaint), "{path}: {said}");
    }
}

/// Returns a screenshot of a page in a window of this size.
fn picture(server: &Server, path: &str, (width, height): (u32, u32)) -> RgbImage {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.png");
    let size = format!("--window-size={width},{height}");
    let shot = format!("--screenshot={}", file.display());
    open(
        server,
        path,
        &folder,
        &["--virtual-time-budget=5000", &size, &shot],
    );
    let picture = image::open(&file).expect("a screenshot").into_rgb8();
    assert_eq!(picture.width(), width);
    picture
}

fn count(picture: &RgbImage, colour: Rgb<u8>) -> usize {
    let is_near = |a: u8, b: u8| a.abs_diff(b) < 24;
    let same = |p: &&Rgb<u8>| (0..3).all(|i| is_near(p[i], colour[i]));
    picture.pixels().filter(same).count()
}

/// Photos, songs and films; a listing only looks at their names.
fn media() -> Server {
    media_with(&[])
}

fn media_with(options: &[&str]) -> Server {
    let server = Server::start(options);
    let folder = server.path();
    let photo = RgbImage::from_pixel(1200, 800, MAGENTA);
    photo.save(folder.join("photo.png")).unwrap();
    photo
        .save(folder.join(
            "with a long name, such as people give to the photos of their holidays by the sea.jpg",
        ))
        .unwrap();
    write_song(&folder.join("song.wav"));
    fs::write(folder.join("film.mp4"), "no film").unwrap();
    fs::write(folder.join("<b>bold & \"quoted\".txt"), "text").unwrap();
    fs::create_dir(folder.join("folder")).unwrap();
    // A window cannot be narrower than 500 pixels; a frame can.
    let phone = "<style>body{margin:0}iframe{width:390px;height:844px;border:0}</style><iframe src=\"/\"></iframe>";
    fs::write(folder.join("phone.html"), phone).unwrap();
    server
}

/// Two minutes of a low hum: 8 kHz, mono, 8 bits.
fn write_song(file: &Path) {
    const RATE: u32 = 8000;
    let samples: Vec<u8> = (0..120 * RATE).map(|i| 118 + (i / 40 % 20) as u8).collect();
    let length = samples.len() as u32;
    let mut song = Vec::from(*b"RIFF");
    song.extend((36 + length).to_le_bytes());
    song.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    song.extend(RATE.to_le_bytes());
    song.extend(RATE.to_le_bytes());
    song.extend(b"\x01\0\x08\0data");
    song.extend(length.to_le_bytes());
    song.extend(samples);
    fs::write(file, song).unwrap();
}

#[test]
fn a_listing_shows_its_pictures_on_a_desktop_and_on_a_phone() {
    let server = media();
    for (path, size) in [("/", (1280, 900)), ("/phone.html", (600, 844))] {
        let picture = picture(&server, path, size);
        // Two thumbnails of 48 by 48 pixels, with round corners.
        let magenta = count(&picture, MAGENTA);
        assert!((4000..4700).contains(&magenta), "{path}: {magenta} pixels");
        if path == "/phone.html" {
            // Nothing extends beyond the edge of the phone: its last columns have one colour.
            let edge = *picture.get_pixel(385, 5);
            let column = (0..844).map(|y| *picture.get_pixel(385, y));
            assert_eq!(column.filter(|pixel| *pixel != edge).count(), 0);
        }
    }
}

#[test]
fn a_listing_is_as_dark_as_its_reader_wants_it() {
    let server = media();
    let brightness = |scheme: &str| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("page.png");
        let shot = format!("--screenshot={}", file.display());
        let scheme = format!("--blink-settings=preferredColorScheme={scheme}");
        open(
            &server,
            "/",
            &folder,
            &["--window-size=800,600", &scheme, &shot],
        );
        let picture = image::open(&file).unwrap().into_rgb8();
        let sum: u64 = picture.pixels().map(|pixel| u64::from(pixel[1])).sum();
        sum / u64::from(picture.width() * picture.height())
    };
    let (dark, light) = (brightness("0"), brightness("1"));
    assert!(dark < 80 && light > 180, "{dark} {light}");
}

#[test]
fn a_player_seeks_in_a_song() {
    let server = media_with(&["-v"]);
    let script = "<body><audio id=a src=song.wav preload=metadata></audio><script>
        a.onloadedmetadata = () => { a.currentTime = 100 };
        a.onseeked = () => fetch(`at-${a.currentTime}-of-${a.duration}-song`);
        a.onerror = () => fetch('no-song');
        </script>";
    fs::write(server.path().join("player.html"), script).unwrap();
    let profile = tempfile::tempdir().unwrap();
    // With a port for a debugger it runs until it is killed.
    let stay = ["--remote-debugging-port=0"];
    let mut browser = chromium(&server, "/player.html", &profile, &stay)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let line = server.logged("-song', ");
    let _ = browser.kill();
    let _ = browser.wait();
    assert!(line.contains("'/at-100-of-120-song'"), "{line}");
}

#[test]
fn a_listing_has_no_script_and_its_policy_allows_none() {
    let server = media();
    let response = server.get("/");
    assert!(!response.text().contains("<script"));
    let policy = response.field("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("script-src"));
}
