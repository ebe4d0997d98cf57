//! What the server does at the wire: a raw socket in, exact bytes out. One module a behaviour.

/// Dependencies between the modules of the crates point one way.
mod layers;
/// A server, and a client that knows nothing but bytes, for the others.
mod wire;

/// What may stand in `Host`, and what becomes of it.
mod host;
/// Methods, the forms of a target, versions, blank lines and line ends.
mod request_line;
