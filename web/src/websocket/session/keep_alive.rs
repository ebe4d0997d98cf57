//! When to send pings, and when to take a silent peer for dead.

use std::time::Duration;

use crate::connection::settings::websocket::WebSocketOptions;

/// How often unused memory is given back where no pings are sent.
const TICK: Duration = Duration::from_secs(30);

/// The state between two pings.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct KeepAlive {
    /// Whether an answer to a ping is awaited.
    asked: bool,
    /// Whether the peer gave a sign of life since the last ping.
    pub(super) heard: bool,
    /// Whether a message passed since the last tick, in either direction.
    pub(super) active: bool,
}

/// What to do when the time has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Tick {
    /// The peer is dead.
    TimedOut,
    /// Wait for this long.
    Wait(Duration),
    /// Send a ping, and wait for this long.
    Ping(Duration),
}

impl KeepAlive {
    /// How long to wait before the first tick; `None` if there are no ticks.
    pub(super) fn first_wait(options: &WebSocketOptions) -> Option<Duration> {
        options.ping_interval.or(options.compression.map(|_| TICK))
    }

    /// What to do now. `is_alive` says that the peer is not known to be silent, because nothing was
    /// read.
    pub(super) fn tick(&mut self, options: &WebSocketOptions, is_alive: bool) -> Tick {
        let Some(interval) = options.ping_interval else { return Tick::Wait(TICK) };
        if std::mem::take(&mut self.asked) {
            if !(self.heard || is_alive) {
                return Tick::TimedOut;
            }
            let waited = options.ping_timeout.unwrap_or_default();
            if let Some(rest) = interval.checked_sub(waited).filter(|rest| !rest.is_zero()) {
                return Tick::Wait(rest);
            }
        }
        self.asked = options.ping_timeout.is_some();
        self.heard = false;
        Tick::Ping(options.ping_timeout.unwrap_or(interval))
    }
}
