//! State that the processes of a server share.
//!
//! | file | content |
//! |---|---|
//! | `memory` | words of memory that every process sees |
//! | `scoreboard` | a page of such words for each worker |
//! | `wire` | a socket between supervisor and worker, on which each asks the other to look |

pub(crate) mod memory;
pub(crate) mod scoreboard;
pub(crate) mod wire;
