//! The document itself.

use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::limits::add_limits;
use super::{OpenApi, Operation};
use crate::routes::{MethodHandler, Resource, Table};

/// Makes the document of a table.
pub(super) fn document(table: &Table, info: &OpenApi) -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let mut paths = Map::new();
    for resource in &table.resources {
        let path = resource.pattern.replace("{*", "{");
        let operations = paths.entry(path).or_insert_with(|| json!({}));
        for handler in &resource.handlers {
            let Some(method) = &handler.method else {
                continue;
            };
            let known = [
                "GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE",
            ];
            if known.contains(&method.as_str()) {
                let method = method.as_str().to_ascii_lowercase();
                operations[&method] = operation(&mut generator, resource, handler, &method);
            }
        }
    }
    let mut schemas = generator.take_definitions(true);
    schemas.insert("Problem".to_owned(), problem());
    let mut about = json!({ "title": info.title, "version": info.version });
    if !info.description.is_empty() {
        about["description"] = Value::from(info.description.as_str());
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": about,
        "paths": paths,
        "components": { "schemas": schemas },
    });
    add_limits(&mut document);
    document
}

/// The schema of problem details (RFC 9457 section 3).
fn problem() -> Value {
    json!({
        "type": "object",
        "description": "Problem details (RFC 9457).",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": { "type": "string" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "detail": { "type": "string" },
            "errors": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["field", "detail"],
                    "properties": { "field": { "type": "string" }, "detail": { "type": "string" } },
                },
            },
        },
    })
}

fn operation(
    generator: &mut SchemaGenerator,
    resource: &Resource,
    handler: &MethodHandler,
    method: &str,
) -> Value {
    let mut described = Operation::new(generator);
    let mut object = json!({});
    let id = match &handler.name {
        Some(name) => format!("{method}_{name}"),
        None => operation_id(method, &resource.pattern),
    };
    object["operationId"] = Value::from(id);
    if let Some(documentation) = handler.documentation {
        (documentation.describe)(&mut described);
        if !documentation.summary.is_empty() {
            object["summary"] = Value::from(documentation.summary);
        }
    }
    let parameters = parameters(resource, described.parameters.as_ref());
    if !parameters.is_empty() {
        object["parameters"] = Value::from(parameters);
    }
    if let Some((media_type, schema)) = &described.body {
        object["requestBody"] = json!({
            "required": true,
            "content": { *media_type: { "schema": schema } },
        });
    }
    let mut responses = described.responses;
    if responses.is_empty() {
        responses.insert("2XX".to_owned(), json!({ "description": "" }));
    }
    for (_, response) in &mut responses {
        response["description"] = Value::from("The answer.");
    }
    let content = json!({ "schema": { "$ref": "#/components/schemas/Problem" } });
    responses.insert(
        "default".to_owned(),
        json!({
            "description": "What was wrong.",
            "content": { "application/problem+json": content, "text/html": {}, "text/plain": {} },
        }),
    );
    object["responses"] = Value::from(responses);
    object
}

/// An id made of the method and the path: `get_users_id`.
fn operation_id(method: &str, pattern: &str) -> String {
    let words = pattern
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty());
    std::iter::once(method)
        .chain(words)
        .collect::<Vec<_>>()
        .join("_")
}

/// The parameters, one by one: captures are in the path, the others in the query.
fn parameters(resource: &Resource, schema: Option<&Schema>) -> Vec<Value> {
    let none = Map::new();
    let schema = schema.and_then(Schema::as_object).unwrap_or(&none);
    let properties = schema.get("properties").and_then(Value::as_object);
    let required = schema.get("required").and_then(Value::as_array);
    let items = schema.get("prefixItems").and_then(Value::as_array);
    let is_plain = properties.is_none() && items.is_none() && is_of_value(schema);
    let mut parameters = Vec::new();
    for (place, name) in resource.captures.iter().enumerate() {
        let of_property = properties.and_then(|properties| properties.get(&**name));
        let of_item = items.and_then(|items| items.get(place));
        let plain = (is_plain && place == 0).then(|| Value::from(schema.clone()));
        let schema = of_property.or(of_item).cloned().or(plain);
        let schema = schema.unwrap_or_else(|| json!({ "type": "string" }));
        parameters
            .push(json!({ "name": **name, "in": "path", "required": true, "schema": schema }));
    }
    for (name, schema) in properties.into_iter().flatten() {
        if resource.captures.iter().any(|capture| **capture == **name) {
            continue;
        }
        let is_required =
            required.is_some_and(|required| required.contains(&Value::from(name.as_str())));
        let mut parameter =
            json!({ "name": name, "in": "query", "required": is_required, "schema": schema });
        if !is_required {
            // An empty field of a form is a value that is missing.
            parameter["allowEmptyValue"] = Value::from(true);
        }
        parameters.push(parameter);
    }
    parameters
}

/// Whether a schema is that of a plain value: a number or a text.
fn is_of_value(schema: &Map<String, Value>) -> bool {
    let kind = schema.get("type").and_then(Value::as_str);
    matches!(kind, Some("integer" | "number" | "string" | "boolean")) || schema.contains_key("enum")
}
