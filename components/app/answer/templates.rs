//! Pages from templates (minijinja).

use std::path::PathBuf;
use std::sync::Arc;

use minijinja::{AutoEscape, Environment, Value, path_loader};
use serde::Serialize;

use crate::{Html, Problem};

/// Templates in the language of Jinja, which escape what is put into pages.
///
/// # Examples
///
/// ```
/// use kamea_app::{App, Call, Html, Problem, State, Templates};
/// use serde::Serialize;
///
/// #[derive(Serialize)]
/// struct Greeting { name: String }
///
/// async fn greet(call: Call<String, (), State<Templates>>) -> Result<Html<String>, Problem> {
///     call.with.page("greeting.html", Greeting { name: call.params })
/// }
///
/// let templates = Templates::new([("greeting.html", "<h1>Hello, {{ name }}!</h1>")])?;
/// let page = templates.page("greeting.html", Greeting { name: "<you>".into() }).unwrap();
/// assert_eq!(page.0, "<h1>Hello, &lt;you&gt;!</h1>");
/// let app = App::with_state(templates).get("/hello/{name}", greet);
/// # Ok::<(), kamea_app::TemplateError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Templates(Arc<Kind>);

#[derive(Debug)]
enum Kind {
    /// Compiled once.
    Fixed(Box<Environment<'static>>),
    /// Reloaded for each page, while a program is being written.
    Reloaded(PathBuf),
}

/// A template that is invalid or missing, with its file and line.
#[derive(Debug, thiserror::Error)]
#[error("{0:#}")]
pub struct TemplateError(#[from] minijinja::Error);

impl Templates {
    /// Templates with these names and texts.
    ///
    /// # Errors
    ///
    /// [`TemplateError`], if one is not a valid template.
    pub fn new<'t>(
        templates: impl IntoIterator<Item = (&'t str, &'t str)>,
    ) -> Result<Self, TemplateError> {
        let mut environment = environment();
        for (name, text) in templates {
            environment.add_template_owned(name.to_owned(), text.to_owned())?;
        }
        Ok(Self(Arc::new(Kind::Fixed(Box::new(environment)))))
    }

    /// The templates in a folder. In a debug build they are reloaded for each page, so that a
    /// change shows at once; in a release build each is read once, when it is first needed.
    pub fn folder(folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        Self(Arc::new(match cfg!(debug_assertions) {
            true => Kind::Reloaded(folder),
            false => Kind::Fixed(Box::new(of_folder(&folder))),
        }))
    }

    /// The page that a template makes of a value.
    ///
    /// # Errors
    ///
    /// A [`Problem`] with 500, if the template is missing or fails; the log shows the reason.
    pub fn page(&self, name: &str, value: impl Serialize) -> Result<Html<String>, Problem> {
        let value = Value::from(minijinja::value::Serde(value));
        let render = |environment: &Environment<'_>| {
            let page = environment.get_template(name)?.render(&value)?;
            Ok::<_, minijinja::Error>(Html(page))
        };
        let page = match &*self.0 {
            Kind::Fixed(environment) => render(environment),
            Kind::Reloaded(folder) => render(&of_folder(folder)),
        };
        page.map_err(|error| Problem::internal(TemplateError(error)))
    }
}

/// HTML is escaped in every template: a page is what they are for.
fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|name| match name.ends_with(".txt") {
        true => AutoEscape::None,
        false => AutoEscape::Html,
    });
    environment
}

fn of_folder(folder: &PathBuf) -> Environment<'static> {
    let mut environment = environment();
    environment.set_loader(path_loader(folder));
    environment
}
