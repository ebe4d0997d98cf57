//! A stream as the body of a response.

use std::pin::Pin;

use bytes::Bytes;
use futures_lite::{Stream, StreamExt};

use crate::context::Context;
use crate::error::Result;
use crate::http::Method;

/// The pieces of a body.
pub(crate) type BodyStream = Pin<Box<dyn Stream<Item = Result<Bytes>>>>;

impl Context {
    /// Makes `stream` the body. [`send_stream`](Self::send_stream) sends it once the function has
    /// returned.
    pub(crate) fn set_stream(&mut self, stream: BodyStream) {
        self.exchange.rare_mut().stream = Some(stream);
    }

    pub(crate) fn take_stream(&mut self) -> Option<BodyStream> {
        self.exchange.rare.as_mut()?.stream.take()
    }

    /// Sends the pieces of `stream`, each as soon as it comes.
    ///
    /// # Errors
    ///
    /// Those of the stream, of [`write`](Self::write) and of [`flush`](Self::flush).
    pub(crate) async fn send_stream(&mut self, mut stream: BodyStream) -> Result {
        if *self.method() == Method::HEAD {
            return self.flush().await;
        }
        while let Some(piece) = stream.next().await {
            self.write(piece?)?;
            self.flush().await?;
        }
        Ok(())
    }
}
