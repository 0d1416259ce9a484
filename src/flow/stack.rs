//! How much of the stack of a worker is used: flows that are awaited inside of each other use more with each.

use std::cell::Cell;

/// What is kept for the components of the innermost flow, in bytes, of a stack of 8 MiB; less of a smaller one.
const RESERVE: usize = 1 << 20;

thread_local! {
    /// Where the stack of this worker begins, and its size.
    static STACK: Cell<Option<(usize, usize)>> = const { Cell::new(None) };
}

/// Says how large the stack of this thread is, of which hardly anything is used.
pub(crate) fn begin(size: usize) {
    STACK.set(Some((here(), size)));
}

/// The size of the stack, if it is nearly used up.
pub(super) fn is_used_up() -> Option<usize> {
    let (start, size) = STACK.get()?;
    let reserve = RESERVE.min(size / 4);
    (start.abs_diff(here()) > size - reserve).then_some(size)
}

#[inline(never)]
fn here() -> usize {
    let on_the_stack = 0_u8;
    std::ptr::from_ref(std::hint::black_box(&on_the_stack)).addr()
}
