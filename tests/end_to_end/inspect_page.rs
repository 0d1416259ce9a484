//! The page of the live view in a real browser: what it draws, in light and dark mode, on a desktop
//! and on a phone, and what it says when the user selects something.

use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};

use image::{Rgb, RgbImage};
use kamea::{Graph, Scheduler};
use kamea_components::chassis::splitter;
use kamea_components::inspect::Inspector;
use kamea_components::server::{Site, WebServer};
use kamea_components::stream::{data_source, zip};
use kamea_components::web::{HandlerPorts, Route};
use serde_json::json;

use super::devtools::Browser;
use super::inspect::{inspected, page};
use super::server::{Client, PATIENCE, Server};

/// Whether a picture has many pixels of this colour.
fn has(picture: &RgbImage, colour: [u8; 3]) -> bool {
    let is_near = |a: u8, b: u8| a.abs_diff(b) < 8;
    let same = |Rgb(p): &Rgb<u8>| (0..3).all(|i| is_near(p[i], colour[i]));
    picture.pixels().filter(|pixel| same(pixel)).count() > 100
}

/// Returns how much of a picture differs from the colour of its lower right corner: the drawn part.
fn drawn(picture: &RgbImage) -> f64 {
    let background = *picture.get_pixel(picture.width() - 1, picture.height() - 1);
    let other = picture
        .pixels()
        .filter(|&&pixel| pixel != background)
        .count();
    other as f64 / f64::from(picture.width() * picture.height())
}

/// The boxes of the graph of a connection, and its links.
const BOXES: &str = "document.querySelectorAll('[aria-label=\"graph connection\"] .part').length";

/// Requests a file again and again while `look` runs.
fn under_load<T>(server: &Server, look: impl FnOnce() -> T) -> T {
    let (address, is_done) = (server.address, AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = Client::connect(address);
            while !is_done.load(Ordering::Relaxed) {
                client.send("GET /hello.txt HTTP/1.1\r\nHost: a\r\n\r\n".repeat(16));
                (0..16).for_each(|_| assert_eq!(client.response(false).status, 200));
            }
        });
        let looked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(look));
        is_done.store(true, Ordering::Relaxed);
        looked.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

#[test]
fn the_graph_is_drawn_in_light_and_dark_on_a_desktop_and_on_a_phone() {
    let (server, inspector) = inspected(&[]);
    under_load(&server, || {
        for (is_dark, is_phone) in [(false, false), (true, false), (true, true)] {
            let mut browser = Browser::open((1280, 900));
            if is_dark {
                browser.prefer_dark();
            }
            if is_phone {
                browser.be_phone();
            }
            browser.go(&page(inspector));
            browser.wait_for(&format!("{BOXES} >= 7"));
            // Rates need two samples of the census.
            let rates = "[...document.querySelectorAll('.edge text')].some((text) => /\\d[kM]?\\/s/.test(text.textContent))";
            browser.wait_for(rates);
            browser.wait_for("document.querySelector('[stroke-width=\"1.3\"]') && [...document.querySelectorAll('.edge .link')].some((link) => link.getAttribute('stroke-width') > 3)");
            let wide = "document.documentElement.scrollWidth <= innerWidth";
            assert_eq!(
                browser.value(wide),
                true,
                "the page is as wide as the window"
            );
            let picture = browser.picture();
            // On cards, boxes have the colour of the paper; the bars of those that wait have a
            // colour of their own.
            let (card, waiting) = if is_dark {
                ([0x22, 0x1e, 0x29], [0x58, 0xa6, 0xe0])
            } else {
                ([255, 255, 255], [0x3f, 0x7f, 0xb5])
            };
            assert!(
                has(&picture, card) && has(&picture, waiting),
                "dark {is_dark}, phone {is_phone}"
            );
            assert!(drawn(&picture) > 0.1, "{}", drawn(&picture));
            browser.assert_content();
        }
    });
}

#[test]
fn what_is_picked_is_told_of_tapped_and_explained() {
    let (server, inspector) = inspected(&[]);
    under_load(&server, || {
        let mut browser = Browser::open((1280, 900));
        browser.go(&page(inspector));
        browser.wait_for(&format!("{BOXES} >= 7"));
        let click = |name: &str| {
            format!("[...document.querySelectorAll('[aria-label=\"graph connection\"] {name}')]")
        };
        let press = ".dispatchEvent(new MouseEvent('click', {bubbles: true}))";
        let router = format!(
            "{}.find((part) => part.ariaLabel === 'router'){press}",
            click(".part")
        );
        browser.value(&router);
        browser.wait_for("document.querySelector('#details h2')?.textContent === 'router'");
        let details = "document.querySelector('#details').innerText";
        let told = browser.value(details);
        let told = told.as_str().unwrap();
        assert!(
            told.contains("route_requests")
                && told.contains("components/server/web_server/wiring/routes.rs:"),
            "{told}"
        );

        let link = format!(
            "{}.find((edge) => edge.textContent.includes('Request')){press}",
            click(".edge")
        );
        browser.value(&link);
        browser.wait_for("document.querySelector('#details dl')?.innerText.includes('::Request')");
        browser.value(&format!("[...document.querySelectorAll('#details button')].find((button) => button.textContent === 'Tap'){press}"));
        browser
            .wait_for("document.querySelector('.samples li')?.textContent.includes('hello.txt')");
        browser.wait_for("document.querySelectorAll('.samples li').length > 3");

        browser.value(&format!("document.querySelector('#explain'){press}"));
        browser.value("document.querySelector('#details form').requestSubmit()");
        browser.wait_for("document.querySelectorAll('.hops > li').length === 3");
        browser.wait_for("document.querySelectorAll('.edge.path').length >= 3");
        browser.assert_content();
    });
}

/// The last columns of the graph of a connection, as far as it is shown.
fn right_edge(browser: &mut Browser) -> Vec<Rgb<u8>> {
    let stage = "document.querySelector('[aria-label=\"graph connection\"]').parentElement";
    browser.value(&format!("{stage}.scrollIntoView()"));
    let edge = format!(
        "(() => {{ const {{ right, top }} = {stage}.getBoundingClientRect(); return [right, top]; }})()"
    );
    let edge = browser.value(&edge);
    let [right, top] = [0, 1].map(|i| edge[i].as_f64().unwrap() as u32);
    let picture = browser.picture();
    let rows = top + 10..picture.height().min(top + 300);
    rows.map(|y| *picture.get_pixel(right - 2, y)).collect()
}

#[test]
fn a_phone_shows_that_there_is_more_and_keeps_what_was_picked_in_sight() {
    let (server, inspector) = inspected(&[]);
    under_load(&server, || {
        let mut browser = Browser::open((1280, 900));
        browser.be_phone();
        browser.go(&page(inspector));
        browser.wait_for(&format!("{BOXES} >= 7"));
        let stage = "document.querySelector('[aria-label=\"graph connection\"]').parentElement";
        assert_eq!(
            browser.value(&format!("{stage}.scrollWidth > {stage}.clientWidth + 50")),
            true,
            "the graph is wider than the phone"
        );
        let is_card = |pixel: &Rgb<u8>| pixel.0 == [255, 255, 255];
        let cards = |edge: &[Rgb<u8>]| edge.iter().filter(|pixel| is_card(pixel)).count();
        let edge = right_edge(&mut browser);
        // Labels have a border of the colour of the card.
        assert!(
            cards(&edge) < edge.len() / 10,
            "its edge is shaded: {edge:?}"
        );
        browser.value(&format!("{stage}.scrollBy(10000, 0)"));
        let edge = right_edge(&mut browser);
        assert!(cards(&edge) > edge.len() / 2, "its end is not: {edge:?}");
        browser.value(&format!("{stage}.scrollTo(0, 0); scrollTo(0, 0)"));

        // Each part and each link, wherever it is: of a link its label, or its end. Looked at in the same
        // turn, before another census moves the page.
        let hidden = "[...document.querySelectorAll('[aria-label=\"graph connection\"] :is(.part, .edge)')].filter((picked) => { \
             picked.dispatchEvent(new MouseEvent('click', {bubbles: true})); \
             const label = picked.querySelector('text'), is_link = picked.classList.contains('edge'); \
             const mark = !is_link ? picked : label.textContent ? label : picked.querySelector('.head'); \
             const box = mark.getBoundingClientRect(), details = document.querySelector('#details'); \
             return details.hidden || box.top < 0 || box.left < 0 || box.right > innerWidth || box.bottom > details.getBoundingClientRect().top; \
             }).map((picked) => picked.ariaLabel ?? picked.textContent)";
        assert_eq!(browser.value(hidden), json!([]), "hidden parts and links");
        let wide = "document.documentElement.scrollWidth <= innerWidth";
        assert_eq!(
            browser.value(wide),
            true,
            "the page is as wide as the phone"
        );
        browser.assert_content();
    });
}

#[test]
fn it_can_be_searched_and_paused() {
    let (server, inspector) = inspected(&[]);
    under_load(&server, || {
        let mut browser = Browser::open((1280, 900));
        browser.go(&page(inspector));
        browser.wait_for(&format!("{BOXES} >= 7"));
        browser.value("{ const box = document.querySelector('#search'); box.value = 'router'; box.dispatchEvent(new Event('input')); }");
        let clear =
            "document.querySelectorAll('[aria-label=\"graph connection\"] .part:not(.dim)').length";
        assert_eq!(browser.value(clear), 1);
        let uptime = "document.querySelector('#uptime').textContent";
        browser.wait_for(&format!("{uptime} !== (window.before ??= {uptime})"));
        browser.value("document.querySelector('#pause').click()");
        let (paused, again) = (
            browser.value(uptime),
            "performance.now() > (window.later ??= performance.now() + 2500)",
        );
        browser.wait_for(again);
        assert_eq!(browser.value(uptime), paused, "what is paused stands still");
        browser.value("document.querySelector('#pause').click()");
        browser.wait_for(&format!("{uptime} !== {paused}"));
        browser.assert_content();
    });
}

#[test]
fn another_program_is_on_the_same_page() {
    let (server, inspector) = inspected(&["--inspect-topologies", "127.0.0.1:0"]);
    let line = server.logged("Topology lines at ");
    let mut program = TcpStream::connect(line.rsplit_once(' ').unwrap().1).unwrap();
    program.set_write_timeout(Some(PATIENCE)).unwrap();
    program
        .write_all(b"ADD NODE 1 \"<b>camera</b>\" auto -\nADD NODE 2 disk auto -\nADD LINK 1 2\n")
        .unwrap();
    let mut browser = Browser::open((1280, 900));
    browser.go(&page(inspector));
    browser.wait_for("[...document.querySelectorAll('.part .name')].some((name) => name.textContent === '<b>camera</b>')");
    program.write_all(b"DEL NODE 1\n").unwrap();
    browser.wait_for("![...document.querySelectorAll('.part .name')].some((name) => name.textContent.includes('camera'))");
    browser.assert_content();
}

/// The splitter waits for space before the left side of `zip`, and `zip` waits at its right side for
/// the number that comes after all those that were dropped.
#[test]
fn components_that_wait_for_each_other_are_red() {
    let scheduler = Scheduler::with_workers(1);
    let inspector = Inspector::new("127.0.0.1:0".parse().unwrap(), None).unwrap();
    let inspecting = inspector.run(scheduler.workers()).unwrap();
    let mut graph = Graph::new("diamond");
    let source = graph.add("source", data_source(0..1000));
    let mut split = graph.add("splitter", splitter());
    let hundredth = graph.add("hundredth", kamea::filter(|n: &u32| n % 100 == 99));
    let zip = graph.add("zip", zip);
    graph.link(source.outbox, split.inbox);
    graph.link(split.outboxes.branch(), zip.left);
    graph.link(split.outboxes.branch(), hundredth.inbox);
    graph.link(hundredth.outbox, zip.right);
    let _pairs = graph.take(zip.pairs);
    let _running = scheduler.run(graph).unwrap();
    let mut browser = Browser::open((1280, 900));
    browser.go(&inspecting.url());
    browser.wait_for("document.querySelectorAll('.part.ring').length === 2");
    let names = browser
        .value("[...document.querySelectorAll('.part.ring')].map((part) => part.ariaLabel).join()");
    assert_eq!(names, "splitter,zip");
    let stroke = "getComputedStyle(document.querySelector('.part.ring rect.box')).stroke";
    assert_eq!(browser.value(stroke), "rgb(208, 0, 0)");
    assert_eq!(
        browser.value("document.querySelectorAll('.edge.ring').length"),
        1
    );
    let told = browser.value("document.querySelector('summary .in-ring').textContent");
    let told = told.as_str().unwrap();
    assert!(told.contains("`zip.left` is full (capacity 16)"), "{told}");
    browser.assert_content();
}

#[test]
fn faults_are_on_a_timeline() {
    let scheduler = Scheduler::with_workers(1);
    let inspector = Inspector::new("127.0.0.1:0".parse().unwrap(), None).unwrap();
    let inspecting = inspector.run(scheduler.workers()).unwrap();
    let panics = async |io: &mut HandlerPorts| match io.requests.next().await {
        Some(request) => panic!("on purpose, at {}", request.head.target),
        None => Ok(()),
    };
    let server = WebServer::new(Site::new("/")).route("panics", Route::any_path(), panics);
    let listening = server.run(&scheduler, &["127.0.0.1:0".parse().unwrap()]);
    let mut client = Client::connect(listening.unwrap().addresses()[0]);
    client.send("GET /here HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert_eq!(client.response(false).status, 500);
    let mut browser = Browser::open((1280, 900));
    browser.go(&inspecting.url());
    browser.wait_for("document.querySelectorAll('#timeline .fault').length === 1");
    let fault = browser.value("document.querySelector('#fault-list').textContent");
    let fault = fault.as_str().unwrap();
    assert!(
        fault.contains("panics of connection") && fault.contains("on purpose, at /here"),
        "{fault}"
    );
    browser.wait_for("document.querySelector('.part .faulty-count')?.textContent === '1'");
    browser.assert_content();
}
