//! Names and passwords: `--auth`.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::server::Server;

/// The password "open sesame", hashed with bcrypt.
const BCRYPT: &str = "$2y$04$wn9XSjpzHGj3UcudfwRSOeLyAIEeEn1aYdxcRJxpfUbo6g9TWbHAC";

/// The password "open sesame", hashed with Argon2id.
const ARGON2: &str =
    "$argon2id$v=19$m=8,t=1,p=1$HkzmI4fw1H7L1xkcBmge9w$qveznZfkFTWIGcWAqtzs85Ew1KmC362CTM38yKCiwD8";

fn status(server: &Server, path: &str, credentials: Option<&str>) -> u16 {
    let fields = credentials.map_or(String::new(), |credentials| {
        let encoded = BASE64_STANDARD.encode(credentials);
        format!("Authorization: Basic {encoded}\r\n")
    });
    server.ask_with("GET", path, &fields).status
}

#[test]
fn a_site_with_users_is_for_those_alone() {
    let (ada, bob) = (format!("ada:{BCRYPT}"), format!("bob:{ARGON2}"));
    let server = Server::start(&["--auth", &ada, "--auth", &bob]);
    for (credentials, expected) in [
        (None, 401),
        (Some("ada:open sesame"), 200),
        (Some("ada:open sesame"), 200),
        (Some("bob:open sesame"), 200),
        (Some("ada:open sesamE"), 401),
        (Some("ada:"), 401),
        (Some("ada"), 401),
        (Some("eve:open sesame"), 401),
        (Some(":open sesame"), 401),
    ] {
        assert_eq!(
            status(&server, "/hello.txt", credentials),
            expected,
            "{credentials:?}"
        );
        assert_eq!(
            status(&server, "/", credentials),
            expected,
            "{credentials:?}"
        );
    }
    let refused = server.get("/hello.txt");
    // RFC 9110, 11.6.1: "A server generating a 401 (Unauthorized) response MUST send a
    // WWW-Authenticate header field".
    let challenge = refused.field("www-authenticate").unwrap();
    assert!(challenge.starts_with("Basic realm="), "{challenge}");
    for fields in [
        "Authorization: Bearer x\r\n",
        "Authorization: Basic %%%\r\n",
    ] {
        assert_eq!(server.ask_with("GET", "/hello.txt", fields).status, 401);
    }
}

#[test]
fn a_path_has_users_of_its_own() {
    let toml = format!("auth = [\"/drafts/=ada:{BCRYPT}\"]\nwritable = false\n");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.toml");
    std::fs::write(&file, toml).unwrap();
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("drafts")).unwrap();
    for name in ["hello.txt", "drafts/a.txt"] {
        std::fs::write(root.path().join(name), "hello\n").unwrap();
    }
    let server = Server::start_in(root, &["-c", file.to_str().unwrap()]);
    assert_eq!(status(&server, "/hello.txt", None), 200);
    for path in [
        "/drafts/a.txt",
        "/%64rafts/a.txt",
        "/drafts/",
        "/drafts",
        "//drafts/a.txt",
    ] {
        assert_eq!(status(&server, path, None), 401, "{path}");
    }
    assert_eq!(
        status(&server, "/drafts/a.txt", Some("ada:open sesame")),
        200
    );
}
