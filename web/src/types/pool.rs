//! [`Pool`]: boxes that are reused.

use std::cell::{Cell, RefCell};

/// The maximum number of unused boxes. The memory of a burst should not be kept for ever.
const KEPT: usize = 64;

/// A stock of unused boxes.
pub(crate) struct Pool<T> {
    /// Tried before `others`, because it is cheaper.
    first: Cell<Option<Box<T>>>,
    others: RefCell<Vec<Box<T>>>,
    /// How many boxes exist, in use or not.
    made: Cell<usize>,
}

impl<T> Pool<T> {
    pub(crate) const fn new() -> Self {
        Self { first: Cell::new(None), others: RefCell::new(Vec::new()), made: Cell::new(0) }
    }

    /// Returns an unused box, or a new one.
    #[inline]
    pub(crate) fn take(&self, make: impl FnOnce() -> T) -> Box<T> {
        self.first.take().unwrap_or_else(|| {
            let unused = self.others.borrow_mut().pop();
            unused.unwrap_or_else(|| {
                self.made.set(self.made.get() + 1);
                Box::new(make())
            })
        })
    }

    /// Gives a box back. Frees it if there are enough unused ones.
    #[inline]
    pub(crate) fn give(&self, unused: Box<T>) {
        if let Some(other) = self.first.replace(Some(unused)) {
            self.give_other(other);
        }
    }

    fn give_other(&self, unused: Box<T>) {
        let mut others = self.others.borrow_mut();
        // One more is in `first`.
        if others.len() + 1 < KEPT {
            others.push(unused);
        } else {
            drop(others);
            self.made.set(self.made.get().saturating_sub(1));
            drop(unused);
        }
    }

    /// Whether more boxes are in use than the pool would keep.
    pub(crate) fn is_short(&self) -> bool {
        let first = self.first.take();
        let unused = self.others.borrow().len() + usize::from(first.is_some());
        self.first.set(first);
        self.made.get().saturating_sub(unused) > KEPT
    }
}
