//! Tests of a connection as a whole.

use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll};

use futures_lite::{AsyncReadExt, future};
use squall_runtime::{DuplexStream, IOLoop};

use super::Connection;
use super::server_state::ServerState;
use super::settings::Settings;
use super::stream::Stream;
use crate::scoreboard::recorder::Recorder;
use crate::types::chunk::Chunk;

/// A connection in memory and its client.
fn connected(capacity: usize) -> (Rc<Connection>, DuplexStream) {
    let (client, stream) = squall_runtime::duplex(capacity);
    let server = Rc::new(ServerState::new(Settings::default(), Recorder::new(0), Rc::default()));
    (Connection::new(&server, Stream::memory(stream, None)), client)
}

#[test]
fn the_state_of_an_idle_connection_is_small() {
    let (connection, _client) = connected(1);
    let size = size_of_val(&*connection);
    assert!(size <= 128, "{size} bytes");
}

#[test]
fn both_paths_of_sending_agree() {
    type PollOutput = fn(&Connection, &mut TaskContext<'_>) -> Poll<io::Result<()>>;
    let paths: [PollOutput; 2] = [
        |connection, task| connection.poll_output(task),
        |connection, task| connection.poll_output_fast(task),
    ];
    for capacity in [1, 100, 10_000] {
        for large in [0, 5000] {
            let received = paths.map(|poll_output| {
                let (connection, mut client) = connected(capacity);
                connection.with(|buffers| {
                    buffers.output.copy(b"small");
                    buffers.output.push(Chunk::from(vec![b'L'; large]));
                    buffers.output.copy(b"end");
                });
                let mut received = vec![0; 8 + large];
                let both = future::zip(
                    poll_fn(|task| poll_output(&connection, task)),
                    client.read_exact(&mut received),
                );
                let (sent, read) = IOLoop::current().run_sync(both).unwrap();
                assert!(sent.is_ok() && read.is_ok());
                assert_eq!(connection.backlog().queued, 0);
                received
            });
            assert_eq!(received[0], received[1], "{large} bytes, {capacity} at a time");
        }
    }
    let errors = paths.map(|poll_output| {
        let (connection, client) = connected(1);
        connection.with(|buffers| buffers.output.copy(b"undelivered"));
        drop(client);
        let sent = poll_fn(|task| poll_output(&connection, task));
        IOLoop::current().run_sync(sent).unwrap().unwrap_err().kind()
    });
    assert_eq!(errors[0], errors[1]);
}
