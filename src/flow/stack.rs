//! How much of a worker's stack is used. Each flow that is awaited inside another flow uses more of
//! it.

use std::cell::Cell;

/// The reserve for the components of the innermost flow, in bytes, of a stack of 8 MiB; less for a
/// smaller stack.
const RESERVE: usize = 1 << 20;

thread_local! {
    /// Where the stack of this worker begins, and its size.
    static STACK: Cell<Option<(usize, usize)>> = const { Cell::new(None) };
}

/// Records the size of this thread's stack, while the stack is nearly empty.
pub(crate) fn begin(size: usize) {
    STACK.set(Some((here(), size)));
}

/// Returns the size of the stack, if the stack is nearly used up.
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
