use std::cell::{Cell, RefCell};

/// How many unused ones are kept: a burst should not hold its memory for ever.
const KEPT: usize = 64;

/// Boxes that are used again and again.
pub(crate) struct Pool<T> {
    /// The one that is taken and given mostly.
    first: Cell<Option<Box<T>>>,
    others: RefCell<Vec<Box<T>>>,
    /// How many there are, of those that were not given up.
    made: Cell<usize>,
}

impl<T> Pool<T> {
    pub(crate) const fn new() -> Self {
        Self { first: Cell::new(None), others: RefCell::new(Vec::new()), made: Cell::new(0) }
    }

    #[inline]
    pub(crate) fn take(&self, make: impl FnOnce() -> T) -> Box<T> {
        self.first.take().unwrap_or_else(|| self.take_other(make))
    }

    #[inline(never)]
    fn take_other(&self, make: impl FnOnce() -> T) -> Box<T> {
        let unused = self.others.borrow_mut().pop();
        unused.unwrap_or_else(|| self.boxed(make))
    }

    #[inline(always)]
    pub(crate) fn give(&self, unused: Box<T>) {
        if let Some(other) = self.first.replace(Some(unused)) {
            self.give_other(other);
        }
    }

    #[inline(never)]
    fn give_other(&self, unused: Box<T>) {
        let mut kept = self.others.borrow_mut();
        // With the first.
        if kept.len() + 1 < KEPT {
            kept.push(unused);
        } else {
            drop(kept);
            self.give_up(unused);
        }
    }

    #[cold]
    fn boxed(&self, make: impl FnOnce() -> T) -> Box<T> {
        self.made.set(self.made.get() + 1);
        Box::new(make())
    }

    #[cold]
    fn give_up(&self, unused: Box<T>) {
        self.made.set(self.made.get().saturating_sub(1));
        drop(unused);
    }

    /// Whether more are in use than would be kept.
    pub(crate) fn is_short(&self) -> bool {
        let first = self.first.take();
        let unused = self.others.borrow().len() + usize::from(first.is_some());
        self.first.set(first);
        self.made.get().saturating_sub(unused) > KEPT
    }
}
