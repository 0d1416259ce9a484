//! A form: shown, checked, shown again with its mistakes, or done.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Methods, Store, View};
use crate::body::{parse_form, read_fields};
use crate::{Answer, Call, Context, FromBody, Problem, Redirect, Reply, Templates};

/// A form for new items of a [`Store`]. GET shows it; POST adds an item and redirects (303), or
/// shows the form again with 422.
///
/// The template gets `values`, what was filled in, and `errors`, what is wrong with each field:
/// both by the names of the fields.
#[derive(Debug)]
pub struct FormView<T> {
    store: Arc<T>,
    templates: Templates,
    template: String,
    next: String,
}

/// What a template gets.
#[derive(Debug, Default, Serialize)]
struct Shown {
    values: BTreeMap<String, String>,
    errors: BTreeMap<String, String>,
}

impl<T: Store> FormView<T> {
    /// Shows a form by a template, and redirects to `next` when an item was added.
    pub fn new(store: Arc<T>, templates: Templates, template: &str, next: &str) -> Self {
        Self {
            store,
            templates,
            template: template.to_owned(),
            next: next.to_owned(),
        }
    }

    async fn get(&self) -> Result<Reply, Problem> {
        let page = self.templates.page(&self.template, Shown::default())?;
        Ok(page.into_reply())
    }

    async fn post(&self, call: Call<(), Filled<T::New>>) -> Result<Reply, Problem> {
        let Filled { values, new } = call.body;
        let added = match new {
            Ok(new) => self.store.add(new).await,
            Err(problem) => Err(problem),
        };
        let Err(problem) = added else {
            return Ok(Redirect::to(&self.next).into_reply());
        };
        if problem.errors().is_empty() {
            return Err(problem);
        }
        let errors = problem.errors().iter();
        let errors = errors.map(|error| (error.field.clone(), error.detail.clone()));
        let shown = Shown {
            values,
            errors: errors.collect(),
        };
        let page = self.templates.page(&self.template, shown)?;
        Ok(page.into_reply().status(StatusCode::UNPROCESSABLE_ENTITY))
    }
}

/// A form as it was filled in, and what it was read as.
struct Filled<T> {
    values: BTreeMap<String, String>,
    new: Result<T, Problem>,
}

impl<T: DeserializeOwned> FromBody for Filled<T> {
    async fn from_body(context: &mut Context) -> Result<Self, Problem> {
        let bytes = Bytes::from_body(context).await?;
        let fields = parse_form(context, &bytes)?;
        let values = fields.iter();
        let values = values.map(|(name, value)| (name.to_string(), value.to_string()));
        Ok(Self {
            values: values.collect(),
            new: read_fields(fields),
        })
    }
}

impl<S: Send + Sync + 'static, T: Store> View<S> for FormView<T> {
    fn methods(methods: Methods<Self, S>) -> Methods<Self, S> {
        methods.get(Self::get).post(Self::post)
    }
}

#[cfg(test)]
mod tests {
    use kamea::testing::block_on;

    use super::*;
    use crate::App;

    #[test]
    fn fields_are_counted_before_they_are_kept() {
        block_on(async {
            let app = App::new()
                .post(
                    "/",
                    async |_: Call<(), Filled<BTreeMap<String, String>>>| {},
                )
                .test();
            for (count, status) in [(1000, 204), (1001, 413)] {
                let fields = vec![("a", "1"); count];
                let answer = app.post("/").form(&fields).send().await;
                assert_eq!(answer.status(), status, "{count}");
            }
        });
    }
}
