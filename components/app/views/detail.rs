//! One item.

use std::sync::Arc;

use serde::Serialize;

use super::list::show;
use super::{Methods, Store, View};
use crate::{Call, Problem, Reply, Templates};

/// The item of a [`Store`] whose key is the capture of the route. The template gets it as `item`; a
/// client that prefers JSON gets `{"item": ...}`. Without an item the answer is 404.
#[derive(Debug)]
pub struct DetailView<T> {
    store: Arc<T>,
    templates: Templates,
    template: String,
}

/// What a template gets.
#[derive(Debug, Serialize)]
struct Shown<I> {
    item: I,
}

impl<T: Store> DetailView<T> {
    /// Shows an item of a store by a template.
    pub fn new(store: Arc<T>, templates: Templates, template: &str) -> Self {
        Self {
            store,
            templates,
            template: template.to_owned(),
        }
    }

    async fn get(&self, call: Call<T::Key>) -> Result<Reply, Problem> {
        let (key, head) = (call.params, call.head);
        let item = self.store.find(key).await?;
        let item = item.ok_or_else(|| Problem::not_found("there is nothing at this place"))?;
        show(&head, &self.templates, &self.template, &Shown { item })
    }
}

impl<S: Send + Sync + 'static, T: Store> View<S> for DetailView<T> {
    fn methods(methods: Methods<Self, S>) -> Methods<Self, S> {
        methods.get(Self::get)
    }
}
