//! The description follows the table and the types.

use http::StatusCode;
use kamea::testing::block_on;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{App, Call, Form, Html, Json, OpenApi, Problem, documented};

#[derive(Deserialize, JsonSchema)]
#[allow(dead_code, reason = "only described")]
struct Wanted {
    shelf: String,
    page: Option<u32>,
    size: u8,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Book {
    title: String,
    pages: u32,
    next: Option<Box<Book>>,
}

async fn list(_: Call<Wanted>) -> Result<Json<Vec<Book>>, Problem> {
    Ok(Json(Vec::new()))
}

async fn add(call: Call<(), Json<Book>>) -> (StatusCode, Json<Book>) {
    (StatusCode::CREATED, call.body)
}

#[test]
fn the_document_has_every_route_with_its_types() {
    let app = App::new()
        .get(
            "/shelves/{shelf}",
            documented(list).summary("Lists <books>"),
        )
        .post("/books", documented(add))
        .name("book")
        .put("/forms", documented(async |_: Call<(), Form<Book>>| {}))
        .get(
            "/pairs/{a}/{b}",
            documented(async |_: Call<(u8, String)>| "x"),
        )
        .get("/files/{*rest}", async || Html("plain"))
        .any("/any", async || "x")
        .openapi(OpenApi::new("Books", "1.0").description("All <b>books</b>."));
    let document = app.document().unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["title"], "Books");
    let get = &document["paths"]["/shelves/{shelf}"]["get"];
    assert_eq!(get["operationId"], "get_shelves_shelf");
    let parameters: Vec<_> = get["parameters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|parameter| {
            format!(
                "{} {} {}",
                parameter["name"], parameter["in"], parameter["required"]
            )
        })
        .collect();
    assert_eq!(
        parameters,
        [
            "\"shelf\" \"path\" true",
            "\"page\" \"query\" false",
            "\"size\" \"query\" true",
        ]
    );
    assert_eq!(get["parameters"][1]["allowEmptyValue"], true);
    assert_eq!(get["parameters"][1]["schema"]["maximum"], u32::MAX);
    let schema = &get["responses"]["200"]["content"]["application/json"]["schema"];
    assert_eq!(schema["items"]["$ref"], "#/components/schemas/Book");
    assert!(get["responses"]["default"]["content"]["application/problem+json"].is_object());
    let post = &document["paths"]["/books"]["post"];
    assert_eq!(post["operationId"], "post_book");
    assert!(post["responses"]["2XX"]["content"]["application/json"].is_object());
    let put = &document["paths"]["/forms"]["put"];
    assert!(put["requestBody"]["content"]["application/x-www-form-urlencoded"].is_object());
    assert!(put["responses"]["204"].is_object());
    let pairs = &document["paths"]["/pairs/{a}/{b}"]["get"]["parameters"];
    assert_eq!(pairs[0]["schema"]["maximum"], 255);
    assert_eq!(pairs[1]["schema"]["type"], "string");
    let files = &document["paths"]["/files/{rest}"]["get"];
    assert_eq!(files["parameters"][0]["schema"]["type"], "string");
    let book = &document["components"]["schemas"]["Book"];
    assert_eq!(book["required"], serde_json::json!(["title", "pages"]));
    block_on(async {
        let app = app.test();
        assert_eq!(
            app.get("/openapi.json")
                .send()
                .await
                .json::<serde_json::Value>(),
            document
        );
        let page = app.get("/docs").send().await.text();
        for part in [
            "Lists &lt;books&gt;",
            "shelves&#x2f;{shelf}",
            "required",
            "All &lt;b&gt;books",
        ] {
            assert!(page.contains(part), "{part} is not in {page}");
        }
    });
}
