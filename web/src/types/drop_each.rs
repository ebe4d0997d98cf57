//! [`DropEach`]: drops several values of the user, each of which may panic.

use std::any::Any;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

/// Drops one value after the other. Continues the first panic once all are dropped.
///
/// A second panic while the first one unwinds would abort the process.
#[derive(Default)]
pub(crate) struct DropEach {
    panic: Option<Box<dyn Any + Send>>,
}

impl DropEach {
    pub(crate) fn drop<T>(&mut self, value: T) {
        self.run(|| drop(value));
    }

    /// Runs `drops`, which drops values of the user.
    pub(crate) fn run(&mut self, drops: impl FnOnce()) {
        let Err(panic) = catch_unwind(AssertUnwindSafe(drops)) else { return };
        match self.panic {
            None => self.panic = Some(panic),
            // Leaked, because its destructor may panic, too.
            Some(_) => mem::forget(panic),
        }
    }

    pub(crate) fn finish(self) {
        match self.panic {
            Some(panic) if thread::panicking() => mem::forget(panic),
            Some(panic) => resume_unwind(panic),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    struct Panics<'a>(&'a Cell<u32>);

    impl Drop for Panics<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
            panic!("drop {}", self.0.get());
        }
    }

    struct Both<'a>([Option<Panics<'a>>; 2]);

    impl Drop for Both<'_> {
        fn drop(&mut self) {
            let mut each = DropEach::default();
            self.0.iter_mut().for_each(|one| each.drop(one.take()));
            each.finish();
        }
    }

    #[test]
    fn all_are_dropped_and_the_first_panic_continues() {
        let count = Cell::new(0);
        let both = Both([Some(Panics(&count)), Some(Panics(&count))]);
        let panic = catch_unwind(AssertUnwindSafe(|| drop(both))).unwrap_err();
        assert_eq!(panic.downcast_ref::<String>().unwrap(), "drop 1");
        assert_eq!(count.get(), 2);
    }

    #[test]
    fn a_panic_during_another_one_is_swallowed() {
        let count = Cell::new(0);
        let both = Both([Some(Panics(&count)), Some(Panics(&count))]);
        let panic = catch_unwind(AssertUnwindSafe(|| {
            let _both = both;
            panic!("the first");
        }));
        assert_eq!(*panic.unwrap_err().downcast_ref::<&str>().unwrap(), "the first");
        assert_eq!(count.get(), 2);
    }
}
