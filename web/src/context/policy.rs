use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

use crate::connection::settings::Settings;
use crate::context::options::RouteOptions;
use crate::routing::Pattern;

/// How requests are treated: as their row of the route table says, or else as the server does.
#[derive(Debug)]
pub(crate) struct Policy {
    /// Of the row; `None` for requests that none answers.
    pub(crate) pattern: Option<Rc<Pattern>>,
    /// The line of the row, for the log.
    pub(crate) location: Option<&'static Location<'static>>,
    pub(crate) streams_request_body: bool,
    pub(crate) half_close: bool,
    pub(crate) decompress_request: bool,
    /// In bytes.
    pub(crate) max_body_size: u64,
    pub(crate) handler_timeout: Option<Duration>,
}

impl Policy {
    pub(crate) fn new(
        pattern: Option<Rc<Pattern>>,
        location: Option<&'static Location<'static>>,
        options: &RouteOptions,
        settings: &Settings,
    ) -> Self {
        Self {
            pattern,
            location,
            streams_request_body: options.streams_request_body,
            half_close: options.half_close.unwrap_or(settings.half_close),
            decompress_request: options.decompress_request.unwrap_or(settings.decompress_request),
            max_body_size: options.max_body_size.unwrap_or(settings.max_body_size),
            handler_timeout: options.handler_timeout.or(settings.handler_timeout),
        }
    }
}

/// The policies of all rows.
#[derive(Debug)]
pub(crate) struct Policies {
    rows: Box<[Policy]>,
    /// Of what is not found.
    rest: Policy,
}

impl Policies {
    pub(crate) fn new(rows: impl Iterator<Item = Policy>, settings: &Settings) -> Self {
        let rest = Policy::new(None, None, &RouteOptions::default(), settings);
        Self { rows: rows.collect(), rest }
    }

    /// Whether the handlers of some have only so much time.
    pub(crate) fn limit_handlers(&self) -> bool {
        self.rows.iter().any(|policy| policy.handler_timeout.is_some())
    }

    #[inline]
    pub(crate) fn of(&self, row: Option<usize>) -> &Policy {
        row.and_then(|row| self.rows.get(row)).unwrap_or(&self.rest)
    }
}
