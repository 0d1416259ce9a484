//! The rules of the architecture, held against the source.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// Every Rust file below a folder of the project, with its text up to its tests.
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

#[test]
fn protocol_files_do_no_io() {
    // These put the protocol and the world together.
    let worldly = [
        "server.rs",
        "connection.rs",
        "connections.rs",
        "hand_over.rs",
        "write.rs",
        "message.rs",
    ]
    .map(|name| format!("components/http/{name}"));
    let mut protocol = sources("components/http");
    protocol.retain(|(path, _)| !worldly.contains(path) && !path.contains("/tests"));
    assert!(protocol.len() > 20);
    let forbidden = [
        "std::fs",
        "TcpStream",
        "TcpListener",
        "tokio::",
        "rustix::",
        "io::Read",
        "io::Write",
        "std::process",
    ];
    none_mentions(&protocol, &forbidden);
}

#[test]
fn no_file_is_pulled_in_from_elsewhere_and_nothing_is_unsafe() {
    for folder in ["src", "components", "recipes", "tools", "derive"] {
        none_mentions(&sources(folder), &["#[path", "unsafe "]);
    }
}

/// A component that nobody can find is written again.
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
