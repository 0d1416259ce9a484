//! A second waker for components of circles, for waits that do not count as pending work.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Waker};

/// The two wakers of a component. If anything holds a copy of the first, the component waits for
/// something outside of the circle. Copies of the second do not count.
#[derive(Debug)]
pub(crate) struct Aside {
    /// The first waker. It is compared and never dereferenced.
    first: *const (),
    second: Waker,
}

impl Aside {
    pub(crate) fn new(first: &Waker, second: Waker) -> Self {
        Self {
            first: first.data(),
            second,
        }
    }
}

/// The wakers of all components of circles in a flow.
#[derive(Debug, Default)]
pub(crate) struct Asides(Rc<RefCell<Vec<Aside>>>);

impl Asides {
    pub(crate) fn add(&self, aside: Aside) {
        self.0.borrow_mut().push(aside);
    }

    /// Installs them as those of the flow that is being polled.
    pub(crate) fn enter(&self) -> Entered {
        Entered(ASIDES.replace(self.0.clone()))
    }
}

thread_local! {
    static ASIDES: RefCell<Rc<RefCell<Vec<Aside>>>> = RefCell::default();
}

/// Restores the previous ones.
pub(crate) struct Entered(Rc<RefCell<Vec<Aside>>>);

impl Drop for Entered {
    fn drop(&mut self) {
        ASIDES.set(std::mem::take(&mut self.0));
    }
}

/// Polls a future with the second waker of the component, if it has one.
pub(crate) fn aside<T>(cx: &mut Context<'_>, poll: impl FnOnce(&mut Context<'_>) -> T) -> T {
    let second = ASIDES.with_borrow(|asides| {
        let asides = asides.borrow();
        let known = asides
            .iter()
            .find(|aside| std::ptr::eq(aside.first, cx.waker().data()));
        known.map(|aside| aside.second.clone())
    });
    match second {
        Some(second) => poll(&mut Context::from_waker(&second)),
        None => poll(cx),
    }
}
