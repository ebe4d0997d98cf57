//! The behaviour of the server at the wire: raw bytes in, exact bytes out. One module a behaviour.

/// Events that handlers report to a test, and gates at which they wait.
mod events;
/// Reads what is written for Prometheus.
#[path = "../support/exposition.rs"]
mod exposition;
/// Dependencies between the modules of the crates point one way.
mod layers;
/// A server, and a client that knows nothing but bytes, for the others.
mod wire;

/// The arguments of a query, a form and a path, and how they are decoded.
mod arguments;
/// Bodies of any size, whole and in pieces; unread bodies, and bodies that end early.
mod bodies;
/// Bodies in chunks: sizes, extensions, trailers, and the codings that are none of ours.
mod chunked_requests;
/// Bodies that come compressed.
mod compressed_bodies;
/// How many connections there may be, what one of them may ask for, and how long all may take.
mod connection_limits;
/// Bodies with a declared length, and invalid lengths.
mod content_length;
mod control;
/// `Expect: 100-continue`, and expectations that are not met.
mod expect_continue;
/// Names and values of headers, folding, and the allowed bytes.
mod header_block;
/// Valid and invalid values of `Host`.
mod host;
/// Limits: heads, headers, targets and bodies that are too large, too many or too long.
mod limits;
/// Random malformed requests: each is answered, and affects no other client.
mod malformed;
/// Methods, the forms of a target, versions, blank lines and line ends.
mod request_line;
/// Settings at the ends of their ranges, and beyond them.
mod settings;
/// Clients that take too long over a head or a body, or say nothing.
mod slow_senders;
/// Requests that two readers could take two ways: none of them hides another.
mod smuggling;

/// Clients that read slowly, or not at all.
mod back_pressure;
/// Responses with statuses that forbid a body.
mod bodiless;
/// Clients that do not wait for the response, in the log, the metrics and to handlers.
mod disconnected;
/// Requests that the framework refuses for endpoints of the user.
mod endpoints;
/// Errors and panics.
mod errors;
/// The tags of bodies, and clients that have the body already.
mod etag;
/// Every response passes through middleware, or through the error hook of the application.
mod every_response;
/// Which parts of a handler are called when one of them fails or panics.
mod failing_parts;
/// Responses with a file as their body.
mod files;
/// Responses that are complete before their handler is.
mod finishing;
/// A client that ends its side, or breaks the connection off.
mod half_close_and_reset;
/// Arguments, default headers, content negotiation, and conversions of text.
mod inputs;
/// Interim responses, and trailers behind a body.
mod interim_and_trailers;
/// When a connection is kept, and when it ends after a response.
mod keep_alive;
/// Which methods a resource has, and what the others are answered.
mod methods;
/// Counts and durations, how to read them, and the log of handlers that block the loop.
mod metrics;
/// Middleware.
mod middleware;
/// The parameters of functions, and the state of the application.
mod parameters;
/// Requests that are sent before the ones ahead of them are answered.
mod pipelining;
/// The client, the host and the protocol as named by trusted proxies.
mod proxies;
/// Connections that begin with a header of the PROXY protocol.
mod proxy_protocol;
/// Responses that send the client elsewhere.
mod redirects;
/// Where the body of a response ends, and how the client can tell.
mod response_framing;
/// The headers of a response, and the allowed bytes in them.
mod response_headers;
/// The values that functions return, and the responses to their errors.
mod responses;
/// Rows for the same paths: merged, or refused.
mod route_tables;
/// A loop on a thread of its own, for servers that listen in other ways.
mod running;
/// Scopes, hosts, fallbacks, slashes at the end, redirects, extension methods.
mod scopes;
/// Requests of all kinds one after the other.
mod sequences;
/// Servers as their program sees them: where they listen, and how they end.
mod servers;
/// Clients that take a response, but too slowly.
mod slow_readers;
/// The client for tests itself: time, endless streams, handlers that hang, and the graceful end.
mod test_client;
/// Sending and receiving at once, each with limits of its own, and shared use of a connection.
mod topics;
mod two_directions;
/// Serving over Unix sockets.
mod unix_sockets;
/// Connections that go on with another protocol.
mod upgrade;
/// WebSockets: the handshake, messages, control frames, and handlers.
mod websocket;
