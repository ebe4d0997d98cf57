use std::pin::Pin;

/// A future of the current thread, its type erased.
pub type LocalBoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;
