//! The parameters that two peers agreed on, and the settings of one side.

use std::rc::Rc;

use super::DeflatePool;
use crate::websocket::codec::Role;

/// The base-2 logarithm of how far a compressed message may refer back, in bytes: 8 to 15.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct WindowBits(u8);

impl WindowBits {
    /// 32 KiB, which is the default.
    pub(crate) const MAX: Self = Self(15);

    /// `bits` as window size, or `None` if it is not 8 to 15.
    pub(crate) const fn new(bits: u8) -> Option<Self> {
        match bits {
            8..=15 => Some(Self(bits)),
            _ => None,
        }
    }

    pub(crate) const fn bits(self) -> u8 {
        self.0
    }

    /// The size in bytes.
    pub(crate) const fn size(self) -> usize {
        1 << self.0
    }

    /// The window size of a compressor that refers back no further than this. With 9 bits, it
    /// refers back 250 bytes at most: zlib leaves a margin of 262. It knows no smaller window.
    pub(super) const fn of_compressor(self) -> u8 {
        match self.0 {
            8 => 9,
            bits => bits,
        }
    }
}

/// The parameters of permessage-deflate on a connection (RFC 7692 §7.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct DeflateParams {
    /// Messages of the server do not refer to messages before them.
    pub(crate) server_no_context_takeover: bool,
    /// Messages of the client do not refer to messages before them.
    pub(crate) client_no_context_takeover: bool,
    /// How far messages of the server may refer back.
    pub(crate) server_max_window_bits: WindowBits,
    /// How far messages of the client may refer back.
    pub(crate) client_max_window_bits: WindowBits,
}

impl Default for DeflateParams {
    fn default() -> Self {
        Self {
            server_no_context_takeover: false,
            client_no_context_takeover: false,
            server_max_window_bits: WindowBits::MAX,
            client_max_window_bits: WindowBits::MAX,
        }
    }
}

/// How messages of one side are compressed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Direction {
    /// Whether a message may refer to the messages before it.
    pub(super) takeover: bool,
    pub(super) window: WindowBits,
}

impl DeflateParams {
    /// How messages that `role` sends are compressed.
    pub(super) fn sent_by(&self, role: Role) -> Direction {
        match role {
            Role::Server => Direction {
                takeover: !self.server_no_context_takeover,
                window: self.server_max_window_bits,
            },
            Role::Client => Direction {
                takeover: !self.client_no_context_takeover,
                window: self.client_max_window_bits,
            },
        }
    }

    /// How messages that `role` receives are compressed.
    pub(super) fn received_by(&self, role: Role) -> Direction {
        match role {
            Role::Server => self.sent_by(Role::Client),
            Role::Client => self.sent_by(Role::Server),
        }
    }
}

/// Which messages are compressed, and how well.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct CompressionOptions {
    /// From 1, the fastest, to 9, the smallest. Default: 6.
    pub(crate) level: u8,
    /// Shorter messages are sent as they are. In bytes. Default: 1 KiB.
    pub(crate) min_size: usize,
    /// Whether binary messages are compressed as well. Default: no, since most binary data is
    /// compressed already.
    pub(crate) binary: bool,
}

impl Default for CompressionOptions {
    fn default() -> Self {
        Self { level: 6, min_size: 1024, binary: false }
    }
}

/// All that a decoder and an encoder need for compression.
#[derive(Clone, Debug)]
pub(crate) struct Deflate {
    pub(crate) pool: Rc<DeflatePool>,
    pub(crate) params: DeflateParams,
    pub(crate) options: CompressionOptions,
}
