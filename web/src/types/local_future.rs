//! [`LocalBoxFuture`].

use std::pin::Pin;

/// A boxed future of the current thread.
pub type LocalBoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;
