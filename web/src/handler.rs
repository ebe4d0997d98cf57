//! The user's code that answers a request, behind one erased trait.
//!
//! # Layout
//!
//! - `endpoint`: [`Endpoint`](crate::Endpoint), the trait that a row of the route table holds.
//! - `request_handler`: [`RequestHandler`](crate::RequestHandler). Its `execute` is the life of a
//!   request inside a handler.
//! - `functions`: functions in place of a handler.
//! - `parameters`: the parameters of functions. `path_arguments`: those of WebSocket functions.
//! - `respond`: the values that functions return.
//! - `drive`: polls a handler, catches its panic, watches the client, and cancels.
//! - `future_slot`: reuses the memory of a handler's future for the next request.

pub(crate) mod drive;
pub(crate) mod endpoint;
pub(crate) mod functions;
pub(crate) mod future_slot;
pub mod parameters;
pub(crate) mod path_arguments;
pub(crate) mod request_handler;
pub(crate) mod respond;
