//! Squall: a web framework and the server under it, on a single-threaded event loop.

#![forbid(unsafe_code)]

mod application;
mod body;
mod chunk;
mod connection;
mod context;
mod endpoint;
mod error;
mod function;
mod handler;
pub mod http;
mod http1;
mod local_future;
mod pool;
mod respond;
mod route;
mod routing;
mod server;
mod settings;
pub mod testing;
mod text;

// The public interface is:
pub use application::{Application, Around, Next, ReverseUrlError, TableError};
pub use body::{Body, WholeBody};
pub use bytes::Bytes;
pub use chunk::{Chunk, IntoChunk};
pub use connection::upgrade::Upgraded;
pub use context::{Context, FromArgument, ResponseError};
pub use endpoint::{Endpoint, IntoEndpoint, kind};
pub use error::{Error, HTTPError, Or500, Result, StandardError};
pub use function::{Function, Functions, Nothing, PathArgs, delete, get, patch, post, put};
pub use handler::RequestHandler;
pub use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
pub use local_future::LocalBoxFuture;
pub use respond::Respond;
pub use route::{Route, regex, route};
pub use routing::{InvalidUtf8, PatternError, ReverseError};
pub use server::HTTPServer;
pub use text::Text;

// What users need of the runtime:
pub use squall_runtime::{
    BindAddress, IOLoop, JoinError, PeriodicCallback, Sockets, Task, TimedOut, bind_sockets, log,
    process, sleep, timeout,
};
