//! What the server does at the wire: a raw socket in, exact bytes out. One module a behaviour.

mod layers;
