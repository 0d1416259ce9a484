//! `WeApRous`: routes as the assignment of the HTTP daemon declares them, on top of [`App`].

use std::fmt;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::panic::Location;

use http::Method;
use kamea_components::http::Fields;
use serde::Serialize;

use crate::routes::handler_name;
use crate::{Answer, App, AppError, Argument, Call, Handler, Json};

/// A small application: a path and some methods lead to a function of the header fields and the
/// body, and the value that it returns is sent as JSON. For more, use [`App`].
///
/// # Examples
///
/// ```no_run
/// use kamea_app::WeApRous;
/// use kamea_components::http::Fields;
/// use serde_json::{Value, json};
///
/// async fn login(headers: Fields, body: String) -> Value {
///     let agent = headers.get("user-agent").map(String::from_utf8_lossy);
///     println!("{agent:?} logs in with {body}");
///     json!({"message": "Logged in"})
/// }
///
/// fn main() -> Result<(), kamea_app::WeApRousError> {
///     let mut app = WeApRous::new();
///     app.route("/login", &["POST"], login);
///     app.route("/hello", &["GET"], async |_, _| json!({"message": "Hello, world!"}));
///     app.prepare_address([127, 0, 0, 1], 8000);
///     app.run()
/// }
/// ```
#[derive(Debug, Default)]
pub struct WeApRous {
    app: App,
    routes: Vec<DeclaredRoute>,
    address: Option<SocketAddr>,
    /// The address of the live view.
    inspect: Option<SocketAddr>,
    /// The first method that is not a token.
    mistake: Option<WeApRousError>,
}

/// A route as it was declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredRoute {
    /// The path.
    pub path: String,
    /// The methods, in upper case.
    pub methods: Vec<String>,
}

impl fmt::Display for DeclaredRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<12} {}", self.methods.join(", "), self.path)
    }
}

/// Why an application does not run.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum WeApRousError {
    /// It has no address.
    #[error("the application has no address: call `prepare_address(ip, port)` before `run()`")]
    NoAddress,
    /// A method is not a token.
    #[error(
        "the route {path} has the method `{method}`, which is not a token, such as GET or POST"
    )]
    Method {
        /// The path of the route.
        path: String,
        /// The method.
        method: String,
    },
    /// The routes conflict, or the server cannot start.
    #[error(transparent)]
    App(#[from] AppError),
    /// The routes cannot be printed.
    #[error(transparent)]
    Output(#[from] io::Error),
}

/// The message: `main` prints its error in this form.
impl fmt::Debug for WeApRousError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl WeApRous {
    /// An application without routes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Declares that a function answers these methods at a path; GET if no method is named. The
    /// body is text in UTF-8, of up to 2 MiB.
    ///
    /// A call reads better than an attribute here: the function stays a plain function, and the
    /// routes stand together in `main`.
    #[track_caller]
    pub fn route<H, R>(&mut self, path: &str, methods: &[&str], handler: H) -> &mut Self
    where
        H: AsyncFn(Fields, String) -> R + Send + Sync + 'static,
        R: Serialize,
    {
        let name = handler_name(std::any::type_name::<H>(), Location::caller());
        let handler = async move |call: Call<(), String>| {
            Json(handler(call.head.fields.clone(), call.body).await)
        };
        self.add(path, methods, handler, &name)
    }

    /// Declares a route whose function is a handler of an [`App`]: it can take a typed body, the
    /// session and the address of the peer, and answer with another status than 200.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_app::{Call, Json, Problem, WeApRous};
    ///
    /// async fn half(call: Call<(), Json<u32>>) -> Result<Json<u32>, Problem> {
    ///     match call.body.0 {
    ///         odd if odd % 2 == 1 => Err(Problem::invalid("body", "it is odd")),
    ///         even => Ok(Json(even / 2)),
    ///     }
    /// }
    ///
    /// let mut app = WeApRous::new();
    /// app.handle("/half/", &["POST"], half);
    /// assert_eq!(app.routes()[0].to_string(), "POST         /half/");
    /// ```
    #[track_caller]
    pub fn handle<A, H>(&mut self, path: &str, methods: &[&str], handler: H) -> &mut Self
    where
        H: Handler<A>,
        H::Input: Argument<()>,
        H::Output: Answer,
    {
        let name = handler_name(handler.type_name(), Location::caller());
        self.add(path, methods, handler, &name)
    }

    fn add<A, H>(&mut self, path: &str, methods: &[&str], handler: H, name: &str) -> &mut Self
    where
        H: Handler<A>,
        H::Input: Argument<()>,
        H::Output: Answer,
    {
        let methods = if methods.is_empty() {
            &["GET"]
        } else {
            methods
        };
        let methods: Vec<_> = methods
            .iter()
            .map(|method| method.to_ascii_uppercase())
            .collect();
        let wrong = methods
            .iter()
            .find(|method| Method::from_bytes(method.as_bytes()).is_err());
        if let Some(method) = wrong {
            self.mistake.get_or_insert(WeApRousError::Method {
                path: path.to_owned(),
                method: method.clone(),
            });
            return self;
        }
        let parsed = methods
            .iter()
            .flat_map(|method| Method::from_bytes(method.as_bytes()));
        self.app = std::mem::take(&mut self.app).add_named(parsed.collect(), path, handler, name);
        self.routes.push(DeclaredRoute {
            path: path.to_owned(),
            methods,
        });
        self
    }

    /// Changes the [`App`] below: its limits, what it does with a slash at the end of a path,
    /// layers and sessions around it, components beside it.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_app::{TrailingSlash, WeApRous};
    ///
    /// let mut app = WeApRous::new();
    /// app.route("/hello/", &["GET"], async |_, _| "hello")
    ///     .configure(|app| app.trailing_slash(TrailingSlash::Ignore).body_limit(1024));
    /// let explained = app.into_app()?.explain("GET", "/hello")?.to_string();
    /// assert!(explained.contains("/hello/"), "{explained}");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn configure(&mut self, change: impl FnOnce(App) -> App) -> &mut Self {
        self.app = change(std::mem::take(&mut self.app));
        self
    }

    /// Shows the running graphs on a page at this address, while the application runs.
    pub fn show_graphs(&mut self, address: SocketAddr) -> &mut Self {
        self.inspect = Some(address);
        self
    }

    /// Sets the address at which the application listens.
    pub fn prepare_address(&mut self, ip: impl Into<IpAddr>, port: u16) -> &mut Self {
        self.address = Some(SocketAddr::new(ip.into(), port));
        self
    }

    /// The routes, in the order of their declaration.
    #[must_use]
    pub fn routes(&self) -> &[DeclaredRoute] {
        &self.routes
    }

    /// The routes as an [`App`], to serve them by another server.
    ///
    /// # Errors
    ///
    /// [`WeApRousError::Method`], if a method is not a token.
    pub fn into_app(self) -> Result<App, WeApRousError> {
        match self.mistake {
            Some(mistake) => Err(mistake),
            None => Ok(self.app),
        }
    }

    /// Prints the routes, and runs the application until ctrl-c or SIGTERM.
    ///
    /// # Errors
    ///
    /// [`WeApRousError`], if it has no address, if routes conflict, or if the server cannot start.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_app::WeApRous;
    ///
    /// let error = WeApRous::new().run().unwrap_err();
    /// let words = "the application has no address: call `prepare_address(ip, port)` before `run()`";
    /// assert_eq!(error.to_string(), words);
    /// ```
    pub fn run(self) -> Result<(), WeApRousError> {
        let address = self.address.ok_or(WeApRousError::NoAddress)?;
        let (routes, inspect) = (self.routes.clone(), self.inspect);
        let app = self.into_app()?;
        app.check().map_err(AppError::from)?;
        let mut stdout = io::stdout().lock();
        for route in routes {
            writeln!(stdout, "Route: {route}")?;
        }
        drop(stdout);
        Ok(app.run_inspected(&address.to_string(), inspect)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_told_when_it_runs() {
        let mut app = WeApRous::new();
        app.route("/a", &["GE T"], async |_, _| 1)
            .prepare_address([127, 0, 0, 1], 0);
        let error = app.run().unwrap_err().to_string();
        assert!(error.contains("/a") && error.contains("`GE T`"), "{error}");

        let mut app = WeApRous::new();
        app.route("/a/{x}", &["GET"], async |_, _| 1)
            .route("/a/{y}", &["get"], async |_, _| 2);
        app.prepare_address([127, 0, 0, 1], 0);
        let error = app.run().unwrap_err().to_string();
        assert!(
            error.contains("/a/{x}") && error.contains("/a/{y}"),
            "{error}"
        );
    }

    #[test]
    fn routes_are_listed_as_they_were_declared() {
        let mut app = WeApRous::new();
        app.route("/hello", &["get", "POST"], async |_, _| ());
        app.route("/plain", &[], async |_, _| ());
        let lines: Vec<_> = app.routes().iter().map(ToString::to_string).collect();
        assert_eq!(lines, ["GET, POST    /hello", "GET          /plain"]);
    }
}
