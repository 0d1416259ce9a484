//! The forms of a listing that change files, by curl and in a browser.

use std::fs;
use std::process::Command;

use serde_json::json;

use super::devtools::Browser;
use super::server::Server;

/// Sends a form by curl. Returns the status, the location and the text.
pub(super) fn form(
    server: &Server,
    path: &str,
    fields: &[&str],
    form: &[&str],
) -> (u16, String, String) {
    let mut command = Command::new("curl");
    command.args(["-sS", "-w", "\n%{http_code} %header{location}"]);
    for field in fields {
        command.args(["-H", field]);
    }
    for pair in form {
        command.args(["--data-urlencode", pair]);
    }
    let url = format!("http://{}{path}?change", server.address);
    let output = command.arg(url).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (text, last) = text.rsplit_once('\n').unwrap();
    let (status, location) = last.split_once(' ').unwrap();
    (
        status.parse().unwrap(),
        location.to_owned(),
        text.to_owned(),
    )
}

#[test]
fn forms_make_rename_and_delete_and_lead_back_to_the_listing() {
    let server = Server::start(&["--writable"]);
    let root = server.path();
    let change = |path: &str, pairs: &[&str]| {
        let (status, location, text) = form(&server, path, &[], pairs);
        assert_eq!((status, &*location), (303, "./"), "{pairs:?}: {text}");
    };
    change("/", &["new-folder=100% new"]);
    assert!(root.join("100% new").is_dir());
    change("/100%25%20new/", &["new-folder=in\u{e9}"]);
    assert!(root.join("100% new/in\u{e9}").is_dir());
    change("/", &["file=100%25%20new", "to=old"]);
    assert!(root.join("old/in\u{e9}").is_dir() && !root.join("100% new").exists());
    change("/", &["file=hello.txt", "to=a \"b\" & c"]);
    assert_eq!(
        fs::read_to_string(root.join("a \"b\" & c")).unwrap(),
        "hello\n"
    );
    change("/", &["delete=a%20%22b%22%20%26%20c"]);
    assert!(!root.join("a \"b\" & c").exists());
    change("/old/", &["delete=in%C3%A9"]);
    change("/", &["delete=old"]);
    assert_eq!(fs::read_dir(root).unwrap().count(), 0);
}

#[test]
fn a_change_that_cannot_be_made_says_why_and_changes_nothing() {
    let server = Server::start(&["--writable", "--cgi-interpreter", "/apps/*=python3"]);
    let root = server.path();
    for folder in ["full", "mixed/.git", "cgi-bin", "tools"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    for file in ["full/a", "other", ".secret", "cgi-bin/run", "tools/x"] {
        fs::write(root.join(file), "as it was").unwrap();
    }
    for (pairs, status, why) in [
        (&["delete=full"][..], 409, "not empty"),
        (&["delete=missing"], 404, "nothing at this place"),
        (&["delete=.secret"], 403, "may not be written"),
        (&["delete=cgi-bin"], 403, "may not be written"),
        (&["new-folder=full"], 409, "of this name already"),
        (&["new-folder=.hidden"], 403, "may not be written"),
        (&["new-folder=../up"], 400, "each with a name"),
        (&["new-folder=.."], 400, "each with a name"),
        (&["file=hello.txt", "to=other"], 409, "of this name already"),
        (&["file=hello.txt", "to=full"], 409, "of this name already"),
        (&["file=hello.txt", "to=.hidden"], 403, "may not be written"),
        (&["file=hello.txt", "to=full/b"], 400, "each with a name"),
        (&["file=.secret", "to=open"], 403, "may not be written"),
        (&["file=cgi-bin", "to=open"], 403, "may not be written"),
        (&["file=full", "to=cgi-bin"], 403, "may not be written"),
        // The new name would make a program of each file in it.
        (&["file=tools", "to=apps"], 403, "may not be written"),
        // It contains a hidden folder.
        (&["file=mixed", "to=open"], 403, "may not be written"),
        (&["file=missing", "to=b"], 404, "nothing at this place"),
        (&["nonsense=1"], 400, "neither new-folder"),
        (&[], 400, "neither new-folder"),
    ] {
        let pairs = if pairs.is_empty() { &["="][..] } else { pairs };
        let (got, _, text) = form(&server, "/", &[], pairs);
        assert_eq!(got, status, "{pairs:?}: {text}");
        assert!(text.contains(why), "{pairs:?}: {text}");
    }
    let long = format!("new-folder={}", "a".repeat(20_000));
    assert_eq!(form(&server, "/", &[], &[&long]).0, 413);
    assert_eq!(
        form(&server, "/", &[], &[&long[..400]]).0,
        400,
        "too long a name"
    );
    let mut found: Vec<_> = fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    let expected = [
        ".secret",
        "cgi-bin",
        "full",
        "hello.txt",
        "mixed",
        "other",
        "tools",
    ];
    assert_eq!(found, expected);
    server.assert_well();
}

/// A new name for the folder must not make a program of a file that is still on its way.
#[test]
fn an_upload_ends_only_where_it_has_begun() {
    for hidden in [&[][..], &["--hidden"]] {
        let options = ["--writable", "--cgi-interpreter", "/apps/*=python3"];
        let server = Server::start(&[&options[..], hidden].concat());
        let change = |pairs: &[&str], expected: u16| {
            let (status, _, text) = form(&server, "/", &[], pairs);
            assert_eq!(status, expected, "{pairs:?}: {text}");
        };
        let head = "HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\nExpect: 100-continue\r\n\r\n";
        change(&["new-folder=tools"], 303);
        let mut client = server.connect();
        client.send(format!("PUT /tools/x {head}"));
        assert_eq!(client.head().status, 100);
        client.send("prin");
        change(&["file=tools", "to=apps"], 303);
        client.send("t(1)");
        let refused = client.response(false);
        assert_eq!(refused.status, 409, "{}", refused.text());
        assert!(refused.text().contains("does not exist"));
        let left = fs::read_dir(server.path().join("apps")).unwrap();
        assert_eq!(left.count(), 0, "nothing is left");
        assert_eq!(server.get("/apps/x").status, 404);

        // A folder that stays is no problem.
        change(&["new-folder=tools"], 303);
        client.send(format!("PUT /tools/x {head}"));
        assert_eq!(client.head().status, 100);
        client.send("print(1)");
        assert_eq!(client.response(false).status, 201);
    }
}

#[test]
fn a_page_of_another_site_changes_nothing() {
    let server = Server::start(&["--writable"]);
    let own = format!("Origin: http://{}", server.address);
    for field in [
        "Origin: http://evil.example",
        "Origin: null",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
    ] {
        let (status, _, text) = form(&server, "/", &[field], &["new-folder=x"]);
        assert_eq!(status, 403, "{field}");
        assert!(text.contains("a page of another site"), "{text}");
        for (method, body) in [("PUT", "Content-Length: 0\r\n"), ("DELETE", "")] {
            let response = server.ask_with(method, "/hello.txt", &format!("{field}\r\n{body}"));
            assert_eq!(response.status, 403, "{method} {field}");
        }
    }
    assert_eq!(
        fs::read_to_string(server.path().join("hello.txt")).unwrap(),
        "hello\n"
    );
    for field in [&*own, "Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: none"] {
        let name = format!("new-folder={}", field.len());
        assert_eq!(form(&server, "/", &[field], &[&name]).0, 303, "{field}");
    }
}

#[test]
fn without_writable_there_are_no_forms_and_no_changes() {
    let server = Server::start(&[]);
    assert!(!server.get("/").text().contains("method=\"post\""));
    assert_eq!(form(&server, "/", &[], &["new-folder=x"]).0, 405);
    assert!(!server.path().join("x").exists());
}

/// The policy allows the script of the page, and no other.
#[test]
fn the_digest_of_the_script_is_in_the_policy() {
    let server = Server::start(&["--writable"]);
    let page = server.get("/");
    let script = page.text();
    let script = script.split_once("<script>").unwrap().1;
    let script = script.split_once("</script>").unwrap().0;
    let file = server.path().join("script");
    fs::write(&file, script).unwrap();
    let program = "import base64, hashlib, sys; \
                   print(base64.b64encode(hashlib.sha256(open(sys.argv[1], 'rb').read()).digest()).decode())";
    let output = Command::new("python3")
        .args(["-c", program])
        .arg(&file)
        .output()
        .unwrap();
    let digest = String::from_utf8(output.stdout).unwrap();
    let policy = page.field("content-security-policy").unwrap();
    let expected = format!("script-src 'sha256-{}'", digest.trim());
    assert!(policy.contains(&expected), "{policy} lacks {expected}");
}

#[test]
fn a_browser_uploads_what_is_chosen_and_what_is_dropped() {
    let server = Server::start(&["--writable"]);
    let chosen = tempfile::tempdir().unwrap();
    let song = chosen.path().join("a song #1.txt");
    fs::write(&song, "la ".repeat(100_000)).unwrap();
    let mut browser = Browser::open((1280, 900));
    let address = format!("http://{}/", server.address);
    browser.go(&address);
    browser.wait_for("document.querySelector('#upload:not([hidden]) input')");

    let document = browser.call("DOM.getDocument", json!({}));
    let root = document["root"]["nodeId"].clone();
    let query = json!({"nodeId": root, "selector": "#upload input"});
    let input = browser.call("DOM.querySelector", query)["nodeId"].clone();
    browser.call(
        "DOM.setFileInputFiles",
        json!({"files": [song], "nodeId": input}),
    );
    browser.wait_for("document.querySelector('a[href=\"a%20song%20%231.txt\"]')");
    let uploaded = fs::read_to_string(server.path().join("a song #1.txt")).unwrap();
    assert_eq!(uploaded, "la ".repeat(100_000));

    // Two are dropped, and one of them is there: it is replaced only after a question.
    let drop = "const files = new DataTransfer();
        files.items.add(new File(['new'], 'hello.txt'));
        files.items.add(new File(['dropped'], 'other.txt'));
        dispatchEvent(new DragEvent('drop', {dataTransfer: files, cancelable: true}))";
    browser.wait_for("document.querySelector('#upload:not([hidden]) input')");
    browser.value(drop);
    browser.wait_for("document.querySelector('#transfers button')");
    browser.wait_for(
        "[...document.querySelectorAll('#transfers span')].some(s => s.textContent === 'uploaded')",
    );
    let text = |name: &str| fs::read_to_string(server.path().join(name)).unwrap();
    assert_eq!(
        (&*text("hello.txt"), &*text("other.txt")),
        ("hello\n", "dropped")
    );
    browser.value("document.querySelector('#transfers button').click()");
    browser.wait_for("!document.querySelector('#transfers li') && document.querySelector('a[href=\"other.txt\"]')");
    assert_eq!(text("hello.txt"), "new");

    // The forms of a row work too.
    browser.value(
        "const row = document.querySelector('[name=delete][value=\"hello.txt\"]'); row.click()",
    );
    browser.wait_for(
        "document.querySelector('#upload') && !document.querySelector('a[href=\"hello.txt\"]')",
    );
    assert!(!server.path().join("hello.txt").exists());
    browser.be_phone();
    browser.go(&address);
    browser.wait_for("document.documentElement.scrollWidth <= 390");
}

#[test]
fn an_upload_that_fails_says_why() {
    let server = Server::start(&["--writable", "--max-body", "10"]);
    let mut browser = Browser::open((1280, 900));
    browser.go(&format!("http://{}/", server.address));
    browser.wait_for("document.querySelector('#upload:not([hidden]) input')");
    let drop = "const files = new DataTransfer();
        files.items.add(new File(['more than ten bytes'], 'large.txt'));
        dispatchEvent(new DragEvent('drop', {dataTransfer: files, cancelable: true}))";
    browser.value(drop);
    browser.wait_for("document.querySelector('#transfers [role=alert]')");
    let said = browser.value("document.querySelector('#transfers [role=alert]').textContent");
    assert!(
        said.as_str().unwrap().starts_with("not uploaded: "),
        "{said}"
    );
    assert!(!server.path().join("large.txt").exists());
}
