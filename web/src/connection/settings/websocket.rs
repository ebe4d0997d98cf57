//! The settings of WebSockets.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::{IntoTimeout, time_limit};

/// The largest limit for a frame, a message or a buffer: 1 GiB.
const MAX_SIZE: usize = 1 << 30;

/// The limits and time-outs of a WebSocket, and its compression.
///
/// | setting | default |
/// |---|---|
/// | [`max_message_size`](Self::max_message_size) | 10 MiB |
/// | [`max_frame_size`](Self::max_frame_size) | as long as a message |
/// | [`max_send_buffer`](Self::max_send_buffer) | 256 KiB |
/// | [`ping_interval`](Self::ping_interval) | 30 seconds |
/// | [`ping_timeout`](Self::ping_timeout) | 30 seconds |
/// | [`close_timeout`](Self::close_timeout) | 5 seconds |
/// | [`compression`](Self::compression) | text of at least 1 KiB |
/// | [`allowed_origins`](Self::allowed_origins) | the host of the server |
///
/// # Panics
///
/// Each setting panics if its value is out of range. The message names the setting.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use squall::websocket::WebSocketOptions;
///
/// let options = WebSocketOptions::new()
///     .max_message_size(64 * 1024)
///     .ping_interval(Duration::from_secs(10))
///     .compression(None);
/// # let _ = options;
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WebSocketOptions {
    pub(crate) max_message_size: usize,
    pub(crate) max_frame_size: Option<usize>,
    pub(crate) max_send_buffer: usize,
    pub(crate) ping_interval: Option<Duration>,
    pub(crate) ping_timeout: Option<Duration>,
    pub(crate) close_timeout: Duration,
    pub(crate) compression: Option<WebSocketCompression>,
    pub(crate) allowed_origins: Vec<String>,
}

impl WebSocketOptions {
    /// Returns the defaults.
    #[must_use]
    pub fn new() -> Self {
        Self {
            max_message_size: 10 * 1024 * 1024,
            max_frame_size: None,
            max_send_buffer: 256 * 1024,
            ping_interval: Some(Duration::from_secs(30)),
            ping_timeout: Some(Duration::from_secs(30)),
            close_timeout: Duration::from_secs(5),
            compression: Some(WebSocketCompression::new()),
            allowed_origins: Vec::new(),
        }
    }

    /// Sets how long a message from the peer may be, in bytes: the sum of its fragments, and the
    /// message after decompression. A longer one closes the connection with 1009. From 1 byte to
    /// 1 GiB. Default: 10 MiB.
    ///
    /// A connection holds two messages at most: the one that the handler works on, and the next.
    #[must_use]
    #[track_caller]
    pub fn max_message_size(mut self, bytes: usize) -> Self {
        self.max_message_size = size_limit("max_message_size", bytes);
        self
    }

    /// Sets how long the payload of a frame from the peer may be, in bytes, as it is sent. A longer
    /// one closes the connection with 1009. From 1 byte to 1 GiB, or `None` for the length of a
    /// message. Default: `None`.
    #[must_use]
    #[track_caller]
    pub fn max_frame_size(mut self, bytes: impl Into<Option<usize>>) -> Self {
        self.max_frame_size = bytes.into().map(|bytes| size_limit("max_frame_size", bytes));
        self
    }

    /// Sets how much of what is sent may wait in memory for a slow peer, in bytes. While more
    /// waits, `send` waits. From 1 byte to 1 GiB. Default: 256 KiB.
    ///
    /// The last message may exceed the limit: a connection holds the limit and one message at most.
    #[must_use]
    #[track_caller]
    pub fn max_send_buffer(mut self, bytes: usize) -> Self {
        self.max_send_buffer = size_limit("max_send_buffer", bytes);
        self
    }

    /// Sets how often the peer is sent a ping; `None` for never. Default: 30 seconds.
    #[must_use]
    #[track_caller]
    pub fn ping_interval(mut self, interval: impl IntoTimeout) -> Self {
        self.ping_interval = time_limit("WebSocketOptions::ping_interval", interval);
        self
    }

    /// Sets how long the peer may be silent after a ping; `None` for as long as it likes. Then the
    /// connection is closed with 1011. Default: 30 seconds.
    ///
    /// Any byte from the peer is a sign of life, not only a pong. A peer that does not read for
    /// this long is taken for dead, too.
    #[must_use]
    #[track_caller]
    pub fn ping_timeout(mut self, timeout: impl IntoTimeout) -> Self {
        self.ping_timeout = time_limit("WebSocketOptions::ping_timeout", timeout);
        self
    }

    /// Sets how long the closing handshake may take. Then the connection is cut. Default: 5
    /// seconds.
    #[must_use]
    #[track_caller]
    pub fn close_timeout(mut self, timeout: Duration) -> Self {
        let timeout = time_limit("WebSocketOptions::close_timeout", timeout);
        self.close_timeout = timeout.unwrap_or(self.close_timeout);
        self
    }

    /// Sets which messages are compressed, if the peer agrees; `None` for no compression at all.
    /// Default: [text of at least 1 KiB](WebSocketCompression).
    #[must_use]
    pub fn compression(mut self, compression: impl Into<Option<WebSocketCompression>>) -> Self {
        self.compression = compression.into();
        self
    }

    /// Sets from which origins browsers may connect, besides that of the server itself:
    /// `https://example.com`. A client ignores this. Default: none.
    ///
    /// # Panics
    ///
    /// If an origin is not a scheme and a host, such as `https://example.com:8443`.
    #[must_use]
    #[track_caller]
    pub fn allowed_origins<O: Into<String>>(
        mut self,
        origins: impl IntoIterator<Item = O>,
    ) -> Self {
        self.allowed_origins = origins.into_iter().map(|origin| origin_of(origin.into())).collect();
        self
    }
}

impl Default for WebSocketOptions {
    fn default() -> Self {
        Self::new()
    }
}

#[track_caller]
fn size_limit(setting: &str, bytes: usize) -> usize {
    assert!(
        (1..=MAX_SIZE).contains(&bytes),
        "`WebSocketOptions::{setting}` must be from 1 to {MAX_SIZE}, not {bytes}"
    );
    bytes
}

#[track_caller]
fn origin_of(origin: String) -> String {
    let host = origin.split_once("://").map_or("", |(_, host)| host);
    assert!(
        !host.is_empty() && !host.contains('/'),
        "`WebSocketOptions::allowed_origins` takes a scheme and a host, not {origin:?}"
    );
    origin
}

/// Which messages are compressed, and how well (permessage-deflate, RFC 7692).
///
/// The memory that this takes:
/// - Each worker keeps up to 4 compressors of about 260 KiB and 16 decompressors of 48 KiB. They
///   are shared by all of its connections.
/// - With [context takeover](Self::context_takeover), a connection keeps up to 32 KiB of the
///   messages that it has sent, and as much of those that it has received. A connection on which no
///   message passes between two pings gives most of this back.
///
/// # Panics
///
/// Each setting panics if its value is out of range. The message names the setting.
///
/// # Examples
///
/// ```
/// use squall::websocket::{WebSocketCompression, WebSocketOptions};
///
/// let small = WebSocketCompression::new().level(9).context_takeover(false);
/// let options = WebSocketOptions::new().compression(small);
/// # let _ = options;
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct WebSocketCompression {
    pub(crate) level: u8,
    pub(crate) min_size: usize,
    pub(crate) binary: bool,
    pub(crate) context_takeover: bool,
    pub(crate) max_window_bits: u8,
}

impl WebSocketCompression {
    /// Returns the defaults.
    #[must_use]
    pub fn new() -> Self {
        Self {
            level: 6,
            min_size: 1024,
            binary: false,
            context_takeover: true,
            max_window_bits: 15,
        }
    }

    /// Sets how well messages are compressed: from 1, the fastest, to 9, the smallest. Default: 6.
    #[must_use]
    #[track_caller]
    pub fn level(mut self, level: u8) -> Self {
        self.level = one_of("level", level, 1..=9);
        self
    }

    /// Sets the length in bytes below which a message is sent uncompressed. Default: 1 KiB.
    #[must_use]
    pub fn min_size(mut self, bytes: usize) -> Self {
        self.min_size = bytes;
        self
    }

    /// Sets whether binary messages are compressed, too. Default: `false`, because most binary data
    /// is compressed already.
    #[must_use]
    pub fn binary(mut self, binary: bool) -> Self {
        self.binary = binary;
        self
    }

    /// Sets whether a message may refer to the messages before it, in both directions. Similar
    /// messages become much smaller by this, and a connection takes more memory. Default: `true`.
    #[must_use]
    pub fn context_takeover(mut self, takeover: bool) -> Self {
        self.context_takeover = takeover;
        self
    }

    /// Sets how far a message may refer back: 2 to the power of `bits` bytes, from 8 to 15.
    /// Default: 15, which is 32 KiB.
    #[must_use]
    #[track_caller]
    pub fn max_window_bits(mut self, bits: u8) -> Self {
        self.max_window_bits = one_of("max_window_bits", bits, 8..=15);
        self
    }
}

impl Default for WebSocketCompression {
    fn default() -> Self {
        Self::new()
    }
}

#[track_caller]
fn one_of(setting: &str, value: u8, range: RangeInclusive<u8>) -> u8 {
    let (first, last) = (range.start(), range.end());
    assert!(
        range.contains(&value),
        "`WebSocketCompression::{setting}` must be from {first} to {last}, not {value}"
    );
    value
}

#[cfg(test)]
mod tests {
    use std::panic::{UnwindSafe, catch_unwind};

    use super::*;

    fn refusal(set: impl FnOnce() + UnwindSafe) -> String {
        *catch_unwind(set).unwrap_err().downcast::<String>().unwrap()
    }

    #[test]
    fn a_value_out_of_range_is_refused_with_the_name_of_its_setting() {
        let refused = refusal(|| drop(WebSocketOptions::new().max_message_size(0)));
        assert_eq!(
            refused,
            "`WebSocketOptions::max_message_size` must be from 1 to 1073741824, not 0"
        );
        let refused = refusal(|| drop(WebSocketOptions::new().max_frame_size(1 << 31)));
        assert!(refused.starts_with("`WebSocketOptions::max_frame_size`"), "{refused}");
        let refused = refusal(|| drop(WebSocketOptions::new().max_send_buffer(0)));
        assert!(refused.starts_with("`WebSocketOptions::max_send_buffer`"), "{refused}");
        let refused = refusal(|| drop(WebSocketOptions::new().ping_timeout(Duration::ZERO)));
        assert!(refused.starts_with("`WebSocketOptions::ping_timeout`"), "{refused}");
        let refused = refusal(|| drop(WebSocketOptions::new().close_timeout(Duration::ZERO)));
        assert!(refused.starts_with("`WebSocketOptions::close_timeout`"), "{refused}");
        for origin in ["example.com", "https://", "https://example.com/"] {
            let refused = refusal(|| drop(WebSocketOptions::new().allowed_origins([origin])));
            assert!(refused.contains("allowed_origins") && refused.contains(origin), "{refused}");
        }
        let refused = refusal(|| _ = WebSocketCompression::new().level(10));
        assert_eq!(refused, "`WebSocketCompression::level` must be from 1 to 9, not 10");
        let refused = refusal(|| _ = WebSocketCompression::new().max_window_bits(7));
        assert_eq!(refused, "`WebSocketCompression::max_window_bits` must be from 8 to 15, not 7");
    }
}
