use std::cell::{Cell, RefCell};

/// How many unused ones are kept: a burst should not hold its memory for ever.
const KEPT: usize = 64;

/// Boxes that are used again and again.
pub(crate) struct Pool<T> {
    unused: RefCell<Vec<Box<T>>>,
    taken: Cell<usize>,
}

impl<T> Pool<T> {
    pub(crate) const fn new() -> Self {
        Self { unused: RefCell::new(Vec::new()), taken: Cell::new(0) }
    }

    #[inline]
    pub(crate) fn take(&self, make: impl FnOnce() -> T) -> Box<T> {
        self.taken.set(self.taken.get() + 1);
        let unused = self.unused.borrow_mut().pop();
        unused.unwrap_or_else(|| boxed(make))
    }

    #[inline]
    pub(crate) fn give(&self, unused: Box<T>) {
        self.taken.set(self.taken.get().saturating_sub(1));
        let mut kept = self.unused.borrow_mut();
        if kept.len() < KEPT {
            kept.push(unused);
        }
    }

    /// Whether more are in use than would be kept.
    pub(crate) fn is_short(&self) -> bool {
        self.taken.get() > KEPT
    }
}

#[cold]
fn boxed<T>(make: impl FnOnce() -> T) -> Box<T> {
    Box::new(make())
}
