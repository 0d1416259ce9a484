//! A second waker for components of circles, for waits that say nothing of what is under way.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Waker};

/// The two wakers of a component. Whoever has a copy of the first is something that the component waits for in the world; copies
/// of the second do not count.
#[derive(Debug)]
pub(crate) struct Aside {
    /// The first. It is compared and never followed.
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

/// Those of all components of circles in a flow.
#[derive(Debug, Default)]
pub(crate) struct Asides(Rc<Vec<Aside>>);

impl Asides {
    pub(crate) fn add(&mut self, aside: Aside) {
        if let Some(asides) = Rc::get_mut(&mut self.0) {
            asides.push(aside);
        }
    }

    /// Makes them the ones of the flow that is being polled.
    pub(crate) fn enter(&self) -> Entered {
        Entered(ASIDES.replace(self.0.clone()))
    }
}

thread_local! {
    static ASIDES: RefCell<Rc<Vec<Aside>>> = RefCell::default();
}

/// Brings back what was there before.
pub(crate) struct Entered(Rc<Vec<Aside>>);

impl Drop for Entered {
    fn drop(&mut self) {
        ASIDES.set(std::mem::take(&mut self.0));
    }
}

/// Polls something by the second waker of the component, if it has one.
pub(crate) fn aside<T>(cx: &mut Context<'_>, poll: impl FnOnce(&mut Context<'_>) -> T) -> T {
    let second = ASIDES.with_borrow(|asides| {
        let mut asides = asides.iter();
        let known = asides.find(|aside| std::ptr::eq(aside.first, cx.waker().data()));
        known.map(|aside| aside.second.clone())
    });
    match second {
        Some(second) => poll(&mut Context::from_waker(&second)),
        None => poll(cx),
    }
}
