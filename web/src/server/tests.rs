//! Tests of a server as a whole.

use std::rc::Rc;

use super::serve::{Serving, serve};
use super::service::Service;
use crate::application::Application;
use crate::connection::Connection;
use crate::connection::settings::Settings;
use crate::connection::stream::Stream;

#[test]
fn the_task_of_a_connection_is_small() {
    let service = Rc::new(Service::new(
        Application::new([]),
        Settings::default(),
        std::panic::Location::caller(),
    ));
    let (_, stream) = squall_runtime::duplex(1);
    let connection = Connection::new(&service.server, Stream::memory(stream, None));
    let size = size_of_val(&serve(service, Serving(connection)));
    assert!(size <= 208, "{size} bytes");
}
