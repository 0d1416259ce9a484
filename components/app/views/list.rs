//! A page of a list.

use std::sync::Arc;

use kamea_components::http::{RequestHead, preferred_type};
use serde::{Deserialize, Serialize};

use super::{Methods, Store, View};
use crate::{Answer, Call, Json, Problem, Reply, Templates};

/// The items of a [`Store`], page by page: `?page=2`. The template gets `items`, `page`, `pages`
/// and `total`; a client that prefers JSON gets the same as an object.
#[derive(Debug)]
pub struct ListView<T> {
    store: Arc<T>,
    templates: Templates,
    template: String,
    per_page: usize,
}

/// What a template gets.
#[derive(Debug, Serialize)]
struct Page<I> {
    items: Vec<I>,
    page: usize,
    pages: usize,
    total: usize,
}

/// The query.
#[derive(Debug, Deserialize)]
struct Wanted {
    page: Option<usize>,
}

impl<T: Store> ListView<T> {
    /// Shows the items of a store by a template, 20 on a page.
    pub fn new(store: Arc<T>, templates: Templates, template: &str) -> Self {
        Self {
            store,
            templates,
            template: template.to_owned(),
            per_page: 20,
        }
    }

    /// Sets how many items are on a page.
    #[must_use]
    pub fn per_page(self, count: usize) -> Self {
        let per_page = count.max(1);
        Self { per_page, ..self }
    }

    async fn get(&self, call: Call<Wanted>) -> Result<Reply, Problem> {
        let page = call.params.page.unwrap_or(1);
        let from = page
            .checked_sub(1)
            .and_then(|before| before.checked_mul(self.per_page));
        let from = from.ok_or_else(|| Problem::not_found("pages begin at 1"))?;
        let listing = self.store.list(from, self.per_page).await?;
        let pages = listing.total.div_ceil(self.per_page).max(1);
        if page > pages {
            let detail = format!("there are only {pages} pages");
            return Err(Problem::not_found(detail));
        }
        let shown = Page {
            items: listing.items,
            page,
            pages,
            total: listing.total,
        };
        show(&call.head, &self.templates, &self.template, &shown)
    }
}

/// A value as a page, or as JSON for a client that prefers it.
pub(super) fn show(
    head: &RequestHead,
    templates: &Templates,
    template: &str,
    value: &impl Serialize,
) -> Result<Reply, Problem> {
    let offers = ["text/html", "application/json"];
    let reply = match preferred_type(&head.fields, &offers) {
        "application/json" => Json(value).into_reply(),
        _ => templates.page(template, value)?.into_reply(),
    };
    Ok(reply.field("Vary", "Accept"))
}

impl<S: Send + Sync + 'static, T: Store> View<S> for ListView<T> {
    fn methods(methods: Methods<Self, S>) -> Methods<Self, S> {
        methods.get(Self::get)
    }
}
