use std::time::Duration;

/// What a route may have different from its server.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct RouteOptions {
    pub(crate) streams_request_body: bool,
    pub(crate) max_body_size: Option<u64>,
    pub(crate) decompress_request: Option<bool>,
    pub(crate) half_close: Option<bool>,
    pub(crate) handler_timeout: Option<Duration>,
}
