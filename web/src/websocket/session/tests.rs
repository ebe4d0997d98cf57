use std::cell::{Cell, RefCell};
use std::future::pending;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use futures_lite::{AsyncReadExt, AsyncWriteExt, StreamExt, future};
use squall_runtime::{DuplexStream, IOLoop, duplex, sleep, timeout};

use super::*;
use crate::connection::settings::websocket::{WebSocketCompression, WebSocketOptions};
use crate::websocket::codec::Role;
use crate::websocket::codec::close::CloseCode;
use crate::websocket::compression;

mod closing;
mod keep_alive;
mod messages;

impl Transport for DuplexStream {}

/// How many bytes each direction of the stream holds.
const CAPACITY: usize = 4 * 1024;

fn run<T>(test: impl Future<Output = T>) -> T {
    let io_loop = IOLoop::current();
    io_loop.use_virtual_time();
    io_loop.run_sync(test).unwrap()
}

fn start(role: Role, options: WebSocketOptions) -> Start {
    let deflate = options.compression.map(|c| compression::agreed(&c, compression::wanted(&c)));
    Start {
        role,
        options: Rc::new(options),
        deflate,
        page: None,
        early: Vec::new(),
        wants_control: false,
    }
}

/// A session, driven in a task of its own, and the other end of its stream.
fn open(role: Role, options: WebSocketOptions) -> (WebSocket, DuplexStream) {
    let (stream, peer) = duplex(CAPACITY);
    let session = Session::new(Box::new(stream), start(role, options), None);
    let ws = WebSocket::new(&session);
    IOLoop::current().spawn_callback(Driver::new(&session));
    (ws, peer)
}

/// A server whose pings do not disturb.
fn server() -> (WebSocket, DuplexStream) {
    open(Role::Server, quiet())
}

fn quiet() -> WebSocketOptions {
    WebSocketOptions::new().ping_interval(None).compression(None)
}

/// A frame of a client, masked with zeros.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    assert!(payload.len() < 126);
    let mut frame = vec![first, 0x80 | payload.len() as u8, 0, 0, 0, 0];
    frame.extend_from_slice(payload);
    frame
}

async fn receive<const N: usize>(peer: &mut DuplexStream) -> [u8; N] {
    let mut bytes = [0; N];
    peer.read_exact(&mut bytes).await.unwrap();
    bytes
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn error_of<T>(result: Result<T>) -> WebSocketError {
    let Err(error) = result else { panic!("no error") };
    *error.downcast_ref().unwrap()
}
