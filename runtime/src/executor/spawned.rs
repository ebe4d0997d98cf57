//! The future inside a task: the user's, with its panics caught.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use pin_project_lite::pin_project;

use super::LOCAL;
use super::join_error::{JoinError, panic_message};
use super::waiter::Running;
use crate::{log, pulse};

pin_project! {
    /// Ends with an error where `F` panics, and is not in the list of tasks any more once
    /// its future is dropped.
    pub(super) struct Spawned<F> {
        // Its number in the list of tasks, or `slab::NONE`.
        index: u32,
        // Empty only while it is dropped.
        #[pin]
        future: Option<F>,
    }

    impl<F> PinnedDrop for Spawned<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            // A panic out of here would abort the process.
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| this.future.set(None))) {
                report(*this.index, &*payload);
            }
            let listed = LOCAL.with(|local| local.tasks.borrow_mut().remove(*this.index));
            drop(listed);
        }
    }
}

impl<F> Spawned<F> {
    pub(super) fn new(index: u32, future: F) -> Self {
        Self { index, future: Some(future) }
    }
}

impl<F: Future> Future for Spawned<F> {
    type Output = Result<F::Output, JoinError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(future) = this.future.as_pin_mut() else {
            return Poll::Pending;
        };
        begin(*this.index, cx.waker());
        match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Err(payload) => {
                report(*this.index, &*payload);
                Poll::Ready(Err(JoinError::panicked(payload)))
            }
        }
    }
}

/// Notes which task runs.
#[inline]
fn begin(index: u32, waker: &Waker) {
    LOCAL.with(|local| {
        let site = local.tasks.borrow().at(index).map(|task| task.spawned_at);
        local.running.set(Running::new(index, waker));
        local.site.set(site);
        pulse::run(site);
    });
}

#[cold]
fn report(index: u32, payload: &(dyn Any + Send)) {
    let message = panic_message(payload);
    let site = LOCAL.with(|local| Some(local.tasks.borrow().at(index)?.spawned_at));
    match site {
        Some(site) => log::error(
            log::APPLICATION,
            format_args!("a task spawned at {site} panicked: {message}"),
        ),
        None => log::error(log::APPLICATION, format_args!("a task panicked: {message}")),
    }
}
