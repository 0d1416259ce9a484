//! `login_for_real`: sessions, tokens, limits, and what does not help an attacker.

use super::started::{Answered, Started};

const LOGIN: &str = env!("CARGO_BIN_EXE_login_for_real");

/// The session cookie that a response sets.
fn cookie(answered: &Answered) -> String {
    let line = answered
        .fields("set-cookie")
        .into_iter()
        .find(|line| line.starts_with("sid=") || line.starts_with("__Host-sid="));
    let line = line.unwrap_or_else(|| panic!("{answered:?}"));
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(line.contains(attribute), "{line}");
    }
    line.split(';').next().unwrap().to_owned()
}

fn token(answered: &Answered) -> String {
    let rest = answered.body().split("name=token value=").nth(1);
    let rest = rest.unwrap_or_else(|| panic!("{answered:?}"));
    rest.split('>').next().unwrap().to_owned()
}

struct Client {
    login: Started,
}

impl Client {
    fn new() -> Self {
        Self::with(&[])
    }

    fn with(options: &[&str]) -> Self {
        Self {
            login: Started::new(LOGIN, options),
        }
    }

    fn get(&self, path: &str, cookie: &str) -> Answered {
        self.login
            .ask(&format!("GET {path} HTTP/1.1\r\nCookie: {cookie}"), "")
    }

    fn post(&self, path: &str, cookie: &str, body: &str) -> Answered {
        self.post_from(path, cookie, body, "Accept: text/html")
    }

    fn post_from(&self, path: &str, cookie: &str, body: &str, field: &str) -> Answered {
        let head = format!("POST {path} HTTP/1.1\r\nCookie: {cookie}\r\n{field}");
        self.login.ask(&head, body)
    }

    /// Loads the form: the cookie and the token.
    fn form(&self) -> (String, String) {
        let form = self.get("/login", "");
        assert_eq!(form.status(), 200, "{form:?}");
        (cookie(&form), token(&form))
    }

    fn log_in(&self) -> String {
        let (before, token) = self.form();
        let body = format!("username=admin&password=password&token={token}");
        let answered = self.post("/login", &before, &body);
        assert_eq!(answered.status(), 303, "{answered:?}");
        cookie(&answered)
    }
}

#[test]
fn a_login_gives_a_new_session_and_a_logout_ends_it() {
    let client = Client::new();
    let answered = client.get("/", "a=1");
    let target = (answered.status(), answered.field("location"));
    assert_eq!(target, (303, "/login?next=/"));
    assert_eq!(client.get("/css/styles.css", "a=1").status(), 200);

    let (before, token_before) = client.form();
    let body = format!("username=admin&password=password&token={token_before}&next=/?a=b");
    let answered = client.post("/login", &before, &body);
    let target = (answered.status(), answered.field("location"));
    assert_eq!(target, (303, "/?a=b"));
    let session = cookie(&answered);
    assert_ne!(session, before, "session fixation");
    assert_eq!(
        client.get("/", &before).status(),
        303,
        "the old name is worth nothing"
    );

    let page = client.get("/", &session);
    assert_eq!(page.status(), 200, "{page:?}");
    assert!(page.body().contains("Welcome, admin") && page.body().contains("You are logged in."));
    assert!(page.body().contains("Visit 1 "), "{page:?}");
    assert_eq!(page.field("cache-control"), "no-store");
    assert!(page.field("vary").contains("Cookie"), "{page:?}");
    let page = client.get("/", &session);
    assert!(
        !page.body().contains("You are logged in."),
        "a message is shown once"
    );
    assert!(page.body().contains("Visit 2 "));

    // Somebody else may know the token of the session before the login.
    let answered = client.post("/logout", &session, &format!("token={token_before}"));
    assert_eq!(answered.status(), 403, "{answered:?}");
    // A token that looks different each time is still the same token.
    assert_ne!(token(&page), token(&client.get("/", &session)));
    let answered = client.post("/logout", &session, &format!("token={}", token(&page)));
    assert_eq!(answered.field("location"), "/login");
    let removed = answered.field("set-cookie");
    assert!(
        removed.starts_with("sid=;") && removed.contains("Max-Age=0"),
        "{removed}"
    );
    assert_eq!(client.get("/", &session).status(), 303);
}

#[test]
fn what_was_not_given_by_the_server_is_no_login() {
    let client = Client::new();
    let session = client.log_in();
    let (name, value) = session.split_once('=').unwrap();
    let (_, id) = value.split_once('.').unwrap();
    for cookie in [
        "auth=true",
        "sid=",
        "sid=admin",
        "sid=.",
        &format!("{name}={id}"),
        &format!("{name}=AAAA.{id}"),
        &format!("{name}={value}x"),
        &format!("{name}={}", &value[1..]),
        &format!("{name}={}", value.to_uppercase()),
        &format!("SID={value}"),
        &format!("{name}={value}; {name}=other"),
        &format!("{name}=other; {name}={value}"),
        &format!("{name}={}", "x".repeat(4000)),
    ] {
        let answered = client.get("/", cookie);
        assert_eq!(answered.status(), 303, "{cookie}: {answered:?}");
    }
    for cookie in [
        session.clone(),
        format!("a=1; {session}"),
        format!("{session}; {session}"),
    ] {
        assert_eq!(client.get("/", &cookie).status(), 200, "{cookie}");
    }
}

#[test]
fn other_sites_can_neither_log_in_nor_log_out() {
    let client = Client::new();
    let (before, token_before) = client.form();
    let body = format!("username=admin&password=password&token={token_before}");
    for field in [
        "Origin: https://evil.example",
        "Origin: null",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
    ] {
        let answered = client.post_from("/login", &before, &body, field);
        assert_eq!(answered.status(), 403, "{field}: {answered:?}");
        assert!(answered.fields("set-cookie").is_empty());
    }
    // A form of another session, or none.
    let (other, _) = client.form();
    for (cookie, body) in [
        (&before, "username=admin&password=password"),
        (&before, "username=admin&password=password&token="),
        (&before, "username=admin&password=password&token=AAAA"),
        (&other, body.as_str()),
        (&String::from("a=1"), body.as_str()),
    ] {
        let answered = client.post("/login", cookie, body);
        assert_eq!(answered.status(), 403, "{cookie} {body}: {answered:?}");
    }
    let session = client.log_in();
    assert_eq!(client.post("/logout", &session, "token=AAAA").status(), 403);
    assert_eq!(
        client.get("/logout", &session).status(),
        404,
        "a link logs nobody out"
    );
    assert_eq!(client.get("/", &session).status(), 200);
}

#[test]
fn guesses_are_refused_and_limited_and_lead_nowhere_else() {
    let client = Client::new();
    let (cookie_before, token) = client.form();
    let guess = |name: &str, password: &str| {
        let body = format!("username={name}&password={password}&token={token}&next=//evil.example");
        client.post("/login", &cookie_before, &body)
    };
    for name in ["admin", "nobody", ""] {
        let answered = guess(name, "wrong");
        assert_eq!(answered.status(), 401, "{answered:?}");
        assert!(answered.field("www-authenticate").starts_with("Cookie "));
        assert!(answered.body().contains("Name or password is wrong."));
        assert!(!answered.body().contains("evil"), "{answered:?}");
    }
    let refused = (0..30)
        .map(|_| guess("admin", "wrong"))
        .find(|answered| answered.status() == 429);
    let refused = refused.expect("a limit");
    assert!(
        refused.field("retry-after").parse::<u64>().is_ok(),
        "{refused:?}"
    );
    assert_eq!(
        guess("admin", "password").status(),
        429,
        "the right one does not help now"
    );
}

#[test]
fn curl_logs_in_with_a_jar_and_not_with_the_cookie_of_the_assignment() {
    let login = Started::new(LOGIN, &[]);
    let folder = tempfile::tempdir().unwrap();
    let jar = folder.path().join("jar").display().to_string();
    let code = ["-o", "/dev/null", "-w", "%{http_code}"];
    assert_eq!(
        login.curl("/", &[&code[..], &["-b", "auth=true"]].concat()),
        "303"
    );
    let jars = ["-b", &jar, "-c", &jar];
    let form = login.curl("/login", &jars);
    let token = form
        .split("name=token value=")
        .nth(1)
        .unwrap()
        .split('>')
        .next()
        .unwrap();
    let data = format!("username=admin&password=password&token={token}");
    let page = login.curl("/login", &[&jars[..], &["-L", "-d", &data]].concat());
    assert!(page.contains("Welcome, admin"), "{page}");
}

#[test]
fn behind_tls_the_cookie_is_of_this_host_alone() {
    let login = Started::new(LOGIN, &["--behind-tls"]);
    let answered = login.ask("GET /login HTTP/1.1", "");
    let line = answered.field("set-cookie");
    assert!(line.starts_with("__Host-sid="), "{line}");
    // RFC 6265bis, 4.1.3.2: "`Secure`, `Path=/`, and no `Domain`".
    assert!(line.contains("; Secure") && line.contains("Path=/") && !line.contains("Domain"));
}

#[test]
fn a_trusted_proxy_says_whether_a_client_uses_tls() {
    let set = |arguments: &[&str], field: &str| {
        let login = Started::new(LOGIN, arguments);
        let answered = login.ask(&format!("GET /login HTTP/1.1\r\n{field}"), "");
        let line = answered.field("set-cookie").to_owned();
        (line.starts_with("__Host-sid="), line.contains("; Secure"))
    };
    let trusting = [
        "--trusted-proxy",
        "127.0.0.1",
        "--trusted-proxy",
        "10.0.0.0/8",
    ];
    let secure = "X-Forwarded-Proto: https";
    assert_eq!(set(&trusting, secure), (true, true));
    assert_eq!(set(&trusting, "X-Forwarded-Proto: http"), (false, false));
    assert_eq!(set(&[], secure), (false, false));
    assert_eq!(
        set(&["--trusted-proxy", "10.0.0.0/8"], secure),
        (false, false)
    );
}

#[test]
fn behind_a_proxy_one_client_does_not_lock_out_the_others() {
    let guess = |client: &Client, form: &(String, String), number: u32, field: &str| {
        let (cookie, token) = form;
        let body = format!("username=name{number}&password=wrong&token={token}");
        client.post_from("/login", cookie, &body, field).status()
    };
    let client = Client::with(&["--behind-tls"]);
    let form = client.form();
    // What stands before the entry of the proxy is from the client, and may be anything.
    let guesses = (0..60).map(|number| {
        let field = format!("X-Forwarded-For: 198.51.100.{number}, 192.0.2.1");
        guess(&client, &form, number, &field)
    });
    assert!(guesses.into_iter().any(|status| status == 429));
    for field in [
        "X-Forwarded-For: 192.0.2.1, 192.0.2.2",
        "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 192.0.2.3",
    ] {
        assert_eq!(guess(&client, &form, 100, field), 401, "{field}");
    }
    // Without a proxy, clients must not choose their address.
    let client = Client::new();
    let form = client.form();
    let guesses = (0..60).map(|number| {
        let field = format!("X-Forwarded-For: 192.0.2.{number}");
        guess(&client, &form, number, &field)
    });
    assert!(guesses.into_iter().any(|status| status == 429));
}
