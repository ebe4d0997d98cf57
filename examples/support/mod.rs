//! Set-up that all examples share.

use std::io;

/// The port to listen on: the first argument, or `PORT`, or 8000.
pub fn port() -> io::Result<u16> {
    let port = std::env::args().nth(1).or_else(|| std::env::var("PORT").ok());
    port.map_or(Ok(8000), |port| port.parse()).map_err(io::Error::other)
}
