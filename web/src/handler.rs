//! Code of the user that answers a request, behind one erased trait.
//!
//! # Layout
//!
//! - `endpoint`: [`Endpoint`](crate::Endpoint), the trait that a row of the route table holds.
//! - `request_handler`: [`RequestHandler`](crate::RequestHandler). Its `execute` is the life of a
//!   request inside a handler.
//! - `functions`: functions in the place of a handler; `respond`: the values that they return.
//! - `future_slot`: reuses the memory of a handler's future for the next request.
//! - `cancellable`: a future that the framework can end from outside.
//! - `drive`: polls a handler, catches its panic, and watches for the client's disconnect.

pub(crate) mod cancellable;
pub(crate) mod drive;
pub(crate) mod endpoint;
pub(crate) mod functions;
pub(crate) mod future_slot;
pub(crate) mod request_handler;
pub(crate) mod respond;
