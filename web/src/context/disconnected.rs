//! Requests that end before they are answered: the client disconnects, or time is over.

use crate::connection::watch::{Cancellation, Departure};
use crate::context::Context;
use crate::context::exchange::Progress;
use crate::error::undelivered::Undelivered;
use crate::error::{Error, HTTPError};

impl Context {
    /// Notes why the handler was cancelled. Returns the error that takes the place of its result.
    #[cold]
    pub(crate) fn cancelled(&mut self, cancellation: Cancellation) -> Error {
        match cancellation {
            Cancellation::ClientGone(departure) => {
                self.mark_disconnected(departure);
                Undelivered::disconnected().into()
            }
            Cancellation::ServerEnds => HTTPError::SERVICE_UNAVAILABLE.into(),
            Cancellation::TimeLimit => {
                let limit = self.handler_timeout().unwrap_or_default();
                let message = format!("the handler took longer than {limit:?}");
                HTTPError::SERVICE_UNAVAILABLE.with_log_message(message).into()
            }
        }
    }

    /// Lets middleware and the handler know that the client has disconnected before the body of the
    /// request was complete.
    #[cold]
    pub(crate) fn refuse_disconnected(&mut self) {
        self.mark_disconnected(Departure::Finished);
        self.refuse(Undelivered::disconnected());
    }

    /// Notes that the client will not get the response, unless that is finished already. The first
    /// call counts.
    #[cold]
    pub(crate) fn mark_disconnected(&mut self, departure: Departure) {
        self.exchange.make_seldom().departure.get_or_insert(departure);
    }

    /// How the client has left, if it has.
    pub(super) fn departure(&self) -> Option<Departure> {
        self.exchange.seldom()?.departure
    }

    /// Whether the client has disconnected before the response was finished.
    pub(super) fn is_disconnected(&self) -> bool {
        self.departure().is_some() && self.exchange.response.progress != Progress::Finished
    }
}

impl Undelivered {
    /// A client that does not send the rest of a body may still take the responses before this one.
    pub(super) fn departure(&self) -> Departure {
        match self {
            Self::Disconnected => Departure::Finished,
            Self::TooSlow { .. } | Self::Gone(_) => Departure::Broken,
        }
    }
}
