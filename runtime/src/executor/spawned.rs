//! The future inside a task, beside the line that it was spawned at.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::LOCAL;
use crate::pulse;

pin_project! {
    /// Says whose turn it is whenever it is polled.
    pub(super) struct Spawned<F> {
        // Here rather than in the list of tasks: what glibc hands out has eight bytes to spare for
        // every other size.
        spawned_at: &'static Location<'static>,
        #[pin]
        future: F,
    }
}

impl<F> Spawned<F> {
    pub(super) fn new(spawned_at: &'static Location<'static>, future: F) -> Self {
        Self { spawned_at, future }
    }
}

impl<F: Future<Output = ()>> Future for Spawned<F> {
    type Output = ();

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        LOCAL.with(|local| local.site.set(Some(this.spawned_at)));
        pulse::run(Some(this.spawned_at));
        this.future.poll(cx)
    }
}
