//! permessage-deflate: compressed messages (RFC 7692 §7).
//!
//! Compressors (250 to 380 KiB each) and decompressors (48 KiB) belong to the [`DeflatePool`] of a
//! worker, not to connections. They are used for one message, and returned. With context
//! takeover, a message may refer to the messages before it. A connection then keeps the last bytes
//! of these, its [`History`](history::History), and a (de)compressor begins with them.
//!
//! | file | content |
//! |---|---|
//! | `params` | the parameters that the peers agreed on; the settings of one side |
//! | `history` | the last bytes of the messages before |
//! | `inflate` | compressed payloads to messages |
//! | `compress` | messages to compressed payloads |

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use flate2::{Compress, Compression, Decompress};

pub(crate) mod compress;
pub(crate) mod history;
pub(crate) mod inflate;
pub(crate) mod params;

use params::WindowBits;

/// The end of a flushed DEFLATE stream. It is not sent (RFC 7692 §7.2.1).
const FLUSH_TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// How much is decompressed at a time.
const SCRATCH_SIZE: usize = 16 * 1024;

/// How many unused decompressors are kept. One is in use for each compressed message of which only
/// a part has arrived.
const KEPT_DECOMPRESSORS: usize = 16;

/// How many unused compressors are kept, for all levels and window sizes together.
const KEPT_COMPRESSORS: usize = 4;

/// The compressors, decompressors and buffers of a worker.
#[derive(Default)]
pub(crate) struct DeflatePool {
    compressors: RefCell<Vec<Compressor>>,
    #[expect(
        clippy::vec_box,
        reason = "a message holds one as a box, for a decoder to stay small"
    )]
    decompressors: RefCell<Vec<Box<Decompress>>>,
    scratch: RefCell<Option<Box<[u8]>>>,
}

/// A compressor, with its level and window size.
struct Compressor {
    level: Compression,
    window: WindowBits,
    state: Compress,
}

impl DeflatePool {
    pub(crate) fn new() -> Rc<Self> {
        Rc::default()
    }

    /// A compressor at the beginning of a stream.
    fn take_compressor(&self, level: Compression, window: WindowBits) -> Compressor {
        let mut kept = self.compressors.borrow_mut();
        let fits = |unused: &Compressor| unused.level == level && unused.window == window;
        match kept.iter().position(fits) {
            Some(place) => {
                let mut compressor = kept.remove(place);
                compressor.state.reset();
                compressor
            }
            None => {
                let bits = window.of_compressor();
                let state = Compress::new_with_window_bits(level, false, bits);
                Compressor { level, window, state }
            }
        }
    }

    /// Keeps `unused`, and of the others those that were used last.
    fn give_compressor(&self, unused: Compressor) {
        let mut kept = self.compressors.borrow_mut();
        kept.insert(0, unused);
        kept.truncate(KEPT_COMPRESSORS);
    }

    /// A decompressor at the beginning of a stream. It understands all window sizes.
    fn take_decompressor(&self) -> Box<Decompress> {
        match self.decompressors.borrow_mut().pop() {
            Some(mut decompressor) => {
                decompressor.reset(false);
                decompressor
            }
            None => Box::new(Decompress::new(false)),
        }
    }

    fn give_decompressor(&self, unused: Box<Decompress>) {
        let mut kept = self.decompressors.borrow_mut();
        if kept.len() < KEPT_DECOMPRESSORS {
            kept.push(unused);
        }
    }

    /// A buffer for decompressed bytes. Its content has no meaning.
    fn take_scratch(&self) -> Box<[u8]> {
        self.scratch.take().unwrap_or_else(|| vec![0; SCRATCH_SIZE].into())
    }

    fn give_scratch(&self, unused: Box<[u8]>) {
        self.scratch.replace(Some(unused));
    }
}

impl fmt::Debug for DeflatePool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeflatePool").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
