//! Waits that do not end when the client shuts down its side of the connection.
//!
//! A client that has sent its whole request may send its FIN at any time: together with the
//! request, or while the handler waits. A handler that only waits for the framework must still
//! respond. So futures of the framework that know no connection, such as the opening of a file,
//! note here which handler waits for them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

/// The identity of a connection: its address, as long as it lives.
pub(crate) type Id = usize;

const NONE: Id = 0;

thread_local! {
    /// The connection whose handler is being polled.
    static POLLED: Cell<Id> = const { Cell::new(NONE) };
    /// The number of shielded futures that the handler of each connection waits for.
    static WAITS: RefCell<BTreeMap<Id, usize>> = const { RefCell::new(BTreeMap::new()) };
}

/// Polls the handler of a connection. `poll` must not panic.
#[inline]
pub(crate) fn poll_for<R>(connection: Id, poll: impl FnOnce() -> R) -> R {
    POLLED.set(connection);
    let polled = poll();
    POLLED.set(NONE);
    polled
}

/// Runs `future`. A handler that waits for it continues when its client shuts down its side.
pub(crate) async fn shielded<F: Future>(future: F) -> F::Output {
    let _wait = Wait::begin();
    future.await
}

/// Whether the handler of `connection` waits for a shielded future.
pub(crate) fn is_up(connection: Id) -> bool {
    WAITS.with_borrow(|waits| waits.contains_key(&connection))
}

/// Counts a shielded future, from its first poll to its end.
struct Wait(Id);

impl Wait {
    fn begin() -> Self {
        let connection = POLLED.get();
        if connection != NONE {
            WAITS.with_borrow_mut(|waits| *waits.entry(connection).or_default() += 1);
        }
        Self(connection)
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        // Fails when the thread ends and has dropped the thread-local.
        let _ = WAITS.try_with(|waits| {
            let mut waits = waits.borrow_mut();
            if let Some(count) = waits.get_mut(&self.0) {
                *count -= 1;
                if *count == 0 {
                    waits.remove(&self.0);
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    #[test]
    fn a_wait_belongs_to_the_connection_of_the_handler_that_began_it() {
        let task = &mut Context::from_waker(Waker::noop());
        {
            let mut first = pin!(shielded(pending::<()>()));
            let mut second = pin!(shielded(pending::<()>()));
            let mut other = Box::pin(shielded(pending::<()>()));
            assert!(!is_up(1), "no future was polled");
            poll_for(1, || assert!(first.as_mut().poll(task).is_pending()));
            poll_for(1, || assert!(second.as_mut().poll(task).is_pending()));
            poll_for(2, || assert!(other.as_mut().poll(task).is_pending()));
            assert!(is_up(1) && is_up(2) && !is_up(3));
            poll_for(1, || drop(other));
            assert!(is_up(1) && !is_up(2), "any task may drop it");
        }
        assert!(!is_up(1));
    }

    #[test]
    fn a_wait_outside_handlers_is_not_counted() {
        let task = &mut Context::from_waker(Waker::noop());
        let mut wait = pin!(shielded(pending::<()>()));
        assert!(wait.as_mut().poll(task).is_pending());
        assert!(WAITS.with_borrow(BTreeMap::is_empty));
        let mut ready = pin!(shielded(std::future::ready(7)));
        poll_for(1, || assert!(ready.as_mut().poll(task).is_ready()));
        assert!(!is_up(1));
    }
}
