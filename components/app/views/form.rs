//! A form: shown, checked, shown again with its mistakes, or done.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Methods, Store, View};
use crate::{Answer, Call, Context, Form, FromBody, Problem, Redirect, Reply, Templates};

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
        let fields = form_urlencoded::parse(&bytes);
        let values = fields.map(|(name, value)| (name.into_owned(), value.into_owned()));
        let new = Form::read(context, &bytes).map(|Form(new)| new);
        Ok(Self {
            values: values.collect(),
            new,
        })
    }
}

impl<S: Send + Sync + 'static, T: Store> View<S> for FormView<T> {
    fn methods(methods: Methods<Self, S>) -> Methods<Self, S> {
        methods.get(Self::get).post(Self::post)
    }
}
