//! Programs whose standard output or standard error is closed (`>&-`): a status and a line, and no
//! silent success.

use std::process::{Command, Output, Stdio};

const KAMEA: &str = env!("CARGO_BIN_EXE_kamea");

/// Runs a program in a shell with a redirection.
fn run(program: &str, arguments: &[&str], redirection: &str) -> Output {
    let script = format!("exec \"$0\" \"$@\" {redirection}");
    let mut shell = Command::new("sh");
    shell.args(["-c", &script, program]).args(arguments);
    shell.stdin(Stdio::null()).output().unwrap()
}

fn programs() -> Vec<(String, &'static [&'static str])> {
    let recipe = |name| super::cookbook::program(name).to_str().unwrap().to_owned();
    let (kamea, spidey) = (KAMEA.to_owned(), env!("CARGO_BIN_EXE_spidey").to_owned());
    vec![
        (kamea.clone(), &["list"]),
        (kamea.clone(), &["console_reader => console_echoer"]),
        (kamea, &["--help"]),
        (spidey.clone(), &["-p", "0", "-d", "."]),
        (spidey, &["--check"]),
        (recipe("upper_case"), &[]),
        (recipe("word_count"), &["Cargo.toml"]),
        (recipe("static_site"), &["127.0.0.1:0"]),
    ]
}

#[test]
fn a_closed_output_is_status_1_and_a_line() {
    for (program, arguments) in programs() {
        let output = run(&program, arguments, ">&-");
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            output.status.code(),
            Some(1),
            "{program} {arguments:?}: {error}"
        );
        assert_eq!(error.lines().count(), 1, "{program} {arguments:?}: {error}");
        let expected = "standard output is closed: redirect it, to /dev/null if you do not need it";
        assert!(error.contains(expected), "{program} {arguments:?}: {error}");
    }
}

#[test]
fn a_closed_error_stream_is_status_1_and_a_line_of_output() {
    for (program, arguments) in programs() {
        let output = run(&program, arguments, "2>&-");
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(
            output.status.code(),
            Some(1),
            "{program} {arguments:?}: {text}"
        );
        let expected =
            "error: standard error is closed: redirect it, to /dev/null if you do not need it\n";
        assert_eq!(text, expected, "{program} {arguments:?}");
    }
}

/// A stream that leads to `/dev/null`, in whichever way it was opened, is open.
#[test]
fn output_that_nobody_needs_is_a_success() {
    for redirection in [">/dev/null", "1<>/dev/null 2<>/dev/null", "<&-"] {
        let output = run(KAMEA, &["list"], redirection);
        assert!(output.status.success(), "{redirection}: {output:?}");
    }
}
