use std::rc::Rc;

use super::Connection;
use super::stream::Stream;
use super::worker::Worker;
use crate::connection::settings::Settings;
use crate::scoreboard::recorder::Recorder;

#[test]
fn what_an_idle_connection_shares_is_small() {
    let (_, stream) = squall_runtime::duplex(1);
    let connection = Connection::new(
        &Rc::new(Worker::new(Settings::default(), Recorder::new(0))),
        Stream::memory(stream, None),
    );
    let size = size_of_val(&*connection);
    assert!(size <= 128, "{size} bytes");
}
