//! The memory of a context: a request and its response, reused by later requests.

use std::any::{Any, TypeId};
use std::cell::OnceCell;
use std::collections::HashMap;
use std::rc::Rc;

use crate::connection::close::Departure;
use crate::context::client::Client;
use crate::context::policy::{Policies, Target};
use crate::context::response::Response;
use crate::context::stream::BodyStream;
use crate::context::upgrade::Upgrade;
use crate::error::{Error, ErrorBody};
use crate::forms::urlencoded::Fields;
use crate::http::{HeaderMap, HeaderValue};
use crate::http1::head::{Head, Range};
use crate::routing::Arguments;
use crate::scoreboard::in_flight::InFlight;

/// A request and its response.
pub(crate) struct Exchange {
    pub(crate) head: Head,
    /// When the head was complete, by [`IOLoop::nanos`](squall_runtime::IOLoop::nanos).
    pub(crate) began: u64,
    /// Whether a part of the body may not have been read.
    pub(crate) awaits_body: bool,
    pub(crate) target: Target,
    pub(super) policies: Rc<Policies>,
    /// The row of the route table that the path matches, whatever answers the request.
    pub(crate) row: Option<usize>,
    /// The request on the scoreboard.
    pub(crate) in_flight: InFlight,
    pub(crate) arguments: Arguments,
    pub(crate) response: Response,
    pub(crate) rare: Option<Rare>,
    cache: OnceCell<Cache>,
}

/// State that most requests do not have. It is absent until it is needed, so a plain request does
/// not clear it field by field.
#[derive(Default)]
pub(crate) struct Rare {
    /// The value of `Content-Encoding` of a body that is decompressed.
    pub(crate) consumed_encoding: Option<Range>,
    /// Why the framework refuses the request. No handler runs.
    pub(crate) refusal: Option<Error>,
    /// The `Allow` header of the response to `OPTIONS`.
    pub(crate) allow: Option<HeaderValue>,
    /// Whether a method was called that the handler does not implement.
    pub(crate) method_refused: bool,
    /// Serves the connection after a 101.
    pub(crate) upgrade: Option<Upgrade>,
    /// How the client disconnected before the response was finished.
    pub(crate) departure: Option<Departure>,
    /// Whether the status reports the health of the server, and is not an error of the request.
    pub(crate) answers_probe: bool,
    pub(crate) extensions: Option<Extensions>,
    /// The rest of the body, which is sent after the function has returned.
    pub(crate) stream: Option<BodyStream>,
    /// Whether a hook is writing the response to an error.
    pub(crate) is_in_error_hook: bool,
    /// The page of the error that is being answered, if it is not the standard one.
    pub(crate) error_page: ErrorPage,
}

/// The parts of an error that its page shows.
#[derive(Default)]
pub(crate) struct ErrorPage {
    pub(crate) message: Option<String>,
    pub(crate) body: Option<ErrorBody>,
}

/// Values that middleware keeps with a request, one of each type.
pub(crate) type Extensions = HashMap<TypeId, Box<dyn Any>>;

/// Values that are computed at the first access.
#[derive(Default)]
pub(crate) struct Cache {
    pub(crate) headers: OnceCell<HeaderMap>,
    pub(crate) query: OnceCell<Fields>,
    pub(crate) form: OnceCell<Fields>,
    pub(crate) client: OnceCell<Client>,
}

impl Exchange {
    pub(crate) fn new(policies: Rc<Policies>) -> Self {
        let mut exchange = Self {
            head: Head::new(),
            began: 0,
            awaits_body: false,
            target: Target::default(),
            policies,
            row: None,
            in_flight: InFlight::NONE,
            arguments: Arguments::new(),
            response: Response::new(),
            rare: None,
            cache: OnceCell::new(),
        };
        exchange.clear_response();
        exchange
    }

    /// Clears the response. The next request overwrites the head and the arguments.
    pub(crate) fn clear(&mut self) {
        self.clear_response();
        self.rare = None;
        self.cache = OnceCell::new();
    }

    /// Resets the response to the default headers of the application.
    #[inline]
    pub(crate) fn clear_response(&mut self) {
        self.response.clear();
        if self.policies.default_headers.is_some() {
            self.add_default_headers();
        }
    }

    #[cold]
    fn add_default_headers(&mut self) {
        if let Some(defaults) = &self.policies.default_headers {
            self.response.headers.clone_from(defaults);
        }
    }

    /// Clears the request, for a response to bytes that were not a request.
    pub(crate) fn clear_request(&mut self) {
        self.head.clear();
        self.head.keep_alive = false;
        self.target = Target::default();
        self.row = None;
    }

    /// Returns the rare state, and creates it if it is absent.
    pub(crate) fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    pub(crate) fn cache(&self) -> &Cache {
        self.cache.get_or_init(Cache::default)
    }
}
