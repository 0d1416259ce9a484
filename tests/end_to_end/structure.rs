//! The rules of the architecture, checked against the source.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// Returns every Rust file below a folder of the project, with its text up to its tests.
fn sources(folder: &str) -> Vec<(String, String)> {
    let (mut found, mut folders) = (Vec::new(), vec![root().join(folder)]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]").next().unwrap_or_default();
                let code = code
                    .lines()
                    .filter(|line| !line.trim_start().starts_with("//"))
                    .collect::<Vec<_>>();
                let path = path.strip_prefix(root()).unwrap().display().to_string();
                found.push((path, code.join("\n")));
            }
        }
    }
    assert!(!found.is_empty(), "{folder}");
    found
}

fn is_test(path: &str) -> bool {
    path.contains("/tests") || path.ends_with("/testing.rs")
}

fn none_mentions(files: &[(String, String)], forbidden: &[&str]) {
    for (path, code) in files {
        for word in forbidden {
            assert!(!code.contains(word), "{path} mentions {word}");
        }
    }
}

#[test]
fn the_kernel_knows_no_protocol_no_socket_and_no_component() {
    let forbidden = [
        "kamea_components::",
        "kamea_recipes::",
        "kamea_tools::",
        "std::net",
        "tokio::net",
        "http::",
        "httparse",
        "std::fs",
    ];
    none_mentions(&sources("src"), &forbidden);
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let own = manifest
        .split("\n[dependencies]")
        .nth(1)
        .unwrap()
        .split("\n[")
        .next()
        .unwrap();
    for word in [
        "http",
        "rustix",
        "kamea-components",
        "hyper",
        "mio",
        "socket",
    ] {
        assert!(!own.contains(word), "the kernel depends on {word}");
    }
}

#[test]
fn components_know_no_recipe() {
    none_mentions(&sources("components"), &["kamea_recipes", "kamea_tools"]);
    assert!(
        !fs::read_to_string(root().join("components/Cargo.toml"))
            .unwrap()
            .contains("recipes")
    );
}

/// Folders whose files decode and encode. They use bytes, never a socket or a file.
const WITHOUT_IO: [&str; 9] = [
    "http",
    "coding",
    "websocket",
    "proxy/config",
    "proxy/fields",
    "proxy/plan",
    "proxy/policy",
    "proxy/proxy_protocol",
    "proxy/scripts",
];

#[test]
fn protocols_do_no_io() {
    let forbidden = [
        "std::fs",
        "std::net::Tcp",
        "TcpStream",
        "TcpListener",
        "tokio::net",
        "tokio::fs",
        "rustix::",
        "io::Read",
        "io::Write",
        "std::process",
        "unblock",
    ];
    for folder in WITHOUT_IO {
        let mut files = sources(&format!("components/{folder}"));
        files.retain(|(path, _)| !is_test(path));
        none_mentions(&files, &forbidden);
    }
}

/// The longest function of production code, in lines: it fits a screen.
const LONGEST: usize = 60;

/// The length of each function in formatted code: it ends where a brace closes at its indentation.
fn functions(code: &str) -> Vec<(String, usize)> {
    let lines: Vec<_> = code.lines().collect();
    let mut found = Vec::new();
    for (first, line) in lines.iter().enumerate() {
        let start = line.trim_start();
        let Some((before, after)) = start.split_once("fn ") else {
            continue;
        };
        let is_item = before.split_whitespace().all(|word| {
            word.starts_with("pub") || word.ends_with(')') || MODIFIERS.contains(&word)
        });
        let indentation = &line[..line.len() - start.len()];
        let end = format!("{indentation}}}");
        let rest = &lines[first..];
        let ends =
            |line: &&str| **line == end || (**line == *rest[0] && line.ends_with(['}', ';']));
        if is_item && let Some(last) = rest.iter().position(ends) {
            let name = after.split(['(', '<']).next().unwrap_or_default();
            found.push((name.to_owned(), last + 1));
        }
    }
    found
}

const MODIFIERS: [&str; 4] = ["async", "const", "unsafe", "extern"];

#[test]
fn every_function_fits_a_screen() {
    let long = format!(
        "    pub(in crate::a) async fn long(\n    ) {{\n{}    }}\n",
        "x\n".repeat(58)
    );
    let counted = functions(&format!(
        "fn short() {{}}\nfn none();\n{long}fn last() {{\n}}\n"
    ));
    let expected = [("short", 1), ("none", 1), ("long", 61), ("last", 2)];
    assert_eq!(
        counted,
        expected.map(|(name, length)| (name.to_owned(), length))
    );
    let folders = ["src", "derive", "components", "recipes", "tools"];
    for (path, code) in folders.into_iter().flat_map(sources) {
        // The rows of the contract are tests.
        if is_test(&path) || path.contains("_tests") || path.contains("components/contract/") {
            continue;
        }
        for (name, length) in functions(&code) {
            assert!(length <= LONGEST, "{path}: `{name}` has {length} lines");
        }
    }
}

/// Errors that are named by a word of their field, or of an RFC, instead.
const NAMED_OTHERWISE: [&str; 13] = [
    "ConnectionClosed",
    "Failure",
    "ForeignOrigin",
    "Incomplete",
    "InvalidCookie",
    "Malformed",
    "MalformedResponse",
    "Refusal",
    "Refused",
    "StreamClosed",
    "Violation",
    "WeakSecret",
    "WrongMessage",
];

#[test]
fn an_error_is_named_after_what_fails_and_its_kinds_may_become_more() {
    let folders = ["src", "components", "recipes", "tools"];
    let mut count = 0;
    for (path, code) in folders.into_iter().flat_map(sources) {
        for item in code.split("#[derive(").skip(1) {
            let Some((derived, rest)) = item.split_once(")]") else {
                continue;
            };
            let is_error = derived
                .split(',')
                .any(|name| name.trim().ends_with("Error"));
            let Some((attributes, declared)) = rest.split_once("pub ").filter(|_| is_error) else {
                continue;
            };
            let is_next = attributes
                .lines()
                .all(|line| line.is_empty() || line.starts_with("#["));
            let mut words = declared.split(|c: char| !c.is_alphanumeric());
            let (Some(kind @ ("enum" | "struct")), Some(name), true) =
                (words.next(), words.next(), is_next)
            else {
                continue;
            };
            count += 1;
            let is_named = name.ends_with("Error") || NAMED_OTHERWISE.contains(&name);
            assert!(is_named, "{path}: `{name}` should end in `Error`");
            let is_open = kind == "struct" || attributes.contains("#[non_exhaustive]");
            assert!(is_open, "{path}: `{name}` should be #[non_exhaustive]");
        }
    }
    assert!(count > 30, "{count} errors were found");
}

/// The architecture of `components/`: its folders from the bottom up, each with the folders that it
/// may import. Every import leads to a folder earlier in this table, so that there is no cycle.
const FOLDERS: [(&str, &[&str]); 21] = [
    // Plain messages.
    ("stream", &[]),
    ("chassis", &[]),
    ("console", &["stream"]),
    // The outside world.
    ("file", &[]),
    ("net", &["stream", "file"]),
    ("process", &["stream"]),
    // Between the socket and everything else.
    ("tls", &["net", "file"]),
    // Protocols without I/O.
    ("http", &[]),
    ("coding", &["http"]),
    ("websocket", &["net", "tls", "http"]),
    // The messages and parts of a web server.
    ("web", &["net", "file", "http", "coding"]),
    // The handlers of requests.
    (
        "documents",
        &["chassis", "file", "net", "http", "coding", "web"],
    ),
    ("gateway", &["net", "tls", "http", "websocket", "web"]),
    (
        "cgi",
        &["net", "process", "http", "web", "documents", "gateway"],
    ),
    (
        "wsgi",
        &[
            "stream", "chassis", "net", "process", "http", "web", "gateway",
        ],
    ),
    // Whole servers.
    (
        "server",
        &[
            "chassis",
            "net",
            "process",
            "tls",
            "http",
            "websocket",
            "web",
            "documents",
            "gateway",
            "cgi",
            "wsgi",
        ],
    ),
    // Around servers.
    (
        "inspect",
        &["chassis", "net", "tls", "http", "web", "gateway", "server"],
    ),
    ("load", &["stream", "chassis", "net", "http", "websocket"]),
    ("simulated", &["net", "process", "file"]),
    // The catalogue names every component.
    (
        "notation",
        &[
            "stream",
            "chassis",
            "console",
            "net",
            "process",
            "tls",
            "file",
            "http",
            "coding",
            "websocket",
            "web",
            "documents",
            "gateway",
            "cgi",
            "wsgi",
            "server",
            "inspect",
            "load",
        ],
    ),
    // The tests of every component.
    ("contract", &[]),
];

/// The limit for the rooms of a folder: modules, whether a file or a folder. With more, the folder
/// contains two subjects.
const MOST_ROOMS: usize = 20;

/// Returns what a file imports of this package: the folder of each `crate::` path, nested in braces
/// or not.
fn imported_folders(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for path in code.split("crate::").skip(1) {
        match path.strip_prefix('{') {
            Some(tree) => found.extend(first_names(tree)),
            None => found.extend(first_name(path)),
        }
    }
    found
}

fn first_name(path: &str) -> Option<String> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let name = path.split(|c| !is_part(c)).next()?;
    (!name.is_empty()).then(|| name.to_owned())
}

/// Returns the first name of each path of a tree of imports, up to the brace that ends it.
fn first_names(tree: &str) -> Vec<String> {
    let (mut depth, mut members) = (0, vec![String::new()]);
    for c in tree.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => members.push(String::new()),
            _ if depth == 0 => members.last_mut().unwrap().push(c),
            _ => {}
        }
    }
    members
        .iter()
        .filter_map(|path| first_name(path.trim()))
        .collect()
}

#[test]
fn imports_are_found_however_they_are_written() {
    let code = "use crate::net::{Socket, accept};\nuse crate::{web::{Body, Request}, file};\n\
                fn a(_: crate::http::Fields) -> $crate::stream::Batch {}";
    assert_eq!(
        imported_folders(code),
        ["net", "web", "file", "http", "stream"]
    );
}

#[test]
fn folders_of_components_import_only_those_below_them() {
    for (place, (folder, allowed)) in FOLDERS.iter().enumerate() {
        for import in *allowed {
            let below = FOLDERS[..place].iter().any(|(name, _)| name == import);
            assert!(below, "{folder} stands before {import} in the table");
        }
        if *folder == "contract" {
            continue;
        }
        for (path, code) in sources(&format!("components/{folder}")) {
            // It might lead to another folder.
            assert!(!code.contains("super::super::"), "{path} uses super::super");
            for import in imported_folders(&code) {
                let is_allowed = import == *folder || allowed.contains(&import.as_str());
                assert!(
                    is_allowed || is_test(&path),
                    "{path} imports {import}: {folder} may import {allowed:?} (see FOLDERS)"
                );
            }
        }
    }
    let known: Vec<_> = FOLDERS.iter().map(|(name, _)| *name).collect();
    let folders = fs::read_dir(root().join("components")).unwrap();
    let folders = folders.map(|entry| entry.unwrap().path());
    for folder in folders.filter(|path| path.is_dir() && !is_package(path)) {
        let name = folder.file_name().unwrap().to_str().unwrap();
        assert!(known.contains(&name), "{name} is not in the table");
    }
}

/// Whether a folder is a package of its own, such as `components/app`. Its manifest says what it
/// may use.
fn is_package(folder: &Path) -> bool {
    folder.join("Cargo.toml").exists()
}

/// Returns the rooms of a folder. A file and a folder of the same name are one.
fn rooms(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let rooms = entries.filter_map(|entry| {
        let path = entry.path();
        let is_folder = path.is_dir() && !is_package(&path);
        let is_room = is_folder || path.extension().is_some_and(|extension| extension == "rs");
        let name = path.file_stem()?.to_str()?.to_owned();
        let is_counted = !["lib", "mod", "tests", "testing"].contains(&name.as_str());
        (is_room && is_counted).then_some(name)
    });
    rooms.collect()
}

#[test]
fn no_folder_of_components_has_too_many_rooms() {
    let mut folders = vec![root().join("components")];
    while let Some(folder) = folders.pop() {
        let mut rooms = rooms(&folder);
        // A test of the package, and no part of it.
        rooms.remove("contract");
        let count = rooms.len();
        assert!(
            count <= MOST_ROOMS,
            "{} has {count} rooms: {rooms:?}",
            folder.display()
        );
        let below = fs::read_dir(&folder).unwrap();
        folders.extend(
            below
                .map(|entry| entry.unwrap().path())
                .filter(|path| path.is_dir()),
        );
    }
}

#[test]
fn no_file_is_pulled_in_from_elsewhere_and_nothing_is_unsafe() {
    for folder in ["src", "components", "recipes", "tools", "derive"] {
        none_mentions(&sources(folder), &["#[path", "unsafe "]);
    }
}

/// A component that nobody can find will be written again.
#[test]
fn the_guide_names_every_component_over_messages() {
    let guide = fs::read_to_string(root().join("docs/src/guide.md")).unwrap();
    let mut count = 0;
    for module in ["stream", "chassis"] {
        let list = root().join(format!("components/{module}/mod.rs"));
        let list = fs::read_to_string(list).unwrap();
        let exports = list.lines().filter(|line| line.starts_with("pub use "));
        for export in exports {
            let names = export.split("::").nth(1).unwrap();
            let words = names.split(|c: char| !c.is_alphanumeric() && c != '_');
            let is_function = |word: &&str| word.starts_with(|c: char| c.is_lowercase());
            for name in words.filter(is_function) {
                let shown = format!("`{name}`");
                assert!(
                    guide.contains(&shown),
                    "docs/src/guide.md lacks {shown} of {module}"
                );
                count += 1;
            }
        }
    }
    assert!(count > 30, "{count}");
}

/// The packages of a build, each with its features.
fn features(selection: &[&str]) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--prefix", "none", "-f", "{p} [{f}]"])
        .args(selection)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    // A line of "-e all" that only names a feature has no version.
    let lines = text
        .lines()
        .filter(|line| line.contains(" v") && line.contains('['));
    let lines = lines.map(|line| line.split(" (").next().unwrap().to_owned() + &brackets(line));
    lines.collect()
}

fn brackets(line: &str) -> String {
    let features = line.rsplit_once('[').unwrap().1;
    format!(" [{}", features.trim_end_matches(" (*)"))
}

/// The commands of the README rebuild nothing after `make test`: no test adds a feature to a crate.
#[test]
fn programs_and_tests_build_every_crate_with_the_same_features() {
    let programs = features(&[
        "-e",
        "normal,build",
        "-p",
        "kamea-recipes",
        "-p",
        "kamea-tools",
    ]);
    let tests = features(&["-e", "all", "--workspace", "--exclude", "kamea-benches"]);
    let differ: Vec<_> = programs.difference(&tests).collect();
    assert!(programs.len() > 50, "{programs:?}");
    assert!(
        differ.is_empty(),
        "a test asks for further features of these; the package of the programs should too: {differ:?}"
    );
}
