//! How texts are parsed, shown with all parentheses: `name(argument, key=argument)`, texts in
//! quotes.

use super::*;

fn shown(text: &str) -> String {
    let statements = match parse(text) {
        Ok(statements) => statements,
        Err(mistake) => return mistake.show("", text),
    };
    let shown = statements.iter().map(|statement| match statement {
        Statement::Definition { name, stage } => format!("{} := {}", name.node, of_stage(stage)),
        Statement::Line(line) => of_line(line),
        Statement::Link(link) => {
            let port = |port: &PortName| format!("{}:{}", port.component.node, port.port.node);
            let from: Vec<_> = link.from.iter().map(port).collect();
            let arrow = if link.feedback { "~>" } else { "->" };
            let capacity = link
                .capacity
                .as_ref()
                .map(|text| format!(" x{}", text.node));
            let capacity = capacity.unwrap_or_default();
            format!("{} {arrow} {}{capacity}", from.join("+"), port(&link.to))
        }
    });
    shown.collect::<Vec<_>>().join("\n")
}

fn of_line(line: &Line) -> String {
    line.stages
        .iter()
        .map(of_stage)
        .collect::<Vec<_>>()
        .join(" => ")
}

fn of_stage(stage: &Stage) -> String {
    let arguments = stage.arguments.iter().map(|argument| {
        let key = argument.key.as_ref().map(|key| format!("{}=", key.node));
        let value = match &argument.value.node {
            Value::Text(text) => format!("{text:?}"),
            Value::Line(line) => format!("[{}]", of_line(line)),
        };
        key.unwrap_or_default() + &value
    });
    let arguments: Vec<_> = arguments.collect();
    format!("{}({})", stage.name.node, arguments.join(", "))
}

#[test]
fn texts_are_read_as_trees() {
    for (text, expected) in [
        ("", ""),
        ("  # nothing\n\n ; \n", ""),
        ("a", "a()"),
        ("a=>b", "a() => b()"),
        (
            "read_file access.log => lines # all",
            r#"read_file("access.log") => lines()"#,
        ),
        // Words need no quotes.
        (
            "get http://[::1]:80/a?b=c&d=%20#e",
            r#"get("http://[::1]:80/a?b=c&d=%20#e")"#,
        ),
        (
            "tcp :9000 => write_file ./x-1.txt",
            r#"tcp(":9000") => write_file("./x-1.txt")"#,
        ),
        ("cut -d : -f 1", r#"cut("-d", ":", "-f", "1")"#),
        (
            "find a* [b] {c} $d ~/e f|g",
            r#"find("a*", "[b]", "{c}", "$d", "~/e", "f|g")"#,
        ),
        ("grüße wörld", r#"grüße("wörld")"#),
        // Texts.
        (
            r#"a "b c" '\n "d"' "\n\t\"\\\u{e9}""#,
            r#"a("b c", "\\n \"d\"", "\n\t\"\\é")"#,
        ),
        ("a \"b\nc\"", r#"a("b\nc")"#),
        (r#"a "" ''"#, r#"a("", "")"#),
        // Options by name, with or without blanks.
        ("a b=1 c = 2 d= 3", r#"a(b="1", c="2", d="3")"#),
        ("a b=\"x=y\"", r#"a(b="x=y")"#),
        ("a 1=2", r#"a("1=2")"#),
        // Parentheses.
        ("a()", "a()"),
        ("a(1, 'x', k=2)", r#"a([1()], "x", k=[2()])"#),
        (
            "each(lines => filter POST)",
            r#"each([lines() => filter("POST")])"#,
        ),
        (
            "a 4 (b => c) d=(e f)",
            r#"a("4", [b() => c()], d=[e("f")])"#,
        ),
        ("a(b(c(d => e)))", "a([b([c([d() => e()])])])"),
        // Statements.
        ("a; b => c\nd", "a()\nb() => c()\nd()"),
        ("a\n  => b\n\n  => c\nd", "a() => b() => c()\nd()"),
        ("a =>\n b", "a() => b()"),
        (
            "a(\n  b # why\n  => c,\n\n  d=1\n)",
            "a([b() => c()], d=[1()])",
        ),
        ("p = a b; q=c", "p := a(\"b\")\nq := c()"),
        ("p.x -> q.y", "p:x -> q:y"),
        ("p.x,\n q.x -> r.y\n ~> s", "p:x+q:x -> r:y"),
        ("p.x->q.y", "p:x -> q:y"),
        ("q.y ~> p.x capacity=4", "q:y ~> p:x x4"),
        ("web.parse.x -> q.y", "web.parse:x -> q:y"),
    ] {
        let shown = shown(text);
        if text.contains("~> s") {
            assert!(
                shown.starts_with("error: line 3, column 2: `=>`"),
                "{shown}"
            );
        } else {
            assert_eq!(shown, expected, "{text}");
        }
    }
}

#[test]
fn what_cannot_be_read_is_named_and_marked() {
    for expected in [
        "\
error: column 6: a component is wanted, found `=>`
    a => => b
         ^^",
        "\
error: column 1: a component is wanted, found `=>`
    => a
    ^^",
        "\
error: column 5: a component is wanted, found the end
    a =>
        ^",
        "\
error: column 1: a component is wanted, found the text \"a\"
    \"a\" => b
    ^^^",
        "\
error: column 2: this parenthesis is not closed
    a(b
     ^",
        "\
error: column 3: `=>`, an argument or the end of the statement is wanted, found `)`
    a ) b
      ^",
        "\
error: column 5: a value, or a component is wanted, found `)`
    a(b,)
        ^",
        "\
error: column 5: `,` or `)` is wanted, found `->`
    a(b -> c)
        ^^",
        "\
error: column 3: a value, or a component is wanted, found `(`
    a((b))
      ^",
        "\
error: column 5: a value is wanted, found the end
    a b=
        ^",
        "\
error: column 3: this text has no end: \"
    a \"b => c
      ^^^^^^^",
        "\
error: column 3: this escape means nothing; there are \\n, \\r, \\t, \\0, \\\\, \\\" and \\u{..}; in single quotes a backslash is a backslash
    a \"b\\q\"
      ^^^^",
        "\
error: column 3: a blank is wanted between a word or text and the next; put all of it in quotes if it is one
    a b'c'
      ^^",
        "\
error: column 7: the end of the statement is wanted, found `=>`
    p = a => b
          ^^
    a name is that of one component: use it in a line of its own",
        "\
error: column 1: an outbox, NAME.PORT, is wanted, found `a`
    a -> b.c
    ^
    components stand in a line by `=>`; `->` links ports of those that have names",
        "\
error: column 12: an inbox, NAME.PORT, is wanted, found the end
    a.x, b.x ->
               ^",
        "\
error: column 12: a link has no option `size`
    a.b -> c.d size=4
               ^^^^
    there is: capacity=MESSAGES",
        // Columns are characters, and tabs stay tabs.
        "\
error: column 10: a component is wanted, found `=>`
    größe\t=> => b
         \t   ^^",
    ] {
        let text = expected.lines().nth(1).unwrap().strip_prefix("    ").unwrap();
        assert_eq!(shown(text), expected);
    }
    let deep = format!("{}a", "a(".repeat(100_000));
    let shown = shown(&deep);
    assert!(shown.contains("lines stand in parentheses 32 deep at the most"));
}

#[test]
fn a_file_is_named_with_line_and_column() {
    let text = "# a graph\r\nread_file x\r\n    => => lines\r\n";
    let mistake = parse(text).unwrap_err();
    assert_eq!(
        mistake.show("log.kamea", text),
        "error: log.kamea:3:8: a component is wanted, found `=>`\n        => => lines\n           ^^"
    );
    assert!(
        mistake
            .show("", text)
            .starts_with("error: line 3, column 8: ")
    );
}
