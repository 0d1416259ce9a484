//! The routes as they are counted: for the inspector, the log and Prometheus.

use std::panic::Location;

use kamea_components::web::CountedRoute;

use super::{Resource, Table};

impl Table {
    /// Numbers the handlers, and returns what counts their requests. Each resource also has a
    /// number for what no handler answers (405, OPTIONS). The last number is for paths without a
    /// resource.
    pub(crate) fn counted(&mut self) -> Vec<CountedRoute> {
        let mut counted = Vec::new();
        for resource in &mut self.resources {
            let pattern = resource.full_pattern();
            for handler in &mut resource.handlers {
                handler.number = counted.len();
                let method = handler
                    .method
                    .as_ref()
                    .map_or("any", |method| method.as_str());
                counted.push(CountedRoute::new(method, &*pattern, &*handler.handler));
            }
            resource.number = counted.len();
            counted.push(CountedRoute::new("", pattern, ""));
        }
        counted.push(CountedRoute::new("", "", ""));
        counted
    }
}

impl Resource {
    /// Its pattern, after its host if it has one.
    pub(crate) fn full_pattern(&self) -> String {
        let host = self.host.as_deref().unwrap_or_default();
        format!("{host}{}", self.pattern)
    }
}

/// The name of a handler by that of its type: without what is generic. A closure has only a place.
pub(crate) fn handler_name(of_type: &str, place: &Location<'_>) -> String {
    if of_type.contains("{{closure}}") {
        return format!("{}:{}", place.file(), place.line());
    }
    let (mut name, mut depth) = (String::new(), 0_usize);
    for character in of_type.chars() {
        match character {
            '<' => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            character if depth == 0 => name.push(character),
            _ => {}
        }
    }
    name.strip_suffix("::").map(str::to_owned).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use crate::{App, Call, Html, TemplateView, Templates, documented};

    async fn show(_: Call<u32>) {}

    #[derive(Default)]
    struct Notes;

    impl Notes {
        async fn list(&self) {}
    }

    impl<S: Send + Sync + 'static> crate::View<S> for Notes {
        fn methods(methods: crate::Methods<Self, S>) -> crate::Methods<Self, S> {
            methods.get(Self::list)
        }
    }

    #[test]
    fn names_are_those_of_the_functions() {
        let templates = Templates::new([("page.html", "")]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let files = folder.path().display().to_string();
        let app = App::new()
            .get("/users/{id}", show)
            .post("/users/{id}", documented(show))
            .get("/", async || Html("hello"))
            .view("/notes", Notes)
            .view("/page", TemplateView::new(templates, "page.html", ()))
            .folder("/static", folder.path())
            .any("/any", show)
            .host("b.example", App::new().get("/", show));
        let line = line!() - 6;
        let counted = app.table().unwrap().counted();
        let names: Vec<_> = counted.iter().map(|route| format!("{route:?}")).collect();
        let place = format!("{}:{line}", file!());
        let own = module_path!();
        for (method, pattern, handler) in [
            ("GET", "/users/{id}", format!("{own}::show")),
            ("POST", "/users/{id}", format!("{own}::show")),
            ("", "/users/{id}", String::new()),
            ("GET", "/", place),
            ("GET", "/notes", format!("{own}::Notes::list")),
            (
                "GET",
                "/page",
                "kamea_app::views::ready::TemplateView::get".to_owned(),
            ),
            ("GET", "/static/{*file}", format!("the files of {files}")),
            ("any", "/any", format!("{own}::show")),
            ("GET", "b.example/", format!("{own}::show")),
            ("", "", String::new()),
        ] {
            let expected =
                format!("method: {method:?}, pattern: {pattern:?}, handler: {handler:?}");
            assert!(
                names.iter().any(|name| name.contains(&expected)),
                "{expected} in {names:#?}"
            );
        }
    }
}
