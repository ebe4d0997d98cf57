//! Frames and messages: bytes in, events out, and back (RFC 6455 §5 to §8, RFC 7692).
//!
//! A [`Decoder`](decoder::Decoder) makes [`Event`](decoder::Event)s of the bytes that a peer
//! sends, an [`Encoder`](encoder::Encoder) makes [`Frame`](encoder::Frame)s of messages. Each
//! serves one connection, as [server or client](Role).
//!
//! - The decoder keeps no bytes in the caller's buffer: it copies whatever is incomplete.
//! - A connection between two messages holds no memory but these two values. With context
//!   takeover, it also holds the last bytes of the messages before ([`deflate::history`]).
//! - Compressors and their buffers belong to the [`DeflatePool`](deflate::DeflatePool) of a worker.
//! - The bytes of a peer never panic, and events do not depend on how the bytes are cut.
//!
//! | file | content |
//! |---|---|
//! | `header` | the header of a frame: bytes to fields, and back |
//! | `mask` | masking, and the keys for it |
//! | `close` | close codes and reasons |
//! | `error` | the faults in the bytes of a peer, and their close codes |
//! | `assembly`, `utf8` | a message that arrives in pieces, validated as it arrives |
//! | `arriving` | the frame and the message of which a part has arrived |
//! | `decoder` | bytes to events |
//! | `encoder` | messages to frames |
//! | `prepared` | a message encoded once for many receivers |
//! | `deflate` | permessage-deflate |

mod arriving;
pub(crate) mod assembly;
pub(crate) mod close;
pub(crate) mod decoder;
pub(crate) mod deflate;
pub(crate) mod encoder;
pub(crate) mod error;
pub(crate) mod header;
pub(crate) mod mask;
pub(crate) mod prepared;
mod utf8;

/// Which end of a connection this side is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Role {
    /// Receives masked frames, and sends frames that are not masked.
    Server,
    /// Receives frames that are not masked, and masks the frames that it sends.
    Client,
}
