//! The tables of options in `docs/src/server.md` are written by this test, from the options
//! themselves.

use std::fs;
use std::path::Path;

use clap::{Arg, ArgAction};

use super::options::Options;

const BEGIN: &str = "<!-- The options: written by a test. -->\n";
const END: &str = "<!-- The end of the options. -->\n";

#[test]
fn the_docs_have_every_option() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src/server.md");
    let text = fs::read_to_string(&page).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (shown, after) = rest.split_once(END).unwrap();
    let tables = tables();
    if shown != tables {
        fs::write(&page, format!("{before}{BEGIN}{tables}{END}{after}")).unwrap();
        panic!(
            "the options have changed: docs/src/server.md was written anew, look at it and commit it"
        );
    }
}

/// A table for each group, in the order of `--help`.
fn tables() -> String {
    let definition = Options::definition();
    let options = definition
        .get_arguments()
        .filter(|option| !option.is_hide_set());
    let options: Vec<_> = options.collect();
    let mut groups: Vec<&str> = Vec::new();
    for option in &options {
        let group = option.get_help_heading().unwrap_or("Options");
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    let mut text = String::new();
    for group in groups {
        text += &format!("\n**{group}**\n\n| option | meaning |\n|---|---|\n");
        let of_group = |option: &&&Arg| option.get_help_heading().unwrap_or("Options") == group;
        for option in options.iter().filter(of_group) {
            text += &row(option);
        }
    }
    text + "\n"
}

fn row(option: &Arg) -> String {
    let mut names = Vec::new();
    names.extend(option.get_short().map(|short| format!("-{short}")));
    names.extend(option.get_long().map(|long| format!("--{long}")));
    let mut name = names.join(", ");
    if option.get_action().takes_values()
        && let Some([value]) = option.get_value_names()
    {
        let space = if name.is_empty() { "" } else { " " };
        name = format!("{name}{space}{value}");
    }
    let mut help = option.get_help().unwrap_or_default().to_string();
    if matches!(option.get_action(), ArgAction::Append) {
        help += "; may be given several times";
    }
    let escape = |text: &str| text.replace('|', "\\|");
    format!("| `{}` | {} |\n", escape(&name), escape(&help))
}
