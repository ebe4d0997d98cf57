//! The worker's side of its supervision.
//!
//! | file | content |
//! |---|---|
//! | `attendant` | reports the worker's state, and follows the supervisor's orders |
//! | `balance` | leaves new connections to workers that have fewer |
//! | `lifeline` | ends the worker when its supervisor is gone |

pub(crate) mod attendant;
pub(crate) mod balance;
pub(crate) mod lifeline;
