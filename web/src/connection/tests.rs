//! Tests of a connection as a whole.

use std::rc::Rc;

use super::Connection;
use super::server_state::ServerState;
use super::settings::Settings;
use super::stream::Stream;
use crate::scoreboard::recorder::Recorder;

#[test]
fn the_state_of_an_idle_connection_is_small() {
    let (_, stream) = squall_runtime::duplex(1);
    let connection = Connection::new(
        &Rc::new(ServerState::new(Settings::default(), Recorder::new(0))),
        Stream::memory(stream, None),
    );
    let size = size_of_val(&*connection);
    assert!(size <= 128, "{size} bytes");
}
