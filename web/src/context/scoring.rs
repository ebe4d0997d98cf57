//! What the scoreboard is told of a request.

use std::rc::Rc;

use crate::connection::Connection;
use crate::context::Context;
use crate::context::exchange::Progress;
use crate::scoreboard::Ending;
use crate::scoreboard::served::Served;

impl Context {
    /// The row of the route table that the path matches, whoever answers.
    pub(crate) fn row(&self) -> Option<usize> {
        self.exchange.row
    }

    pub(crate) fn connection(&self) -> Rc<Connection> {
        Rc::clone(&self.connection)
    }

    pub(crate) fn served(&self) -> Served {
        self.exchange.served
    }

    pub(crate) fn set_served(&mut self, served: Served) {
        self.exchange.served = served;
    }

    /// When the head was complete.
    pub(crate) fn began(&self) -> u64 {
        self.exchange.began
    }

    /// How the request ended: a response that is not complete is none.
    pub(crate) fn ending(&self) -> Ending {
        match self.exchange.response.progress {
            Progress::Finished => Ending::of(self.status()),
            _ if self.is_disconnected() => Ending::DISCONNECTED,
            Progress::Open | Progress::Complete | Progress::Streaming | Progress::Broken => {
                Ending::INCOMPLETE
            }
        }
    }
}
