//! The recipes of web applications: every one is started, and the session of its chapter is run
//! against it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::cookbook::program;
use super::sessions::{assert_shows, is_like, root, sessions};

/// A recipe that runs in the root of the project.
pub(crate) struct Recipe {
    child: Child,
    pub(crate) address: String,
    /// What it has printed after its address.
    pub(crate) printed: Vec<String>,
}

impl Recipe {
    fn start(name: &str) -> Self {
        Self::start_with(name, &[], 0)
    }

    /// Starts it with further arguments, about which it prints so many lines.
    pub(crate) fn start_with(name: &str, arguments: &[&str], count: usize) -> Self {
        let mut child = Command::new(program(name))
            .arg("127.0.0.1:0")
            .args(arguments)
            .current_dir(root())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.next().unwrap().unwrap();
        let address = line.strip_prefix("Listening on http://").unwrap();
        let address = address.trim_end_matches('/').to_owned();
        let printed = lines.by_ref().take(count).map(Result::unwrap).collect();
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Self {
            child,
            address,
            printed,
        }
    }
}

impl Drop for Recipe {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The recipes are a package of their own, so that spidey does not build what they need. All examples
/// are built as tests/all.sh builds them: alone, these would need other features, and the components
/// would be built once more.
pub(crate) fn build() {
    let arguments = "build --offline -q --workspace --exclude kamea-benches --bins --examples";
    let built = Command::new(env!("CARGO"))
        .args(arguments.split(' '))
        .current_dir(root())
        .status()
        .unwrap();
    assert!(built.success());
}

fn recipes() -> Vec<String> {
    let files = fs::read_dir(root().join("recipes/app")).unwrap();
    let files = files.map(|entry| entry.unwrap().path());
    let programs = files.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    let stem = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let mut names: Vec<_> = programs.map(stem).filter(|name| name != "lib").collect();
    names.sort();
    names
}

#[test]
fn every_application_has_a_chapter_whose_session_goes_as_written() {
    build();
    let summary = fs::read_to_string(root().join("docs/src/SUMMARY.md")).unwrap();
    let names = recipes();
    assert!(names.len() >= 8, "{names:?}");
    for name in names {
        let chapter = format!("docs/src/app/{name}.md");
        let text = fs::read_to_string(root().join(&chapter)).unwrap();
        assert!(
            summary.contains(&format!("(app/{name}.md)")),
            "{name} is not in the book"
        );
        assert_shows(&text, &format!("recipes/app/{name}.rs"));
        let is_server = text.contains("localhost:8000");
        let recipe = is_server.then(|| Recipe::start(&format!("app_{name}")));
        let address = recipe
            .as_ref()
            .map_or("localhost:8000", |recipe| &recipe.address);
        let sessions = sessions(&text);
        assert!(!sessions.is_empty(), "{chapter} has no session");
        for (command, expected) in sessions {
            let run = format!("cargo run -q --example app_{name} --");
            let program = program(&format!("app_{name}")).display().to_string();
            let command = command
                .replace("localhost:8000", address)
                .replace(&run, &program);
            let output = Command::new("timeout")
                .args(["120", "bash", "-c", &command])
                .current_dir(root())
                .output()
                .unwrap();
            let printed = String::from_utf8_lossy(&output.stdout);
            assert!(
                is_like(&printed, &expected),
                "{chapter}: {command}\n{printed}"
            );
        }
    }
}

/// `cargo run` at the root builds none of what web applications need.
#[test]
fn the_first_command_builds_no_web_application() {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--offline",
            "-e",
            "normal,build",
            "--prefix",
            "none",
        ])
        .args([
            "-p",
            "kamea-recipes",
            "-p",
            "kamea-app-recipes",
            "-p",
            "kamea-tools",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    let tree = String::from_utf8(output.stdout).unwrap();
    assert!(tree.contains("kamea-components"), "{tree}");
    for package in [
        "kamea-app ",
        "kamea-session ",
        "matchit ",
        "schemars ",
        "cookie ",
    ] {
        assert!(
            !tree.lines().any(|line| line.starts_with(package)),
            "{package}: {tree}"
        );
    }
}
