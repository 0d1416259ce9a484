//! The page of a peer, in a real browser.

use serde_json::{Value, json};

use super::stand_in::StandIn;
use crate::devtools::Browser;

/// The messages that are nodes.
const NODES: &str = "document.querySelectorAll('#messages > li').length";

/// The text of the last message.
const LAST: &str = "[...document.querySelectorAll('#messages .text')].at(-1)?.textContent";

fn open(peer: &StandIn, hash: &str) -> Browser {
    let mut browser = Browser::open((1280, 850));
    browser.go(&format!("http://{}/{hash}", peer.address));
    browser.wait_for("document.querySelector('#link')?.className === 'open'");
    browser
}

/// Types a text into what has the focus, and presses Enter.
fn enter(browser: &mut Browser, text: &str) {
    browser.call("Input.insertText", json!({"text": text}));
    key(browser, "Enter", 0);
}

fn key(browser: &mut Browser, key: &str, modifiers: u32) {
    let code = match key {
        "Enter" => 13,
        "Escape" => 27,
        "Tab" => 9,
        "ArrowDown" => 40,
        _ => u32::from(key.to_ascii_uppercase().as_bytes()[0]),
    };
    let mut event = json!({"type": "keyDown", "key": key, "windowsVirtualKeyCode": code, "modifiers": modifiers});
    if key == "Enter" {
        event["text"] = "\r".into();
    }
    browser.call("Input.dispatchKeyEvent", event);
    let event = json!({"type": "keyUp", "key": key, "windowsVirtualKeyCode": code});
    browser.call("Input.dispatchKeyEvent", event);
}

fn say(browser: &mut Browser, text: &str) {
    browser.value("document.querySelector('#text').focus()");
    enter(browser, text);
}

fn click(browser: &mut Browser, selector: &str) {
    browser.wait_for(&format!("document.querySelector({})", json!(selector)));
    browser.value(&format!(
        "document.querySelector({}).click()",
        json!(selector)
    ));
}

fn text(browser: &mut Browser, selector: &str) -> String {
    let value = browser.value(&format!(
        "document.querySelector({})?.textContent",
        json!(selector)
    ));
    value.as_str().unwrap_or_default().to_owned()
}

#[test]
fn ten_thousand_messages_are_few_nodes_and_what_is_read_stays_where_it_is() {
    let peer = StandIn::new(10_000, 0);
    let mut browser = open(&peer, "#c1");
    browser.wait_for(&format!("{LAST}?.endsWith('#9999')"));
    // It goes to the beginning in steps, and notes whether anything moves but by its step.
    browser.value(
        "window.walk = { most: 0, jumps: 0 };
         (async () => {
           const host = document.querySelector('#log'), edge = host.getBoundingClientRect().top;
           let node = null, top = 0;
           while (document.querySelector('#beginning').hidden || host.scrollTop > 0) {
             await new Promise(requestAnimationFrame);
             const rows = [...document.querySelectorAll('#messages > li')];
             walk.most = Math.max(walk.most, rows.length);
             if (node?.isConnected && Math.abs(node.getBoundingClientRect().top - top) > 2) walk.jumps++;
             host.scrollTop -= 700;
             node = rows.find((row) => row.getBoundingClientRect().bottom > edge + 50);
             top = node?.getBoundingClientRect().top;
           }
           walk.isOver = true;
         })();",
    );
    browser.wait_for("walk.isOver");
    assert_eq!(browser.value("walk.jumps"), 0);
    let most = browser.value("walk.most").as_u64().unwrap();
    assert!((100..=300).contains(&most), "{most} nodes");
    assert!(text(&mut browser, "#messages .text").ends_with("#0"));
    // From there to the newest, in one step.
    click(&mut browser, "#newest");
    browser.wait_for(&format!(
        "{LAST}.endsWith('#9999') && document.querySelector('#newest').hidden"
    ));
    let histories = peer.commands("history");
    assert!(histories.len() >= 200, "{}", histories.len());
    assert!(
        histories.iter().all(|command| command["limit"] == 50),
        "{:?}",
        histories[1]
    );
    browser.assert_content();
}

#[test]
fn a_text_is_text_with_links_and_its_state() {
    let peer = StandIn::new(3, 0);
    let mut browser = open(&peer, "#c1");
    browser.wait_for(&format!("{LAST}?.endsWith('#2')"));
    let hostile = "<img src=x onerror=alert(1)> <script>alert(2)</script> &amp; \
                   javascript:alert(3) see https://example.org/a_(b)?c=1, bye";
    say(&mut browser, hostile);
    browser.wait_for(&format!("{LAST} === {}", json!(hostile)));
    assert_eq!(
        browser.value("document.querySelectorAll('#messages img, #messages script').length"),
        0
    );
    let links = "[...document.querySelectorAll('#messages li:last-child a')].map((a) => `${a.href} ${a.rel}`)";
    let expected = json!(["https://example.org/a_(b)?c=1 noopener noreferrer nofollow"]);
    assert_eq!(browser.value(links), expected);
    let state = "[...document.querySelectorAll('#messages .sent')].at(-1).className";
    assert_eq!(browser.value(state), "sent queued");
    for reached in ["sent", "delivered", "read"] {
        say(&mut browser, &format!("state {reached}"));
        browser.wait_for(&format!(
            "{LAST} === 'state {reached}' && {state} === 'sent {reached}'"
        ));
    }
    // Shift and Enter begin a line; Enter alone sends both.
    browser.call("Input.insertText", json!({"text": "one"}));
    key(&mut browser, "Enter", 8);
    enter(&mut browser, "two");
    browser.wait_for(&format!("{LAST} === 'one\\ntwo'"));
    // What is refused stays, and so does nothing of it in the list.
    say(&mut browser, "!no");
    browser.wait_for(
        "document.querySelector('#refused').textContent.includes('no exclamation marks')",
    );
    assert_eq!(
        browser.value("document.querySelector('#text').value"),
        "!no"
    );
    assert_eq!(browser.value(LAST), "one\ntwo");
    browser.assert_content();
}

#[test]
fn links_are_recognised_and_nothing_else() {
    let peer = StandIn::new(0, 0);
    let mut browser = open(&peer, "");
    browser.value("import('/text.js').then((module) => { window.pieces = (text) => module.pieces(text).filter((piece) => piece.href).map((piece) => piece.text).join(' ') })");
    browser.wait_for("window.pieces");
    for (text, links) in [
        ("https://example.org", "https://example.org"),
        ("see https://example.org/a.", "https://example.org/a"),
        ("(https://example.org/a)", "https://example.org/a"),
        (
            "https://en.example.org/wiki/A_(b)",
            "https://en.example.org/wiki/A_(b)",
        ),
        ("\"https://example.org/\"", "https://example.org/"),
        (
            "www.example.org, http://localhost:8001/x?y=1#z!",
            "www.example.org http://localhost:8001/x?y=1#z",
        ),
        (
            "https://example.org/ü https://日本.example/",
            "https://example.org/ü https://日本.example/",
        ),
        ("javascript:alert(1) data:text/html,x file:///etc", ""),
        ("https://user:password@example.org/", ""),
        ("https:// http://. https://nodots", ""),
        ("xhttps://example.org", ""),
        ("https://example.org\u{202e}gro", "https://example.org"),
    ] {
        let found = browser.value(&format!("pieces({})", json!(text)));
        assert_eq!(found, links, "{text}");
    }
}

#[test]
fn unread_messages_begin_at_a_line_and_new_ones_are_counted() {
    let peer = StandIn::new(400, 120);
    let mut browser = open(&peer, "#c2");
    browser.wait_for("document.querySelector('#channels .badge')?.textContent.startsWith('120')");
    assert!(
        browser
            .value("document.title")
            .as_str()
            .unwrap()
            .starts_with("(120) ")
    );
    click(&mut browser, "#channels button");
    browser.wait_for("document.querySelector('.first-unread')");
    // The line is in view, and the first that is unread is below it.
    let first = "document.querySelector('.first-unread').closest('li')";
    assert!(text(&mut browser, "li:has(.first-unread) .text").ends_with("#280"));
    browser.wait_for(&format!(
        "(({{ top }}) => top > 50 && top < innerHeight)({first}.getBoundingClientRect())"
    ));
    // Only what was before the eyes is read.
    browser.wait_for("parseInt(document.querySelector('#channels .badge').textContent) < 120");
    let unread = text(&mut browser, "#channels .badge");
    assert!(
        unread.trim_end_matches(" unread").parse::<u32>().unwrap() > 80,
        "{unread}"
    );

    // Others write while the reader is elsewhere: they move nothing.
    click(&mut browser, "#newest");
    browser.wait_for("!document.querySelector('#channels .badge')");
    assert_eq!(browser.value("document.title"), "general – Chat");
    browser.value("document.querySelector('#log').scrollTop -= 1500");
    browser.wait_for("!document.querySelector('#newest').hidden");
    let top =
        "Math.round(document.querySelectorAll('#messages li')[80].getBoundingClientRect().top)";
    let before = browser.value(top);
    for i in 1..=3 {
        peer.hears("c1", "eve", &format!("elsewhere {i}"));
        browser.wait_for(&format!(
            "document.querySelector('#newest').textContent === '{i} new ↓'"
        ));
    }
    assert_eq!(browser.value(top), before);
    let reads = peer.commands("read").len();
    click(&mut browser, "#newest");
    browser.wait_for(&format!(
        "{LAST} === 'elsewhere 3' && document.querySelector('#newest').hidden"
    ));
    // And who is at the end sees what comes.
    peer.hears("c1", "eve", "here");
    browser.wait_for(&format!(
        "{LAST} === 'here' && document.querySelector('#newest').hidden"
    ));
    browser.wait_for("document.querySelector('#announce').textContent === 'eve: here'");
    peer.hears("c3", "bob", "psst");
    assert!(peer.commands("read").len() > reads);
    browser.assert_content();
}

#[test]
fn a_message_that_comes_late_stands_in_its_place() {
    let peer = StandIn::new(40, 0);
    let mut browser = open(&peer, "#c1");
    browser.wait_for(&format!("{LAST}?.endsWith('#39')"));
    say(&mut browser, "late 20");
    let place = "[...document.querySelectorAll('#messages .text')].findIndex((text) => text.textContent === 'late after 20')";
    browser.wait_for(&format!("{place} === 20"));
    assert_eq!(browser.value(LAST), "late 20");
    // A flood is shown, in few nodes.
    say(&mut browser, "flood 500");
    browser.wait_for(&format!("{LAST} === 'flood 499'"));
    assert!(browser.value(NODES).as_u64().unwrap() <= 300);
    browser.assert_content();
}

#[test]
fn a_lost_connection_is_told_and_comes_back_with_what_was_typed() {
    let peer = StandIn::new(10, 0);
    let mut browser = open(&peer, "#c1");
    browser.wait_for(&format!("{LAST}?.endsWith('#9')"));
    browser.value("window.lost = []; new MutationObserver(() => { if (!document.querySelector('#lost').hidden) lost.push(document.querySelector('#lost').textContent) }).observe(document.querySelector('#lost'), {childList: true, attributes: true})");
    // Meanwhile nobody says who is there.
    let unknown = "document.querySelectorAll('#people .state.unknown').length";
    browser.value(&format!("window.unknown = []; new MutationObserver(() => unknown.push({unknown})).observe(document.querySelector('#people'), {{childList: true, subtree: true}})"));
    say(&mut browser, "drop");
    browser.call("Input.insertText", json!({"text": "a draft"}));
    // What is shown follows in the next frame.
    browser.wait_for(
        "lost.length > 0 && document.querySelector('#lost').hidden
         && document.querySelector('#link').className === 'open'
         && document.querySelector('#link').textContent.startsWith('Connected')",
    );
    let lost = browser.value("lost.join()");
    assert!(
        lost.as_str()
            .unwrap()
            .contains("No connection to your peer"),
        "{lost}"
    );
    assert_eq!(
        browser.value("document.querySelector('#text').value"),
        "a draft"
    );
    let people = "document.querySelectorAll('#people li').length";
    assert_eq!(browser.value("Math.max(...unknown)"), browser.value(people));
    browser.wait_for(&format!("{unknown} === 0"));
    browser.wait_for(&format!("{LAST} === 'drop'"));
    key(&mut browser, "Enter", 0);
    browser.wait_for(&format!("{LAST} === 'a draft'"));
    // The tracker is away: the page says so, and goes on.
    say(&mut browser, "leave the lights on");
    browser.wait_for("document.querySelector('#link').textContent.includes('tracker away')");
}

#[test]
fn the_search_finds_and_leads_to_an_old_message() {
    let peer = StandIn::new(3000, 0);
    let mut browser = open(&peer, "#c3");
    key(&mut browser, "k", 2);
    browser.wait_for("document.activeElement.id === 'search'");
    enter(&mut browser, "#123");
    browser.wait_for("document.querySelectorAll('#found-list li').length === 11");
    assert_eq!(text(&mut browser, "#found-list mark"), "#123");
    click(&mut browser, "#found-list button");
    browser.wait_for("document.querySelector('.message.target')");
    assert!(text(&mut browser, ".message.target .text").ends_with("#123"));
    let view = "(({ top, bottom }) => top > 0 && bottom < innerHeight)(document.querySelector('.target').getBoundingClientRect())";
    assert_eq!(browser.value(view), true);
    key(&mut browser, "Escape", 0);
    browser.wait_for("document.querySelector('#found').hidden");
    browser.assert_content();
}

#[test]
fn channels_are_created_joined_and_left_by_the_keyboard() {
    let peer = StandIn::new(5, 0);
    let mut browser = open(&peer, "#c1");
    browser.value("document.querySelector('#create').focus()");
    key(&mut browser, "Enter", 0);
    browser.wait_for("document.activeElement.id === 'channel-name'");
    enter(&mut browser, "Küche");
    browser.wait_for("document.querySelector('#room-name').textContent === '# Küche'");
    assert_eq!(peer.commands("create")[0]["policy"], "open");
    click(&mut browser, "#find");
    click(&mut browser, "#dialog li button");
    browser.wait_for("document.querySelector('#room-name').textContent === '# garden'");
    // What the peer refuses is said in the dialog, which stays.
    click(&mut browser, "#invite");
    click(&mut browser, "#dialog li button");
    browser.wait_for(
        "document.querySelector('#dialog .wrong')?.textContent === 'carl is a member already'",
    );
    key(&mut browser, "Escape", 0);
    browser.wait_for("!document.querySelector('#dialog').open");
    click(&mut browser, "#leave");
    click(&mut browser, "#dialog .main");
    browser.wait_for("document.querySelector('#conversation').hidden");
    key(&mut browser, "ArrowDown", 1);
    browser.wait_for("!document.querySelector('#conversation').hidden");
    click(&mut browser, "#people button.plain");
    browser.wait_for("document.querySelector('.fingerprint')?.textContent.length === 39");
    browser.assert_content();
}

/// Elements that a screen reader could not name, or that a finger could not hit.
const NAMELESS: &str = "[...document.querySelectorAll('button, input, textarea, a')].filter((each) => \
    each.checkVisibility() && !each.textContent.trim() && !each.ariaLabel && !each.labels?.length).map((each) => each.outerHTML)";

#[test]
fn it_fits_a_phone_and_the_dark_and_a_screen_reader() {
    let peer = StandIn::new(60, 0);
    for is_dark in [false, true] {
        let mut browser = Browser::open((1280, 850));
        if is_dark {
            browser.prefer_dark();
        }
        browser.be_phone();
        browser.go(&format!("http://{}/", peer.address));
        browser.wait_for("document.querySelector('#channels button')");
        let is_fitting = "document.documentElement.scrollWidth <= innerWidth && scrollY === 0";
        let shown = |browser: &mut Browser, id: &str| {
            browser.value(&format!("document.querySelector('{id}').checkVisibility()"))
        };
        assert_eq!(browser.value(is_fitting), true);
        assert_eq!(shown(&mut browser, "#room"), false, "first the channels");
        assert_eq!(browser.value(NAMELESS), json!([]));
        click(&mut browser, "#channels button");
        browser.wait_for(&format!("{LAST}?.endsWith('#59')"));
        assert_eq!(shown(&mut browser, "#side"), false, "then one of them");
        assert_eq!(browser.value(is_fitting), true);
        assert_eq!(browser.value(NAMELESS), json!([]));
        let picture = browser.picture();
        let paper = if is_dark {
            [0x17, 0x14, 0x1c]
        } else {
            [0xf7, 0xf5, 0xfa]
        };
        let same = picture.pixels().filter(|pixel| pixel.0 == paper).count();
        assert!(same > 10_000, "dark {is_dark}: {same}");
        click(&mut browser, "#back");
        browser.wait_for("document.querySelector('#side').checkVisibility()");
        browser.assert_content();
    }
    let mut browser = open(&peer, "#c1");
    let landmarks = "['header', 'nav[aria-label]', 'main[aria-label]', '[role=search]', '[aria-live]', '#log[aria-label][tabindex]'].filter((each) => !document.querySelector(each))";
    assert_eq!(browser.value(landmarks), json!([]));
    // What others say is announced, once, without the history.
    say(&mut browser, "say good evening");
    browser.wait_for("document.querySelector('#announce').textContent === 'eve: good evening'");
    let sends = peer.commands("send");
    assert_eq!(
        sends.last().map(|command| &command["text"]),
        Some(&Value::from("say good evening"))
    );
}
