//! From the settings of one side to what the codec needs.

use std::rc::Rc;

use super::codec::deflate::DeflatePool;
use super::codec::deflate::params::{CompressionOptions, Deflate, DeflateParams, WindowBits};
use crate::connection::settings::websocket::WebSocketCompression;

thread_local! {
    static POOL: Rc<DeflatePool> = DeflatePool::new();
}

/// The parameters to offer, or to accept at most.
pub(crate) fn wanted(compression: &WebSocketCompression) -> DeflateParams {
    let window = WindowBits::new(compression.max_window_bits).unwrap_or(WindowBits::MAX);
    DeflateParams {
        server_no_context_takeover: !compression.context_takeover,
        client_no_context_takeover: !compression.context_takeover,
        server_max_window_bits: window,
        client_max_window_bits: window,
    }
}

/// What both sides agreed on, with the compressors of this thread.
pub(crate) fn agreed(compression: &WebSocketCompression, params: DeflateParams) -> Deflate {
    let WebSocketCompression { level, min_size, binary, .. } = *compression;
    let options = CompressionOptions { level, min_size, binary };
    Deflate { pool: POOL.with(Rc::clone), params, options }
}
