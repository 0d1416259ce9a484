//! The media type of a file, by its name, and by its first bytes if the name is ambiguous.

mod media_types;

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use mime_guess::mime;

use media_types::media_type_of;

/// The `Content-Type` of a file: from the site's options by extension, else from our table, else
/// from `mime_guess`, with the character set of our text files.
pub(super) fn content_type(path: &Path, own: &HashMap<String, String>) -> String {
    let extension = extension(path);
    if let Some(own) = extension.as_ref().and_then(|extension| own.get(extension)) {
        return own.clone();
    }
    // A Go module, not a tracker module.
    let is_of_go = path.file_name().is_some_and(|name| name == "go.mod");
    let ours = match extension.as_deref() {
        _ if is_of_go => Some("text/plain"),
        extension => extension.and_then(media_type_of),
    };
    let guess = match ours.and_then(|ours| ours.parse().ok()) {
        Some(ours) => ours,
        None => mime_guess::from_path(path).first_or_octet_stream(),
    };
    let is_text = guess.type_() == mime::TEXT
        || matches!(guess.subtype().as_str(), "javascript" | "json" | "xml")
        || guess.suffix() == Some(mime::XML);
    if is_text && guess.get_param(mime::CHARSET).is_none() {
        format!("{}; charset=utf-8", guess.essence_str())
    } else {
        guess.to_string()
    }
}

/// Whether the media type depends on the content of the file: TypeScript and MPEG transport streams
/// share these extensions.
pub(super) fn depends_on_content(path: &Path, own: &HashMap<String, String>) -> bool {
    extension(path).is_some_and(|extension| {
        matches!(&*extension, "ts" | "mts") && !own.contains_key(&extension)
    })
}

/// The media type of a file that [depends on its content](depends_on_content), if it differs from
/// that of its name. Reads the file: do not call it on a worker.
pub(super) fn by_content(file: &File) -> Option<&'static str> {
    // Each packet of a transport stream begins with this byte (ISO/IEC 13818-1). The files of
    // cameras have a time code of 4 bytes before it.
    const SYNC: u8 = 0x47;
    const PACKETS: [(usize, usize); 2] = [(0, 188), (4, 196)];
    let mut start = [0; 197];
    file.read_exact_at(&mut start, 0).ok()?;
    let begins = |(first, second): (usize, usize)| start[first] == SYNC && start[second] == SYNC;
    let is_text = !start.iter().any(|byte| matches!(byte, 0..=8 | 0x7f..));
    (!is_text && PACKETS.into_iter().any(begins)).then_some("video/mp2t")
}

/// The extension in lower case.
fn extension(path: &Path) -> Option<String> {
    let extension = path.extension()?.to_string_lossy();
    Some(extension.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_site_has_the_last_word() {
        let own = HashMap::from([("txt".to_owned(), "text/x-own".to_owned())]);
        for (name, expected) in [
            ("a.txt", "text/x-own"),
            ("a.TXT", "text/x-own"),
            ("a.png", "image/png"),
        ] {
            assert_eq!(content_type(Path::new(name), &own), expected);
        }
    }

    #[test]
    fn text_says_its_character_set() {
        for (name, expected) in [
            ("index.html", "text/html; charset=utf-8"),
            ("a.txt", "text/plain; charset=utf-8"),
            ("a.css", "text/css; charset=utf-8"),
            ("a.js", "text/javascript; charset=utf-8"),
            ("a.svg", "image/svg+xml; charset=utf-8"),
            ("a.png", "image/png"),
            ("a.ogg", "audio/ogg"),
            ("README", "application/octet-stream"),
        ] {
            assert_eq!(
                content_type(Path::new(name), &HashMap::new()),
                expected,
                "{name}"
            );
        }
    }

    /// The types of the freedesktop database for each extension, highest weight first.
    fn freedesktop() -> HashMap<String, Vec<String>> {
        let globs = std::fs::read_to_string("/usr/share/mime/globs2")
            .expect("the package shared-mime-info is installed: make test does that");
        let mut types: HashMap<String, Vec<String>> = HashMap::new();
        for line in globs.lines().filter(|line| !line.starts_with('#')) {
            let parts: Vec<_> = line.split(':').collect();
            let Some(extension) = parts[2].strip_prefix("*.") else {
                continue;
            };
            if !extension.contains(['*', '?', '[', '.']) {
                let types = types.entry(extension.to_lowercase()).or_default();
                types.push(parts[1].to_lowercase());
            }
        }
        types
    }

    /// How a browser handles a type: it plays audio, for example, and saves files for programs.
    fn kind(media_type: &str) -> &str {
        match media_type.split(['/', ';']).next() {
            Some(kind @ ("audio" | "video" | "image" | "font" | "text" | "model")) => kind,
            _ => "application",
        }
    }

    #[test]
    fn no_type_is_of_another_kind_than_in_the_freedesktop_database() {
        // Deliberate differences: RFC 9239 has JavaScript as text. Scripts are shown and not saved.
        // Some extensions belong to two formats: ours is that of IANA or the more common one. Some
        // types are needed for a browser to play the file.
        const ON_PURPOSE: &str = "es js jsm mjs awk pl pm rb sh mml xml xsd \
            bdm dcr eps fig gbr ins me ms mpp mts sc slk vb wsc asf wmx wvx";
        let on_purpose: Vec<_> = ON_PURPOSE.split_whitespace().collect();
        let mut wrong = Vec::new();
        for (extension, known) in freedesktop() {
            let ours = content_type(Path::new(&format!("a.{extension}")), &HashMap::new());
            let ours = ours.split(';').next().unwrap();
            let is_same = known.iter().any(|known| kind(known) == kind(ours));
            let is_unknown = ours == "application/octet-stream";
            if !is_same && !is_unknown && !on_purpose.contains(&&*extension) {
                wrong.push(format!("{extension}: {ours}, and not {known:?}"));
            }
        }
        wrong.sort();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn what_was_reported_has_its_right_type() {
        for (name, expected) in [
            ("x.rpm", "application/x-rpm"),
            ("x.deb", "application/vnd.debian.binary-package"),
            ("x.ts", "text/plain; charset=utf-8"),
            ("x.mts", "text/plain; charset=utf-8"),
            ("x.TSX", "text/plain; charset=utf-8"),
            ("x.m2ts", "video/mp2t"),
            ("go.mod", "text/plain; charset=utf-8"),
            ("x.mjs", "text/javascript; charset=utf-8"),
            ("x.wasm", "application/wasm"),
            ("x.webmanifest", "application/manifest+json"),
            ("x.avif", "image/avif"),
            ("x.heic", "image/heic"),
            ("x.otf", "font/otf"),
            ("x.m3u8", "application/vnd.apple.mpegurl"),
            ("x.stl", "model/stl"),
            ("x.svgz", "image/svg+xml; charset=utf-8"),
            ("x.smi", "application/smil+xml; charset=utf-8"),
            ("x.java", "text/plain; charset=utf-8"),
            ("x.yaml", "application/yaml"),
        ] {
            assert_eq!(
                content_type(Path::new(name), &HashMap::new()),
                expected,
                "{name}"
            );
        }
    }

    #[test]
    fn a_transport_stream_is_told_from_typescript_by_its_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.ts");
        let mut stream = vec![0; 376];
        (stream[0], stream[188]) = (0x47, 0x47);
        let mut of_a_camera = vec![0; 400];
        (of_a_camera[4], of_a_camera[196]) = (0x47, 0x47);
        for (content, expected) in [
            (&stream[..], Some("video/mp2t")),
            (&of_a_camera, Some("video/mp2t")),
            (b"", None),
            (b"G", None),
            ("GET ".repeat(100).as_bytes(), None),
            ("export const a = 1;\n".repeat(20).as_bytes(), None),
        ] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(by_content(&File::open(&path).unwrap()), expected);
        }
        let own = HashMap::from([("ts".to_owned(), "video/mp2t".to_owned())]);
        assert!(!depends_on_content(&path, &own));
        assert!(depends_on_content(&path, &HashMap::new()));
    }

    #[test]
    fn the_table_is_in_order() {
        assert_eq!(media_type_of("7z"), Some("application/x-7z-compressed"));
        assert_eq!(media_type_of("zst"), Some("application/zstd"));
        assert_eq!(media_type_of("rpm"), Some("application/x-rpm"));
        assert_eq!(media_type_of("html"), None);
    }
}
