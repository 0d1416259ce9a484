//! The login of the daemon, done for real: sessions, hashed passwords, a token in the form, a limit
//! of attempts.
//!
//! `cargo run --release --bin login_for_real -- --server-port 9001`

use std::net::IpAddr;
use std::sync::Arc;

use clap::Parser;
use http::StatusCode;
use kamea::{Graph, Scheduler};
use kamea_components::server::{Site, WebServer};
use kamea_components::web::{Failure, Network, Request, Response, Route, trust_proxies};
use kamea_daemon::{FormFields, own_folder, run};
use kamea_recipes::{Outcome, TlsArgs, ip, parse, port};
use kamea_session::{
    Attempt, Keys, MemoryOptions, PasswordOptions, Passwords, RequireLogin, Session,
    SessionOptions, Sessions, Verdict, hash_password, keep_in_memory, load_sessions, local_target,
    require_login, save_sessions,
};

/// Pages behind a login with sessions
#[derive(Parser)]
#[command(name = "login_for_real")]
struct Options {
    /// The address to listen on
    #[arg(long, value_name = "IP", value_parser = ip, default_value = "127.0.0.1")]
    server_ip: IpAddr,
    /// The port to listen on
    #[arg(long, value_name = "PORT", value_parser = port, default_value_t = 9001)]
    server_port: u16,
    /// The password of the user admin
    #[arg(long, value_name = "PASSWORD", default_value = "password")]
    password: String,
    /// A proxy whose X-Forwarded-For and X-Forwarded-Proto are true: an address, or a network
    #[arg(long, value_name = "NETWORK")]
    trusted_proxy: Vec<Network>,
    /// All clients use TLS: Secure cookies. A proxy on this machine is trusted
    #[arg(long)]
    behind_tls: bool,
    #[command(flatten)]
    tls: TlsArgs,
}

fn main() -> Outcome {
    let options: Options = parse();
    let hash = Arc::<str>::from(futures_lite::future::block_on(hash_password(
        &options.password,
    ))?);
    let users = async move |name: &str| (name == "admin").then(|| hash.to_string());
    let cookie = SessionOptions::default().signed(Keys::random()?);
    let cookie = match options.behind_tls {
        true => cookie.under_tls(),
        false => cookie,
    };
    let mut proxies = options.trusted_proxy;
    if options.behind_tls {
        proxies.extend(["127.0.0.0/8".parse::<Network>()?, "::1".parse()?]);
    }
    let mut graph = Graph::new("logins");
    let sessions = Sessions::add(&mut graph, keep_in_memory(MemoryOptions::default()), cookie);
    let passwords = Passwords::add(&mut graph, users, PasswordOptions::default());
    let scheduler = Scheduler::new();
    scheduler.run(graph)?;
    Ok(run(
        scheduler,
        server(sessions, passwords, proxies)?.tls_settings(options.tls.settings),
        options.server_ip,
        options.server_port,
    )?)
}

fn server(
    sessions: Sessions,
    passwords: Passwords,
    proxies: Vec<Network>,
) -> Result<WebServer, http::method::InvalidMethod> {
    let required = RequireLogin::below("/")
        .page("/login")
        .except("/css")
        .except("/images");
    let log_in = async move |request: Request| log_in(request, &passwords).await;
    let server = WebServer::new(Site::new(own_folder().join("static")))
        .filter("proxies", trust_proxies(proxies))
        .around("sessions", load_sessions(sessions), save_sessions())
        .filter("login", require_login(required))
        .handle("index", Route::path("/").method("GET")?, index)
        .handle("form", Route::path("/login").method("GET")?, form)
        .handle("log in", Route::path("/login").method("POST")?, log_in)
        .handle("log out", Route::path("/logout").method("POST")?, log_out);
    Ok(server)
}

/// The session of a request.
async fn session(request: &Request) -> Result<Session, Failure> {
    Session::of(request)
        .await
        .map_err(|error| error.refuse(request))
}

async fn index(request: Request) -> Result<Response<()>, Failure> {
    let session = session(&request).await?;
    let failed = |error: kamea_session::SessionError| error.refuse(&request);
    let visits = session.update("visits", |visits: Option<u64>| visits.unwrap_or(0) + 1);
    let visits = visits.await.map_err(failed)?;
    let token = session.form_token().await.map_err(failed)?;
    let messages = session.take_flashes().await.map_err(failed)?;
    let messages: String = messages
        .iter()
        .map(|flash| format!("<p>{}</p>", escape(&flash.text)))
        .collect();
    let user = escape(&session.user().unwrap_or_default());
    Ok(page(&format!(
        "<h1>Welcome, {user}</h1>{messages}<p>Visit {visits} of this session.</p>\
         <form method=post action=/logout><input type=hidden name=token value={token}>\
         <button>Log out</button></form>"
    )))
}

async fn form(request: Request) -> Result<Response<()>, Failure> {
    let session = session(&request).await?;
    let query = request.head.target.query().unwrap_or_default();
    let next = FormFields::of(query.as_bytes());
    let next = next.only("next").and_then(local_target).unwrap_or("/");
    login_page(&request, &session, next, "").await
}

/// The form, with a message.
async fn login_page(
    request: &Request,
    session: &Session,
    next: &str,
    message: &str,
) -> Result<Response<()>, Failure> {
    let token = session
        .form_token()
        .await
        .map_err(|error| error.refuse(request))?;
    Ok(page(&format!(
        "<h1>Log in</h1><p>{}</p><form method=post action=/login>\
         <input type=hidden name=token value={token}><input type=hidden name=next value=\"{}\">\
         <label>Name <input name=username autocomplete=username required></label>\
         <label>Password <input name=password type=password autocomplete=current-password></label>\
         <button>Log in</button></form>",
        escape(message),
        escape(next)
    )))
}

async fn log_in(mut request: Request, passwords: &Passwords) -> Result<Response<()>, Failure> {
    let session = session(&request).await?;
    let form = FormFields::read(&mut request).await?;
    let next = form.only("next").and_then(local_target).unwrap_or("/");
    if !session.is_form_token(form.only("token").unwrap_or_default()) {
        return Err(request.refuse(StatusCode::FORBIDDEN, "the form is too old; load it again"));
    }
    let attempt = Attempt {
        name: form.only("username").unwrap_or_default().to_owned(),
        password: form.only("password").unwrap_or_default().to_owned(),
        // Behind a trusted proxy, this is the client: one client does not lock out all others.
        address: request.exchange.peer.ip(),
    };
    let name = attempt.name.clone();
    let verdict = passwords.check(attempt).await.unwrap_or_else(|error| {
        log::error!(
            "{} | the check of passwords: {error}",
            request.exchange.peer
        );
        Verdict::Busy
    });
    answer(&request, &session, verdict, &name, next).await
}

/// Logs the user in, or says why not.
async fn answer(
    request: &Request,
    session: &Session,
    verdict: Verdict,
    name: &str,
    next: &str,
) -> Result<Response<()>, Failure> {
    match verdict {
        Verdict::Right => {
            let logged_in = async {
                session.log_in(name).await?;
                session.flash("info", "You are logged in.").await
            };
            logged_in.await.map_err(|error| error.refuse(request))?;
            Ok(to(request, next)?)
        }
        Verdict::Wrong => {
            let page = login_page(request, session, next, "Name or password is wrong.").await?;
            let page = page.with_status(StatusCode::UNAUTHORIZED);
            Ok(page.with(
                "WWW-Authenticate",
                "Cookie realm=\"daemon\", form-action=\"/login\"",
            ))
        }
        Verdict::Limited { wait } => {
            let why = "there were too many attempts; wait a moment";
            let failure = request.refuse(StatusCode::TOO_MANY_REQUESTS, why);
            Err(failure.with("Retry-After", (wait.as_secs() + 1).to_string()))
        }
        _ => {
            let why = "too many logins at once; try again in a moment";
            Err(request
                .refuse(StatusCode::SERVICE_UNAVAILABLE, why)
                .with("Retry-After", "1"))
        }
    }
}

async fn log_out(mut request: Request) -> Result<Response<()>, Failure> {
    let session = session(&request).await?;
    let form = FormFields::read(&mut request).await?;
    if !session.is_form_token(form.only("token").unwrap_or_default()) {
        return Err(request.refuse(StatusCode::FORBIDDEN, "the form is too old; load it again"));
    }
    session
        .log_out()
        .await
        .map_err(|error| error.refuse(&request))?;
    to(&request, "/login")
}

fn to(request: &Request, target: &str) -> Result<Response<()>, Failure> {
    let response = Response::from(StatusCode::SEE_OTHER).try_with("Location", target);
    response.map_err(|_| request.refuse(StatusCode::BAD_REQUEST, "the target is invalid"))
}

fn page(content: &str) -> Response<()> {
    Response::html(format!(
        "<!DOCTYPE html>\n<html lang=en><meta charset=utf-8><title>The daemon</title>\
         <link rel=stylesheet href=/css/styles.css><main>{content}</main>\n"
    ))
}

/// A text as part of a page.
fn escape(text: &str) -> String {
    let text = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}
