//! Squall's event loop.

mod net;

pub use net::{DuplexStream, PeerClosed, duplex};
