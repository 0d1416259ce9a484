//! What the types of a handler say of it.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// The parts of a description that come from the types of a handler.
#[derive(Debug)]
pub struct Operation<'g> {
    pub(super) generator: &'g mut SchemaGenerator,
    /// The schema of the parameters.
    pub(super) parameters: Option<Schema>,
    /// The media type and the schema of the body.
    pub(super) body: Option<(&'static str, Schema)>,
    /// The answers, by status.
    pub(super) responses: Map<String, Value>,
}

/// The documentation of a handler: see [`documented`](crate::documented).
#[derive(Debug, Clone, Copy)]
pub struct Documentation {
    pub(super) summary: &'static str,
    pub(super) describe: fn(&mut Operation<'_>),
}

impl<'g> Operation<'g> {
    pub(super) fn new(generator: &'g mut SchemaGenerator) -> Self {
        Self {
            generator,
            parameters: None,
            body: None,
            responses: Map::new(),
        }
    }

    /// Says of which type the parameters of the path and the query are.
    pub fn takes_parameters<P: JsonSchema>(&mut self) {
        // In place: the properties are listed one by one.
        let schema = P::json_schema(self.generator);
        self.parameters = Some(schema);
    }

    /// Says of which type and media type the body of a request is.
    pub fn takes_body<T: JsonSchema>(&mut self, media_type: &'static str) {
        let schema = self.generator.subschema_for::<T>();
        self.body = Some((media_type, schema));
    }

    /// Says that a response has this status (such as `200` or `4XX`), and a body of this type.
    pub fn answers_with<T: JsonSchema>(&mut self, status: &str, media_type: &str) {
        let schema = self.generator.subschema_for::<T>();
        let content = json!({ media_type: { "schema": schema } });
        self.add(status, Some(content));
    }

    /// Says that a response has this status, and a body of this media type, or none.
    pub fn answers(&mut self, status: &str, media_type: Option<&str>) {
        let content = media_type.map(|media_type| json!({ media_type: {} }));
        self.add(status, content);
    }

    fn add(&mut self, status: &str, content: Option<Value>) {
        let response = self
            .responses
            .entry(status)
            .or_insert_with(|| json!({ "description": "" }));
        if let Some(content) = content {
            response["content"] = content;
        }
    }

    /// Says that responses have another status than their type alone would have.
    pub(super) fn with_status(&mut self, status: &str, describe: impl FnOnce(&mut Self)) {
        let before = std::mem::take(&mut self.responses);
        describe(self);
        let described = std::mem::replace(&mut self.responses, before);
        for (_, response) in described {
            self.responses.insert(status.to_owned(), response);
        }
    }
}
