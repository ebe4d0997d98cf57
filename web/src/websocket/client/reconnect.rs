//! Connecting again, with growing pauses.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use squall_runtime::{Moment, log, sleep};

use super::{ConnectError, ConnectOptions, websocket_connect};
use crate::websocket::WebSocket;

/// Connects to a server again and again, with pauses that grow and differ from client to client.
///
/// The first attempt is made at once. After a failure, and after a connection that was lost early,
/// the client waits before the next attempt. The longest wait doubles each time, from
/// [`first_delay`](Self::first_delay) to [`max_delay`](Self::max_delay). The actual wait is random,
/// between half of that and all of it, so that the clients of a server that restarts do not all
/// come back at the same moment. A connection that lasted for `max_delay` starts the series over.
///
/// # Examples
///
/// ```no_run
/// use squall::websocket::{ConnectOptions, Reconnect};
/// use squall::{IOLoop, Result};
///
/// async fn follow_prices() -> Result {
///     let mut server = Reconnect::new("ws://localhost:8000/prices", ConnectOptions::new());
///     loop {
///         let mut ws = server.connect().await?;
///         while let Ok(Some(price)) = ws.recv().await {
///             println!("{}", price.as_text()?);
///         }
///     }
/// }
///
/// IOLoop::current().run_sync(follow_prices())??;
/// # squall::Result::<()>::Ok(())
/// ```
#[derive(Debug)]
pub struct Reconnect {
    url: String,
    options: ConnectOptions,
    first_delay: Duration,
    max_delay: Duration,
    /// The longest wait before the next attempt; `None` before the first one.
    delay: Option<Duration>,
    /// When the connection will have lasted long enough to start the series over.
    stable_from: Option<Moment>,
}

impl Reconnect {
    /// Returns a helper that connects to `url` with `options`: see
    /// [`websocket_connect`](super::websocket_connect).
    #[must_use]
    pub fn new(url: impl Into<String>, options: impl Into<ConnectOptions>) -> Self {
        Self {
            url: url.into(),
            options: options.into(),
            first_delay: Duration::from_secs(1),
            max_delay: Duration::from_secs(60),
            delay: None,
            stable_from: None,
        }
    }

    /// Sets the longest wait after the first failure. Default: 1 second.
    ///
    /// # Panics
    ///
    /// If the time is zero.
    #[must_use]
    #[track_caller]
    pub fn first_delay(mut self, delay: Duration) -> Self {
        assert!(!delay.is_zero(), "`Reconnect::first_delay` must be longer than zero");
        self.first_delay = delay;
        self
    }

    /// Sets the longest wait of all. Default: 60 seconds.
    ///
    /// # Panics
    ///
    /// If the time is zero.
    #[must_use]
    #[track_caller]
    pub fn max_delay(mut self, delay: Duration) -> Self {
        assert!(!delay.is_zero(), "`Reconnect::max_delay` must be longer than zero");
        self.max_delay = delay;
        self
    }

    /// Connects, and tries again for as long as the failures are
    /// [temporary](ConnectError::is_temporary). Each failure is logged as a warning.
    ///
    /// # Errors
    ///
    /// The first error that another attempt cannot change, for instance an invalid URL or a
    /// response with the status 403.
    pub async fn connect(&mut self) -> Result<WebSocket, ConnectError> {
        if self.stable_from.take().is_some_and(Moment::has_come) {
            self.delay = None;
        }
        loop {
            let delay = self.next_delay();
            if !delay.is_zero() {
                sleep(delay).await;
            }
            match websocket_connect(&self.url, self.options.clone()).await {
                Ok(ws) => {
                    self.stable_from = Some(Moment::after(self.max_delay));
                    return Ok(ws);
                }
                Err(error) if error.is_temporary() => {
                    log::warn(log::GENERAL, format_args!("{}: {error}", self.url));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Returns how long to wait before the next attempt.
    fn next_delay(&mut self) -> Duration {
        match self.delay {
            None => {
                self.delay = Some(self.first_delay.min(self.max_delay));
                Duration::ZERO
            }
            Some(delay) => {
                self.delay = Some(delay.saturating_mul(2).min(self.max_delay));
                delay.mul_f64(0.5 + random_fraction() / 2.0)
            }
        }
    }
}

/// A number from 0 to 1, without 1: all of `Duration::MAX` has more seconds than a product can
/// have.
fn random_fraction() -> f64 {
    let random = RandomState::new().hash_one(0) >> 32;
    random as f64 / 2_f64.powi(32)
}
