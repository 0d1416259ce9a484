//! What the views of lists, items and forms need of a store.

use std::future::Future;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Problem;

/// Items with keys, for [`ListView`](crate::ListView), [`DetailView`](crate::DetailView) and
/// [`FormView`](crate::FormView). A component that is asked makes a good one: see [`kamea::Asker`].
pub trait Store: Send + Sync + 'static {
    /// The key of an item: the capture of its route.
    type Key: DeserializeOwned;
    /// An item, as pages and JSON show it.
    type Item: Serialize;
    /// What a form says of a new item.
    type New: DeserializeOwned;

    /// Some items, in their order, and how many there are.
    fn list(
        &self,
        from: usize,
        count: usize,
    ) -> impl Future<Output = Result<Listing<Self::Item>, Problem>>;

    /// The item of a key; `None` if there is none.
    fn find(&self, key: Self::Key) -> impl Future<Output = Result<Option<Self::Item>, Problem>>;

    /// Adds an item. A [`Problem::invalid`] is shown in the form.
    fn add(&self, new: Self::New) -> impl Future<Output = Result<(), Problem>>;
}

/// Some items of a store.
#[derive(Debug, Clone)]
pub struct Listing<T> {
    /// The items that were asked for.
    pub items: Vec<T>,
    /// How many items there are.
    pub total: usize,
}
