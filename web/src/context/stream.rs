//! A stream as the body of a response.

use std::pin::Pin;

use bytes::Bytes;
use futures_lite::{Stream, StreamExt};

use crate::context::Context;
use crate::error::Result;
use crate::http::Method;
use crate::types::local_future::LocalBoxFuture;

/// The pieces of a body.
pub(crate) type BodyStream = Pin<Box<dyn Stream<Item = Result<Bytes>>>>;

impl Context {
    /// Makes `stream` the body. [`send_stream`](Self::send_stream) sends it once the function has
    /// returned.
    pub(crate) fn set_stream(&mut self, stream: BodyStream) {
        self.exchange.rare_mut().stream = Some(stream);
    }

    #[inline]
    pub(crate) fn has_stream(&self) -> bool {
        self.exchange.rare.as_ref().is_some_and(|rare| rare.stream.is_some())
    }

    /// Sends the pieces of the stream that was [set](Self::set_stream), each as soon as it comes.
    ///
    /// The future is boxed, because few responses are streams.
    ///
    /// # Errors
    ///
    /// Those of the stream, of [`write`](Self::write) and of [`flush`](Self::flush).
    pub(crate) fn send_stream(&mut self) -> LocalBoxFuture<'_, Result> {
        Box::pin(async {
            let Some(mut stream) = self.exchange.rare_mut().stream.take() else { return Ok(()) };
            if *self.method() == Method::HEAD {
                return self.flush().await;
            }
            while let Some(piece) = stream.next().await {
                self.write(piece?)?;
                self.flush().await?;
            }
            Ok(())
        })
    }
}
