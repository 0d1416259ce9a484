//! The description as a page, without any script.

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Value as Shown, context};
use serde_json::Value;

const PAGE: &str = r#"<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{ info.title }}</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem }
  summary { cursor: pointer; padding: .4rem 0 } code, pre { font: 14px/1.4 ui-monospace, monospace }
  pre { background: #8881; padding: .6rem; overflow: auto } th { text-align: left; padding-right: 1rem }
  summary b { display: inline-block; min-width: 5rem; text-transform: uppercase }
</style>
<h1>{{ info.title }} <small>{{ info.version }}</small></h1>
<p>{{ info.description }}</p>
<p><a href="/openapi.json">The description in OpenAPI 3.1</a></p>
{% for operation in operations %}<details>
<summary><b>{{ operation.method }}</b> <code>{{ operation.path }}</code> {{ operation.summary }}</summary>
{% if operation.parameters %}<table>
{% for parameter in operation.parameters %}<tr><th>{{ parameter.name }}<td>in the {{ parameter.place }}
<td>{% if parameter.required %}required{% endif %}<td><code>{{ parameter.schema }}</code>
{% endfor %}</table>{% endif %}
{% for body in operation.bodies %}<p>{{ body.title }}</p>
{% if body.schema %}<pre>{{ body.schema }}</pre>{% endif %}
{% endfor %}</details>
{% endfor %}<h2>Schemas</h2>
{% for schema in schemas %}<details><summary><code>{{ schema.name }}</code></summary>
<pre>{{ schema.text }}</pre></details>
{% endfor %}"#;

/// Renders the page of a document.
pub(super) fn page(document: &Value) -> String {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    let operations: Vec<_> = operations(document).collect();
    let schemas = document["components"]["schemas"].as_object();
    let schemas: Vec<_> = schemas
        .into_iter()
        .flatten()
        .map(|(name, schema)| context! { name, text => format!("{schema:#}") })
        .collect();
    let info = Shown::from(Serde(&document["info"]));
    let page = environment.render_str(PAGE, context! { info, operations, schemas });
    page.unwrap_or_else(|error| {
        log::error!("the page of the description fails: {error}");
        String::new()
    })
}

fn operations(document: &Value) -> impl Iterator<Item = Shown> {
    let paths = document["paths"].as_object().into_iter().flatten();
    paths.flat_map(|(path, methods)| {
        let methods = methods.as_object().into_iter().flatten();
        methods.map(move |(method, operation)| {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let parameters: Vec<_> = parameters
                .map(|parameter| {
                    context! {
                        name => parameter["name"].as_str(),
                        place => parameter["in"].as_str(),
                        required => parameter["required"].as_bool(),
                        schema => parameter["schema"].to_string(),
                    }
                })
                .collect();
            context! {
                path,
                method,
                summary => operation["summary"].as_str(),
                parameters,
                bodies => bodies(operation),
            }
        })
    })
}

/// The body of the request, and those of the responses.
fn bodies(operation: &Value) -> Vec<Shown> {
    let request = ("Body".to_owned(), &operation["requestBody"]);
    let responses = operation["responses"].as_object().into_iter().flatten();
    let responses = responses.map(|(status, response)| (format!("Answer {status}"), response));
    let bodies = std::iter::once(request).chain(responses);
    let bodies = bodies.filter(|(_, body)| !body.is_null());
    bodies
        .map(|(title, body)| {
            let content = body["content"]
                .as_object()
                .and_then(|content| content.iter().next());
            match content {
                Some((media_type, content)) => {
                    let schema = &content["schema"];
                    let schema = (!schema.is_null()).then(|| format!("{schema:#}"));
                    context! { title => format!("{title}: {media_type}"), schema }
                }
                None => context! { title },
            }
        })
        .collect()
}
