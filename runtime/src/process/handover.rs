//! How a server takes over the sockets of another one: of the old version of the program, or of
//! systemd.
//!
//! | file | content |
//! |---|---|
//! | `inherited` | the sockets that this process was started with |
//! | `plan` | the environment variable that describes them to the new server |
//! | `line` | the socket on which the old server grants its place to the new one |
//! | `image` | the program that this process runs, to be run again |
//! | `bind` | binds an address, unless its socket was inherited |

pub(crate) mod bind;
pub(crate) mod image;
pub(crate) mod inherited;
pub(crate) mod line;
pub(crate) mod plan;
