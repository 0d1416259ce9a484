//! Names and passwords: `--auth`.

use std::fs;
use std::os::unix::fs::symlink;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::archives::listed;
use super::changes::form;
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

/// A server with folders that only Ada may see: `/drafts/`, and `/public/new/`.
fn with_drafts(options: &[&str]) -> Server {
    let root = tempfile::tempdir().unwrap();
    for folder in ["drafts/old", "public/new", "open"] {
        fs::create_dir_all(root.path().join(folder)).unwrap();
    }
    for name in ["a.txt", "drafts/b.txt", "public/c.txt", "public/new/d.txt"] {
        fs::write(root.path().join(name), "hello\n").unwrap();
    }
    symlink("drafts", root.path().join("link")).unwrap();
    symlink(".", root.path().join("self")).unwrap();
    let (drafts, new) = (
        format!("/drafts/=ada:{BCRYPT}"),
        format!("/public/new=ada:{BCRYPT}"),
    );
    let mut all = vec!["--auth", &drafts, "--auth", &new];
    all.extend(options);
    Server::start_in(root, &all)
}

/// Credentials of Ada.
fn ada() -> String {
    format!(
        "Authorization: Basic {}",
        BASE64_STANDARD.encode("ada:open sesame")
    )
}

#[test]
fn an_archive_leaves_out_folders_below_that_need_a_password() {
    let server = with_drafts(&[]);
    for format in ["zip", "tar"] {
        for (path, expected) in [
            (
                "/",
                &[
                    "files/a.txt",
                    "files/open/",
                    "files/public/",
                    "files/public/c.txt",
                ][..],
            ),
            ("/public/", &["public/c.txt"]),
            ("/public//", &["public/c.txt"]),
            ("/self/public/", &["public/c.txt"]),
        ] {
            let response = server.get(&format!("{path}?download={format}"));
            assert_eq!(response.status, 200, "{path}");
            let found = listed(&response.body, format);
            let names: Vec<_> = found
                .lines()
                .filter_map(|line| line.split(' ').next())
                .collect();
            assert_eq!(names, expected, "{path}");
        }
        let path = format!("/drafts/?download={format}");
        assert_eq!(server.get(&path).status, 401);
        let response = server.ask_with("GET", &path, &format!("{}\r\n", ada()));
        let found = listed(&response.body, format);
        assert_eq!(found, "drafts/b.txt 6 b'hello\\n'\ndrafts/old/ folder\n");
    }
}

#[test]
fn forms_leave_folders_that_need_a_password_in_their_place() {
    let server = with_drafts(&["--writable"]);
    let root = server.path();
    let ada = ada();
    for (path, pairs) in [
        ("/", &["file=drafts", "to=other"][..]),
        ("/", &["file=public", "to=other"]),
        ("/", &["file=open", "to=drafts"]),
        ("/", &["delete=drafts"]),
        ("/", &["delete=public"]),
        ("/", &["new-folder=drafts"]),
        ("/public/", &["file=new", "to=other"]),
        ("/self/", &["file=drafts", "to=other"]),
        ("/self/public/", &["file=new", "to=other"]),
    ] {
        for fields in [&[][..], &[&*ada]] {
            let (status, _, text) = form(&server, path, fields, pairs);
            assert_eq!(status, 403, "{path} {pairs:?}: {text}");
            assert!(text.contains("is restricted"), "{path} {pairs:?}: {text}");
        }
    }
    fs::remove_dir_all(root.join("drafts")).unwrap();
    let (status, ..) = form(&server, "/", &[], &["file=open", "to=drafts"]);
    assert_eq!(status, 403, "also while it is missing");
    fs::create_dir_all(root.join("drafts/old")).unwrap();

    let inside = &["file=old", "to=older"];
    assert_eq!(form(&server, "/drafts/", &[], inside).0, 401);
    assert_eq!(form(&server, "/drafts/", &[&ada], inside).0, 303);
    assert!(root.join("drafts/older").is_dir());
    for (path, pairs) in [
        ("/", &["file=open", "to=opened"][..]),
        ("/public/", &["new-folder=newer"]),
    ] {
        let (status, _, text) = form(&server, path, &[], pairs);
        assert_eq!(status, 303, "{path} {pairs:?}: {text}");
    }
    assert!(root.join("public/new/d.txt").is_file());
}
