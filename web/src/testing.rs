//! Tests an application without sockets. Requests pass through the whole server, from the bytes of
//! the head to the bytes of the response, over a stream in memory.

mod client;
#[cfg(fuzzing)]
pub mod fuzzing;
#[cfg(feature = "internals")]
pub mod internals;
mod request;
mod response;
mod websocket;

pub use client::{TestClient, TestConnection};
pub use request::TestRequest;
pub use response::TestResponse;
pub use websocket::{TestWebSocket, TestWebSocketRequest};
