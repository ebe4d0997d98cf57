use std::rc::Rc;

use super::Connection;
use super::stream::{Memory, Stream};
use super::worker::Worker;
use crate::settings::Settings;

#[test]
fn what_an_idle_connection_shares_is_small() {
    let (_, stream) = squall_runtime::duplex(1);
    let connection = Connection::new(
        &Rc::new(Worker::new(Settings::default())),
        Stream::Memory(Box::new(Memory { stream, peer: None })),
    );
    let size = size_of_val(&*connection);
    assert!(size <= 128, "{size} bytes");
}
