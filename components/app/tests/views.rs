//! Views: a function for each method, and those that are ready.

use std::sync::{Arc, Mutex};

use http::StatusCode;
use kamea::testing::block_on;
use serde::{Deserialize, Serialize};

use crate::{
    App, Call, Context, DetailView, FormView, Json, ListView, Listing, Methods, Next, Problem,
    RedirectView, Reply, Store, TemplateView, Templates, View,
};

struct Note(Mutex<String>);

impl Note {
    async fn get(&self) -> String {
        self.0.lock().unwrap().clone()
    }

    async fn put(&self, call: Call<(), Json<String>>) -> StatusCode {
        *self.0.lock().unwrap() = call.body.0;
        StatusCode::NO_CONTENT
    }
}

impl View<()> for Note {
    fn methods(methods: Methods<Self, ()>) -> Methods<Self, ()> {
        methods.get(Self::get).put(Self::put)
    }

    async fn dispatch(&self, context: Context, next: Next) -> Reply {
        match context.field("x-token") {
            Some("secret") => next.run(context).await,
            _ => Problem::new(StatusCode::FORBIDDEN, "a token is needed").into(),
        }
    }
}

#[test]
fn a_view_has_a_function_for_each_method_and_one_check() {
    block_on(async {
        let app = App::new()
            .view("/note", Note(Mutex::new("old".into())))
            .test();
        assert_eq!(app.get("/note").send().await.status(), 403);
        assert_eq!(
            app.get("/note")
                .field("X-Token", "secret")
                .send()
                .await
                .text(),
            "old"
        );
        let put = app.put("/note").field("X-Token", "secret").json(&"new");
        assert_eq!(put.send().await.status(), 204);
        assert_eq!(
            app.get("/note")
                .field("X-Token", "secret")
                .send()
                .await
                .text(),
            "new"
        );
        let answer = app.post("/note").send().await;
        assert_eq!(
            (answer.status().as_u16(), answer.field("allow")),
            (405, Some("GET, HEAD, PUT, OPTIONS"))
        );
        assert_eq!(
            app.options("/note").send().await.field("allow"),
            Some("GET, HEAD, PUT, OPTIONS")
        );
    });
}

#[derive(Clone, Serialize, Deserialize)]
struct Book {
    title: String,
    pages: u32,
}

#[derive(Default)]
struct Books(Mutex<Vec<Book>>);

impl Store for Books {
    type Key = usize;
    type Item = Book;
    type New = Book;

    async fn list(&self, from: usize, count: usize) -> Result<Listing<Book>, Problem> {
        let books = self.0.lock().unwrap();
        let items = books.iter().skip(from).take(count).cloned().collect();
        Ok(Listing {
            items,
            total: books.len(),
        })
    }

    async fn find(&self, key: usize) -> Result<Option<Book>, Problem> {
        Ok(self.0.lock().unwrap().get(key).cloned())
    }

    async fn add(&self, new: Book) -> Result<(), Problem> {
        if new.pages == 0 {
            return Err(Problem::invalid("pages", "a book has pages"));
        }
        self.0.lock().unwrap().push(new);
        Ok(())
    }
}

#[test]
fn ready_views_show_lists_items_and_forms() {
    let templates = Templates::new([
        (
            "list",
            "{% for book in items %}{{ book.title }},{% endfor %} {{ page }}/{{ pages }}",
        ),
        ("item", "<b>{{ item.title }}</b>"),
        ("form", "{{ values.title }}|{{ errors.pages }}"),
        ("about", "{{ name }}"),
    ])
    .unwrap();
    let books = Arc::new(Books::default());
    let view = |name| (books.clone(), templates.clone(), name);
    let (list, detail, form) = (view("list"), view("item"), view("form"));
    let app = App::new()
        .view("/books", ListView::new(list.0, list.1, list.2).per_page(2))
        .view("/books/{id}", DetailView::new(detail.0, detail.1, detail.2))
        .view("/new", FormView::new(form.0, form.1, form.2, "/books"))
        .view(
            "/about",
            TemplateView::new(
                templates.clone(),
                "about",
                std::collections::HashMap::from([("name", "<Kamea>")]),
            ),
        )
        .view("/book/{id}", RedirectView::to("/books/{id}"))
        .test();
    block_on(async {
        assert_eq!(app.get("/new").send().await.text(), "|");
        for title in ["A", "B", "<C>"] {
            let answer = app
                .post("/new")
                .form(&[("title", title), ("pages", "3")])
                .send()
                .await;
            assert_eq!(
                (answer.status().as_u16(), answer.field("location")),
                (303, Some("/books"))
            );
        }
        for (pages, error) in [("0", "a book has pages"), ("x", "is not a whole number")] {
            let answer = app
                .post("/new")
                .form(&[("title", "<D>"), ("pages", pages)])
                .send()
                .await;
            assert_eq!(answer.status(), 422);
            assert!(
                answer.text().starts_with("&lt;D&gt;|") && answer.text().contains(error),
                "{}",
                answer.text()
            );
        }
        assert_eq!(app.get("/books").send().await.text(), "A,B, 1/2");
        assert_eq!(
            app.get("/books?page=2").send().await.text(),
            "&lt;C&gt;, 2/2"
        );
        for path in ["/books?page=3", "/books?page=0", "/books/7"] {
            assert_eq!(app.get(path).send().await.status(), 404, "{path}");
        }
        assert_eq!(app.get("/books?page=x").send().await.status(), 400);
        assert_eq!(app.get("/books/2").send().await.text(), "<b>&lt;C&gt;</b>");
        let json = app
            .get("/books/0")
            .field("Accept", "application/json")
            .send()
            .await;
        assert_eq!(json.text(), "{\"item\":{\"title\":\"A\",\"pages\":3}}");
        assert_eq!(app.get("/about").send().await.text(), "&lt;Kamea&gt;");
        let answer = app.get("/book/a%2Fb?q=1").send().await;
        assert_eq!(
            (answer.status().as_u16(), answer.field("location")),
            (308, Some("/books/a%2Fb?q=1"))
        );
    });
}
