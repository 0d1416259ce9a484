//! What programs say about values that are no numbers, ports or addresses.

use std::path::Path;
use std::process::Command;

/// Names of values that are numbers, addresses or times, in `--help`.
const NUMBERS: [&str; 14] = [
    "<N>",
    "<PORT>",
    "<IP>",
    "<ADDRESS>",
    "<COUNT>",
    "<REQUESTS>",
    "<PROCESSES>",
    "<THREADS>",
    "<CONNECTIONS>",
    "<SECONDS>",
    "<BYTES>",
    "<TIME>",
    "<NETWORK>",
    "<URL>",
];

/// What the standard library says, without a range or a form.
const BARE: [&str; 7] = [
    "invalid digit",
    "number too large",
    "would be zero",
    "cannot parse",
    "invalid IP address",
    "invalid socket address",
    "is not in ",
];

/// Gives each such option of a program a wrong value: the message is one line that names the option
/// and says what would be right. `arguments` stand before the option.
pub(crate) fn assert_says_what_is_wanted(program: impl AsRef<Path>, arguments: &[&str]) {
    let run = |more: &[&str]| {
        let output = Command::new(program.as_ref())
            .args(arguments)
            .args(more)
            .output();
        let output = output.unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
            said,
        )
    };
    let (_, help, _) = run(&["--help"]);
    let mut count = 0;
    for line in help.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        let option = words.iter().position(|word| word.starts_with("--"));
        let Some((option, value)) = option.and_then(|at| Some((words[at], *words.get(at + 1)?)))
        else {
            continue;
        };
        if !line.trim_start().starts_with('-') || !NUMBERS.contains(&value) {
            continue;
        }
        for wrong in ["!x", "-1", "99999999999999999999999"] {
            let argument = format!("{option}={wrong}");
            let (status, _, said) = run(&[&argument]);
            assert_eq!(status, Some(2), "{argument}: {said}");
            assert_eq!(said.lines().count(), 1, "{argument}: {said}");
            assert!(
                said.contains(option) && said.contains(wrong),
                "{argument}: {said}"
            );
            let is_bare = BARE.iter().any(|bare| said.contains(bare));
            assert!(!is_bare, "{argument}: {said}");
        }
        count += 1;
    }
    assert!(count > 1, "{}: {help}", program.as_ref().display());
}
