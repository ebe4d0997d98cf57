//! Squall's event loop.

mod net;

pub use net::{
    BindAddress, BindOptions, DuplexStream, Listener, PeerClosed, Sockets, bind_sockets, duplex,
};
