//! Views: a struct with a function for each method.

mod detail;
mod form;
mod list;
mod method;
mod ready;
mod store;

use std::future::Future;
use std::panic::Location;
use std::sync::Arc;

use http::Method;

pub use detail::DetailView;
pub use form::FormView;
pub use list::ListView;
pub use method::ViewMethod;
pub use ready::{RedirectView, TemplateView};
pub use store::{Listing, Store};

use crate::handler::Endpoint;
use crate::layers::{Layer, Next};
use crate::routes::handler_name;
use crate::{Answer, App, Argument, Context, Reply};

/// A struct that answers the methods of a path, each by a function of its own; the other methods
/// are answered with 405, and OPTIONS by the list of them.
///
/// It saves lines where several methods share data or a check; otherwise functions are shorter.
///
/// # Examples
///
/// ```
/// use kamea_app::{App, Call, Context, Methods, Next, Problem, Reply, View};
///
/// struct Note { text: std::sync::Mutex<String> }
///
/// impl Note {
///     async fn get(&self) -> String {
///         self.text.lock().unwrap().clone()
///     }
///     async fn put(&self, call: Call<(), String>) {
///         *self.text.lock().unwrap() = call.body;
///     }
/// }
///
/// impl<S: Send + Sync + 'static> View<S> for Note {
///     fn methods(methods: Methods<Self, S>) -> Methods<Self, S> {
///         methods.get(Self::get).put(Self::put)
///     }
/// }
///
/// let app = App::new().view("/note", Note { text: "".to_owned().into() });
/// assert_eq!(app.routes()?[0].methods, "GET, HEAD, PUT, OPTIONS");
/// # Ok::<(), kamea_app::RouteError>(())
/// ```
pub trait View<S>: Send + Sync + Sized + 'static {
    /// Names the function of each method.
    fn methods(methods: Methods<Self, S>) -> Methods<Self, S>;

    /// What is around each of its functions: a check for all of them, for example.
    fn dispatch(&self, context: Context, next: Next) -> impl Future<Output = Reply> {
        next.run(context)
    }
}

/// The functions of a [`View`].
pub struct Methods<V, S> {
    view: Arc<V>,
    state: Arc<S>,
    /// Each with the name of its function.
    endpoints: Vec<(Method, String, Endpoint)>,
}

impl<V, S> std::fmt::Debug for Methods<V, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let methods = self.endpoints.iter().map(|(method, ..)| method);
        f.debug_list().entries(methods).finish()
    }
}

macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident $method:ident)*) => {$(
        $(#[$doc])*
        #[must_use]
        #[track_caller]
        pub fn $name<A, F>(self, function: F) -> Self
        where
            F: ViewMethod<V, A>,
            F::Input: Argument<S>,
            F::Output: Answer,
        {
            self.add(Method::$method, function)
        }
    )*};
}

impl<V: Send + Sync + 'static, S: Send + Sync + 'static> Methods<V, S> {
    methods! {
        /// Answers GET, and HEAD with it.
        get GET
        /// Answers POST.
        post POST
        /// Answers PUT.
        put PUT
        /// Answers PATCH.
        patch PATCH
        /// Answers DELETE.
        delete DELETE
    }

    #[track_caller]
    fn add<A, F>(mut self, method: Method, function: F) -> Self
    where
        F: ViewMethod<V, A>,
        F::Input: Argument<S>,
        F::Output: Answer,
    {
        let endpoint = method::endpoint(self.view.clone(), self.state.clone(), function);
        let name = handler_name(std::any::type_name::<F>(), Location::caller());
        self.endpoints.push((method, name, endpoint));
        self
    }
}

/// A view, around its functions.
struct Dispatch<V, S>(Arc<V>, std::marker::PhantomData<fn() -> S>);

impl<V: View<S>, S: 'static> Layer for Dispatch<V, S> {
    async fn around(&self, context: Context, next: Next) -> Reply {
        self.0.dispatch(context, next).await
    }
}

impl<S: Send + Sync + 'static> App<S> {
    /// Answers a path by a [`View`].
    pub fn view<V: View<S>>(mut self, path: &str, view: V) -> Self {
        let view = Arc::new(view);
        let methods = V::methods(Methods {
            view: view.clone(),
            state: self.shared_state(),
            endpoints: Vec::new(),
        });
        let dispatch: Arc<dyn crate::layers::AnyLayer> =
            Arc::new(Dispatch::<V, S>(view, std::marker::PhantomData));
        for (method, name, endpoint) in methods.endpoints {
            self = self.add_endpoint(method, path, &name, endpoint, [dispatch.clone()].into());
        }
        self
    }
}
