//! State that the processes of a server share.
//!
//! | file | content |
//! |---|---|
//! | `memory` | words of memory that every process sees |
//! | `scoreboard` | a page of such words for each worker |
//! | `ring` | a log of messages, with one writer and many readers |
//! | `area` | a ring for each worker, in a file that outlives the program |
//! | `wire` | a socket between supervisor and worker, on which each asks the other to look |

pub(crate) mod area;
pub(crate) mod memory;
pub(crate) mod ring;
pub(crate) mod scoreboard;
pub(crate) mod wire;
