//! The routes of a web application in the live view, and the explanations of its requests.

use std::process::Command;

use serde_json::Value;

use super::app_recipes::{Recipe, build};
use super::devtools::Browser;

/// The to-do list, with its live view: its URL, and the secret of explanations.
fn inspected() -> (Recipe, String, String) {
    build();
    let recipe = Recipe::start_with("app_todos", &["--inspect", "127.0.0.1:0"], 2);
    let said = |line: usize, start: &str| {
        let line = recipe.printed[line].strip_prefix(start);
        let rest = line.unwrap_or_else(|| panic!("{:?}", recipe.printed));
        rest.to_owned()
    };
    let url = said(0, "Inspect at ");
    let secret = said(1, "Requests with this field are explained: Kamea-Explain: ");
    (recipe, url, secret)
}

fn curl(arguments: &[&str]) -> String {
    let output = Command::new("curl").arg("-sS").args(arguments).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The text of the cells of each row.
fn rows(browser: &mut Browser) -> Vec<Vec<String>> {
    let cells = "JSON.stringify([...document.querySelectorAll('#routes tbody tr')].map(
        (row) => [...row.cells].map((cell) => cell.textContent)))";
    serde_json::from_str(browser.value(cells).as_str().unwrap()).unwrap()
}

#[test]
fn the_page_lists_the_routes_and_what_they_took() {
    let (recipe, url, _) = inspected();
    let at = |path: &str| format!("http://{}{path}", recipe.address);
    for path in ["/todos", "/todos?limit=1", "/todos", "/tods"] {
        curl(&[&at(path)]);
    }
    curl(&["-X", "PATCH", "-d", "", &at("/todos/7")]);
    for is_phone in [false, true] {
        let mut browser = Browser::open((1280, 900));
        if is_phone {
            browser.be_phone();
        }
        browser.go(&url);
        browser.wait_for("document.querySelectorAll('#routes tbody tr').length >= 5");
        let wide = "document.documentElement.scrollWidth <= innerWidth";
        assert_eq!(browser.value(wide), true, "phone {is_phone}");
        let shown = rows(&mut browser);
        let start: Vec<_> = shown.iter().map(|row| row[..3].join(" ")).collect();
        let expected = [
            "GET /todos app_todos::list",
            "POST /todos app_todos::create",
            "PATCH /todos/{id} app_todos::update",
            "DELETE /todos/{id} app_todos::delete",
            "other no route ",
        ];
        assert_eq!(start, expected, "in the order of their declaration");
        let requests: Vec<_> = shown.iter().map(|row| row[4].as_str()).collect();
        assert_eq!(requests, ["3", "0", "1", "0", "1"], "{shown:?}");
        let medians = [&*shown[0][8], &*shown[1][8]];
        assert!(medians[0].ends_with('s'), "{shown:?}");
        assert_eq!(medians[1], "\u{2013}", "{shown:?}");
        let slowest = browser.value("document.querySelector('#routes tbody tr span').title");
        assert!(
            slowest.as_str().unwrap().starts_with("/todos, "),
            "{slowest}"
        );

        let press = "[...document.querySelectorAll('#routes th button')]
            .find((button) => button.textContent === 'requests').click()";
        browser.value(press);
        let sorted = rows(&mut browser);
        assert_eq!([&*sorted[0][4], &*sorted[4][4]], ["3", "0"], "{sorted:?}");
        browser.value(press);
        assert_eq!(rows(&mut browser)[1][0], "POST", "as they were declared");
        browser.assert_content();
    }
}

#[test]
fn the_routing_of_a_request_is_explained() {
    let (recipe, url, secret) = inspected();
    let field = format!("Kamea-Explain: {secret}");
    let explain = |method: &str, path: &str| -> String {
        let target = format!("http://{}{path}", recipe.address);
        let text = curl(&["-X", method, "-H", &field, &target]);
        let told: Value = serde_json::from_str(&text).unwrap();
        let hops = told["hops"].as_array().unwrap();
        let hop = hops.iter().find(|hop| hop["from"] == "app.remarks");
        let hop = hop.unwrap_or_else(|| panic!("{text}"));
        format!("{} {}", hop["verdict"].as_str().unwrap(), hop["rules"])
    };
    for (method, path, verdict, rule) in [
        (
            "GET",
            "/todos",
            "finds /todos, handler app_todos::list",
            "almost, but the path ends before {id}",
        ),
        (
            "DELETE",
            "/todos/1",
            "finds /todos/{id}, id = \"1\", handler app_todos::delete",
            "almost, but the path goes on with",
        ),
        (
            "GET",
            "/tods/1",
            "finds 404, no route matches",
            "is not todos",
        ),
        (
            "PUT",
            "/todos",
            "finds 405, these methods are there: GET, HEAD, POST, OPTIONS",
            "almost",
        ),
    ] {
        let told = explain(method, path);
        assert!(told.starts_with(verdict) && told.contains(rule), "{told}");
    }

    let mut browser = Browser::open((1280, 900));
    browser.go(&url);
    browser.wait_for("document.querySelector('#routes tbody tr')");
    assert_eq!(
        browser.value("document.querySelector('#explain').hidden"),
        false
    );
    browser.value("document.querySelector('#explain').click()");
    browser.value("document.querySelector('#details form').requestSubmit()");
    // The question may reach the server after a request, so there are requests until it was answered.
    let target = format!("http://{}/todos", recipe.address);
    let is_told = "Boolean(document.querySelector('.hops')?.innerText.includes('finds /todos'))";
    let told = (0..600).any(|_| {
        curl(&[&target]);
        browser.value(is_told) == true
    });
    assert!(
        told,
        "{}",
        browser.value("document.querySelector('#details').innerText")
    );
    browser.assert_content();
}
