//! The contents of the catalogue, and the messages of the checks.

use std::fs;
use std::path::Path;

use kamea::Graph;
use kamea::testing::block_on;

use super::parameter::{Given, ParameterInfo, Text};
use super::syntax::Spanned;
use super::*;

fn mistake(text: &str) -> String {
    match Catalogue::shipped().read(text) {
        Ok(draft) => format!("no mistake:\n{draft}"),
        Err(mistake) => mistake.show("", text),
    }
}

#[test]
fn mistakes_are_named_and_marked_before_anything_runs() {
    let mut wrong = String::new();
    for expected in [
        // Names.
        "\
error: column 1: there is no component `read_flie`
    read_flie x => console_echoer
    ^^^^^^^^^
    near it: read_file",
        "\
error: column 1: there is no component `parse`
    parse => null_sink
    ^^^^^
    near it: load.parse_messages, load.parse_responses, web.parse",
        "\
error: column 16: there is no component `zzzz`
    read_file x => zzzz
                   ^^^^",
        "\
error: column 15: `net.write` can only be made by a program: it needs the socket of a connection
    one_shot x => net.write
                  ^^^^^^^^^",
        "\
error: column 28: there is a component `a` already
    a = one_shot x; b = lines; a = lines
                               ^",
        "\
error: column 14: no component has the name `b`
    a = echo; a.outbox -> b.inbox
                          ^",
        "\
error: column 12: no component has the name `echo`
    a = lines; echo.outbox -> a.inbox
               ^^^^
    give one this name first: name = echo",
        "\
error: column 30: `a` has its options already, where it got its name
    a = filter x; one_shot x => a y
                                  ^",
        // Options.
        "\
error: column 1: `read_file` lacks its option `path`, the path of a file or folder
    read_file => console_echoer
    ^^^^^^^^^
    it is written: read_file PATH",
        "\
error: column 13: `read_file` has no option for `y`
    read_file x y => console_echoer
                ^
    it is written: read_file PATH",
        "\
error: column 13: `read_file` has no option `size`
    read_file x size=4 => console_echoer
                ^^^^
    it is written: read_file PATH",
        "\
error: column 16: `lines` has no option `longes`
    one_shot x => lines longes=4
                        ^^^^^^
    near it: longest",
        "\
error: column 13: the option `path` is given twice
    read_file x path=y => console_echoer
                ^^^^^^",
        "\
error: column 8: `period` must be a duration above 0, such as 200ms, 5s or 1.5h, not `5`
    ticker 5 => console_echoer
           ^",
        "\
error: column 28: `longest` must be a number of bytes, such as 512, 64KiB or 10MB, not `64KB2`
    read_file x => lines longest=64KB2
                                 ^^^^^",
        "\
error: column 8: `period` must be a duration above 0, such as 200ms, 5s or 1.5h, not `0s`
    ticker 0s => console_echoer
           ^^",
        "\
error: column 26: `most` must be a whole number from 1 to 4294967295, not `0`
    one_shot x => rate_limit 0 => console_echoer
                             ^",
        "\
error: column 31: `loss` must be a number from 0 to 1, such as 0.5, not `2`
    one_shot x => unreliable loss=2 => console_echoer
                                  ^",
        "\
error: column 5: `address` must be an address to listen at, such as :9000 or 127.0.0.1:9000, up to port 65535, not `:http`
    tcp :http => each(echo)
        ^^^^^",
        "\
error: column 16: `line` must be a line of components, not `echo` without parentheses
    tcp :0 => each \"echo\"
                   ^^^^^^",
        "\
error: column 8: `echo` has no options, found `x`
    one_shot y => echo x
                       ^
    it is written: echo",
        "\
error: column 11: `path` must be the path of a file or folder, not a line
    read_file path=(lines => echo)
                    ^^^^^^^^^^^^^",
        // Types.
        "\
error: column 25: `lines` gives String, `unframe` takes Bytes
    read_file x => lines => unframe => console_echoer
                            ^^^^^^^
    between them could stand: unlines",
        "\
error: column 26: `counter` gives u64, `unframe` takes Bytes
    read_file x => counter => unframe
                              ^^^^^^^",
        "\
error: column 18: `console_echoer` gives nothing: it can only end a line
    read_file x => console_echoer => lines
                   ^^^^^^^^^^^^^^",
        "\
error: column 16: `one_shot` takes nothing: it can only begin a line
    read_file x => one_shot y
                   ^^^^^^^^",
        "\
error: column 23: `a` has no outbox `otubox`
    a = echo; b = echo; a.otubox -> b.inbox
                          ^^^^^^
    its outboxes: outbox",
        "\
error: column 1: an outbox, NAME.PORT, is wanted, found `read_file`
    read_file x -> console_echoer
    ^^^^^^^^^
    components stand in a line by `=>`; `->` links ports of those that have names",
        "\
error: column 37: `a.outbox` gives String, `b.inbox` takes Bytes
    a = one_shot x; b = lines; a.outbox -> b.inbox
                                             ^^^^^
    between them could stand: unlines",
        "\
error: column 11: `echo` gives Accepted, and nothing takes it
    tcp :0 => echo
              ^^^^
    a line of its own serves each connection: tcp => each(echo)",
        "\
error: column 15: `echo` gives SecureConnection, and nothing takes it
    tls :0 c k => echo
                  ^^^^
    a line of its own serves each connection: tls => each(echo)",
        "\
error: column 1: `tls` lacks its option `certificate`, the path of a file or folder
    tls :0 => each(echo)
    ^^^
    it is written: tls ADDRESS CERTIFICATE [key=KEY]",
        "\
error: column 16: there is no component `grep`
    read_file x => grep POST
                   ^^^^
    here it is `filter`",
        "\
error: column 17: the line must give Bytes here, and `lines` gives String
    tcp :0 => each(lines)
                   ^^^^^",
        "\
error: column 17: the line must take Bytes here, and `one_shot` takes nothing
    tcp :0 => each(one_shot x)
                   ^^^^^^^^",
        "\
error: column 26: there is no such option for messages of this type
    tcp :0 => each(echo, at_most=4)
                                 ^",
        // Links.
        "\
error: column 1: `read_file` gives Bytes, and nothing takes it
    read_file x
    ^^^^^^^^^
    a line could end with: console_echoer, log_lines, null_sink, write_file",
        "\
error: column 1: `numbers` takes String, and nothing feeds it
    numbers => console_echoer
    ^^^^^^^
    a line could begin with: console_reader, data_source, nothing, one_shot",
        "\
error: column 16: the inbox `right` of `zip` is not linked
    read_file x => zip => console_echoer
                   ^^^
    give the component a name, and link it: OTHER.PORT -> NAME.right",
        "\
error: column 39: the outbox `outbox` of `a` is linked already
    a = one_shot x; a => console_echoer; a => null_sink
                                         ^
    a message goes one way: `tee` copies what comes to two, `splitter` to many",
        "\
error: column 38: `b` feeds `a` in a circle, which would never end
    a = echo; b = echo; a => b => a
                                  ^
    make the link that leads back one of feedback: ~>",
        "\
error: column 51: a number of messages above 0 is wanted, found `0`
    a = one_shot x; b = lines; a.outbox -> b.inbox capacity=0
                                                            ^",
    ] {
        let text = expected.lines().nth(1).unwrap().strip_prefix("    ").unwrap();
        let carets = expected.lines().nth(2).unwrap();
        let column = carets.find('^').unwrap() - 3;
        let message = expected.split_once(": ").unwrap().1.split_once(": ").unwrap().1;
        // The tests compare the carets; so the column is that of the first caret.
        let (expected, said) = (format!("error: column {column}: {message}"), mistake(text));
        if said != expected {
            wrong.push_str(&format!("said\n{said}\nexpected\n{expected}\n\n"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(mistake("").starts_with("error: column 1: there is no component\n"));
}

#[test]
fn a_component_is_made_for_what_its_neighbours_give_and_take() {
    for (text, expected) in [
        (
            "read_file x => echo => counter => console_echoer",
            "\
read_file.outbox ──▶ echo.inbox  Bytes
echo.outbox      ──▶ counter.inbox  Bytes
counter.outbox   ──▶ console_echoer.inbox  u64
",
        ),
        // The components after it decide as well as those before it.
        (
            "nothing => echo => echo => numbers => null_sink",
            "\
nothing.outbox ──▶ echo.inbox  String
echo.outbox    ──▶ echo 2.inbox  String
echo 2.outbox  ──▶ numbers.inbox  String
numbers.outbox ──▶ null_sink.inbox  u64
",
        ),
        // A line in parentheses decides too.
        (
            "nothing => each(numbers) => null_sink",
            "\
nothing.outbox ──▶ each.inbox  String
each.outbox    ──▶ null_sink.inbox  u64
",
        ),
        // Several outboxes, one inbox; feedback; a name that is used in a line.
        (
            "a = one_shot x; b = one_shot y; c = echo; a.outbox, b.outbox -> c.inbox
             d = splitter; c => d.inbox => null_sink; d.outboxes ~> c.inbox
             p = unix_process cat; p.stderr => e; e = console_echoer",
            "\
a.outbox   ──▶ c.inbox  String
b.outbox   ──▶ c.inbox  String
c.outbox   ──▶ d.inbox  String
d.outboxes ──▶ null_sink.inbox  String
d.outboxes ╌╌▶ c.inbox  String
p.stderr   ──▶ e.inbox  Bytes
",
        ),
    ] {
        assert_eq!(
            Catalogue::shipped().read(text).unwrap().to_string(),
            expected
        );
    }
}

/// Each line is fitted once for each pair of ends, however deep it is nested: otherwise this would
/// take for ever.
#[test]
fn lines_that_stand_deep_in_others_are_read_at_once_and_run() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let (open, close) = ("each(".repeat(31), ")".repeat(31));
    let text = format!(
        "one_shot deep => {open}map upper{close} => unlines => write_file {}",
        out.display()
    );
    let draft = Catalogue::shipped().read(&text).unwrap();
    block_on(draft.into_graph("test").unwrap().start().unwrap()).unwrap();
    assert_eq!(fs::read_to_string(&out).unwrap(), "DEEP\n");
}

#[test]
fn what_a_text_says_runs() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    for (text, expected) in [
        ("data_source a b c => filter b not=yes => unlines", "a\nc\n"),
        ("data_source 1 x 2 => numbers => sum => console(last)", ""),
        (
            "sequence(one_shot a, one_shot b => map upper, data_source c d) => unlines",
            "a\nB\nc\nd\n",
        ),
        (
            "data_source 'a b c' 'd' 'e f' => field 2 => unlines",
            "b\nf\n",
        ),
        (
            "data_source a:b => field 2 ':' => replace b c => prefix '> ' => unlines",
            "> c\n",
        ),
        ("data_source x y => parallel 2 upper => unlines", "X\nY\n"),
        (
            "data_source b a => each(unlines => unix_process cat, at_most=1)",
            "b\na\n",
        ),
        ("data_source x y => batch 2 => counter => each_number", ""),
        (
            "one_shot x => unlines => frame => unreliable => unframe",
            "x\n",
        ),
        (
            "one_shot NEXT => choices => chooser a b c => unlines",
            "a\nb\n",
        ),
        (
            "data_source a a b => unseen_only => first_only 5 => lossy_connector => unlines",
            "a\nb\n",
        ),
        (
            "one_shot topic => publish_to t => subscribe_to t => unlines",
            "topic\n",
        ),
    ] {
        let line = format!("{text} => write_file {}", out.display());
        let Ok(draft) = Catalogue::shipped().read(&line) else {
            assert_eq!(expected, "", "{}", mistake(&line));
            continue;
        };
        block_on(draft.into_graph("test").unwrap().start().unwrap()).unwrap();
        assert_eq!(fs::read_to_string(&out).unwrap(), expected, "{text}");
    }
}

#[test]
fn every_entry_is_described() {
    for entry in Catalogue::shipped().iter() {
        let (function, file) = entry.source();
        assert!(
            !entry.summary().is_empty(),
            "{function} has no comment in {file}"
        );
        for form in &entry.forms {
            assert_eq!(form.parameters.len(), entry.parameters().len(), "{entry:?}");
            for parameter in &form.parameters {
                if let Some(default) = parameter.default {
                    let checked = (parameter.check)(&parameter.unset());
                    assert!(checked.is_ok(), "{entry:?}: {} = {default}", parameter.name);
                }
            }
            for port in form.ports {
                assert!(
                    !port.doc.is_empty(),
                    "{entry:?}.{} has no comment",
                    port.name
                );
            }
        }
    }
    let show = Catalogue::shipped().find("web.parse").unwrap().to_string();
    for part in [
        "Parses the requests of one connection.",
        "limit     size      How long the head of a request may be. [default: 32KiB]",
        "──▶ bytes     Bytes    Raw bytes of one connection.",
        "◀── failures  Failure  What the peer did wrong.",
        "parse_requests in components/web/parse.rs",
    ] {
        assert!(show.contains(part), "{part} in\n{show}");
    }
}

#[test]
fn types_are_shown_by_a_letter_only_where_that_is_all_that_differs() {
    for (name, shown, hidden) in [
        (
            "zip",
            &[
                "──▶ left   T ",
                "◀── pairs  (T, T) ",
                "T is one of: Bytes, String",
            ][..],
            "",
        ),
        (
            "each",
            &[
                "──▶ inbox   Accepted | Bytes | SecureConnection | String ",
                "◀── outbox  Bytes | String | u64 ",
            ],
            "T is",
        ),
        ("carousel", &["──▶ next      Bytes | String "], "T is"),
        ("lines", &["──▶ inbox   Bytes "], "T is"),
    ] {
        let text = Catalogue::shipped().find(name).unwrap().to_string();
        for part in shown {
            assert!(text.contains(part), "{part} in\n{text}");
        }
        assert!(hidden.is_empty() || !text.contains(hidden), "{text}");
    }
}

/// A value that an option accepts makes a component: no number and no time makes it panic.
#[test]
fn no_value_that_can_be_read_keeps_a_component_from_being_made() {
    let given = |text: &str| {
        Given::Texts(vec![Text(Spanned {
            node: text.to_owned(),
            span: 0..0,
        })])
    };
    let sample = |parameter: &ParameterInfo| match (parameter.is_required(), parameter.kind) {
        (false, _) => parameter.unset(),
        (true, "path") => given("/no/such/file"),
        (true, "address") => given("127.0.0.1:0"),
        (true, "duration") => given("1s"),
        (true, "word") => given("upper"),
        (true, _) => given("1"),
    };
    let extremes = [
        "0",
        "0s",
        "1",
        "0.1ns",
        "65535",
        "4294967295",
        "9007199254740991",
        "18446744073709551615",
        "200000000000000d",
    ];
    let mut made = 0;
    for entry in Catalogue::shipped()
        .iter()
        .filter(|entry| entry.needs().is_none())
    {
        let forms = entry
            .forms
            .iter()
            .filter(|form| form.parameters.iter().all(|known| known.ends.is_none()));
        for form in forms {
            for (index, parameter) in form.parameters.iter().enumerate() {
                for extreme in extremes {
                    let mut all: Vec<_> = form.parameters.iter().map(sample).collect();
                    all[index] = given(extreme);
                    if !matches!(parameter.kind, "path" | "address")
                        && (parameter.check)(&all[index]).is_ok()
                    {
                        let _ = (form.add)(&mut Graph::new("made"), entry.name, &all);
                        made += 1;
                    }
                }
            }
        }
    }
    assert!(made > 100, "{made}");
}

/// Functions that look like components but are not, or that are for authors of components.
const NO_COMPONENTS: [(&str, &str); 5] = [
    (
        "process",
        "it stands for a process in a simulation, where no text runs",
    ),
    ("count_by", "it takes a function, which no text can say"),
    (
        "dial_any",
        "it takes the settings of TLS; net.dial is there",
    ),
    ("relay_over", "it takes a connection that is open"),
    (
        "serve_connections_of_many",
        "it takes a function; each(..) is there",
    ),
];

#[test]
fn every_component_of_the_package_is_in_the_catalogue() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut folders, mut found) = (vec![root.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                // A package of its own needs no entry: the catalogue cannot use it.
                if !path.join("Cargo.toml").exists() {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let file = path.strip_prefix(root).unwrap().display().to_string();
                let text = fs::read_to_string(&path).unwrap();
                found.extend(components(&text).map(|name| (file.clone(), name.to_owned())));
            }
        }
    }
    assert!(found.len() > 50, "{found:?}");
    found.retain(|(file, name)| {
        let has_reason = NO_COMPONENTS.iter().any(|(function, _)| function == name);
        let mut entries = Catalogue::shipped().iter();
        let is_known = entries.any(|entry| {
            let (function, source) = entry.source();
            function == name && (source == file || source.starts_with("notation/"))
        });
        !is_known && !has_reason
    });
    assert!(found.is_empty(), "not in the catalogue: {found:?}");
}

/// Returns the public functions of a file that return a component, or are one.
fn components(text: &str) -> impl Iterator<Item = &str> {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let functions = code.split("\npub ").skip(1).filter_map(|rest| {
        let rest = rest.strip_prefix("async ").unwrap_or(rest);
        let rest = rest.strip_prefix("fn ")?;
        let signature = rest.split("\n}").next()?.split(" {\n").next()?;
        Some((rest.split(['(', '<']).next()?, signature))
    });
    functions.filter_map(|(name, signature)| {
        let behind = [") -> ", ")\n-> "]
            .iter()
            .find_map(|end| signature.split_once(end));
        let gives = behind.map_or("", |(_, gives)| gives);
        let parts = [
            "impl Component<",
            "Composite<",
            "Blocking<",
            "AsyncFnMut(&mut",
        ];
        let gives_one = parts.iter().any(|part| gives.contains(part));
        let is_one = signature.contains("(io: &mut ");
        (gives_one || is_one).then_some(name)
    })
}
