//! Nothing outside the document root is ever served.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::process::Command;

use super::server::Server;

const SECRET: &str = "the secret outside";

#[test]
fn no_path_leads_out() {
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("secret.txt");
    fs::write(&secret, SECRET).unwrap();
    let server = Server::start(&[]);
    let root = server.path();
    fs::create_dir(root.join("sub")).unwrap();
    fs::write(root.join("sub/.hidden"), SECRET).unwrap();
    symlink(&secret, root.join("absolute")).unwrap();
    symlink(outside.path(), root.join("folder")).unwrap();
    symlink("absolute", root.join("chain")).unwrap();
    symlink("../..", root.join("sub/up")).unwrap();
    symlink("/", root.join("slash")).unwrap();
    symlink("/proc/self/root", root.join("magic")).unwrap();
    symlink("/proc/self/cwd", root.join("cwd")).unwrap();
    symlink("loop", root.join("loop")).unwrap();
    symlink("/dev/zero", root.join("zero")).unwrap();
    assert!(
        Command::new("mkfifo")
            .arg(root.join("fifo"))
            .status()
            .unwrap()
            .success()
    );
    let _socket = UnixListener::bind(root.join("socket")).unwrap();

    let beneath = secret.strip_prefix("/").unwrap().display().to_string();
    let mut paths: Vec<String> = [
        "/..",
        "/../",
        "/../secret.txt",
        "/../../etc/passwd",
        "/sub/../../etc/passwd",
        "/./hello.txt",
        "/sub/..",
        "/sub/.",
        "/%2e%2e/etc/passwd",
        "/%2E%2E/etc/passwd",
        "/.%2e/etc/passwd",
        "/%2e./etc/passwd",
        "/..%2fetc/passwd",
        "/..%2Fetc%2Fpasswd",
        "/%2e%2e%2fetc/passwd",
        "/%252e%252e/etc/passwd",
        "/..%5cetc",
        "/..\\etc",
        "/sub\\..\\..",
        "//etc/passwd",
        "///etc/passwd",
        "/sub//up",
        "//.hidden",
        "/sub//.hidden",
        "//sub///.hidden",
        "/%2fetc/passwd",
        "/hello.txt%00",
        "/hello.txt%00.html",
        "/%00",
        "/..%c0%af",
        "/%c0%ae%c0%ae/etc/passwd",
        "/%e0%80%ae%e0%80%ae/",
        "/..;/etc/passwd",
        "/~root/",
        "/absolute",
        "/folder/",
        "/folder/secret.txt",
        "/chain",
        "/sub/up/",
        "/slash/",
        "/slash/etc/passwd",
        "/magic/",
        "/magic/etc/passwd",
        "/cwd/",
        "/loop",
        "/zero",
        "/fifo",
        "/socket",
        "/sub/.hidden",
        "/.git/config",
        "/hello.txt/",
        "/hello.txt/x",
        "/file:///etc/passwd",
    ]
    .map(str::to_owned)
    .into();
    paths.push(format!("/slash/{beneath}"));
    paths.push(format!("/magic/{beneath}"));
    paths.push(format!("/{}", "a/".repeat(2000)));
    paths.push(format!("/{}", "a".repeat(300)));
    assert!(paths.len() >= 40);
    for path in paths {
        let response = server.get(&path);
        let is_refused = matches!(response.status, 400 | 403 | 404);
        assert!(is_refused, "{path}: {}", response.status);
        assert!(
            !response.text().contains(SECRET) && !response.text().contains("root:"),
            "{path}"
        );
        server.assert_well();
    }
}

#[test]
fn a_link_that_stays_inside_is_followed() {
    let server = Server::start(&[]);
    symlink("hello.txt", server.path().join("link.txt")).unwrap();
    assert_eq!(server.get("/link.txt").text(), "hello\n");
}
