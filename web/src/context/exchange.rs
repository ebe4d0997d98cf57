use std::any::{Any, TypeId};
use std::cell::{Cell, OnceCell};
use std::collections::HashMap;
use std::rc::Rc;

use crate::connection::output::Output;
use crate::connection::upgrade::Serve;
use crate::connection::watch::Departure;
use crate::context::client::Client;
use crate::context::policy::{Policies, Policy};
use crate::context::target::Target;
use crate::error::Error;
use crate::file::Modified;
use crate::forms::urlencoded::Fields;
use crate::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use crate::http1::head::{Head, Range};
use crate::http1::header_list::HeaderList;
use crate::routing::Arguments;
use crate::scoreboard::served::Served;

/// A request and its response: what a context is made of, used again and again.
pub(crate) struct Exchange {
    pub(crate) head: Head,
    /// When the head was complete, as [`IOLoop::nanos`](squall_runtime::IOLoop::nanos) counts.
    pub(crate) began: u64,
    /// Whether some of the body may not have been read.
    pub(crate) awaits_body: bool,
    pub(crate) target: Target,
    policies: Rc<Policies>,
    /// Of the route table, whatever it is that answers.
    pub(crate) row: Option<usize>,
    /// What the scoreboard says of the request.
    pub(crate) served: Served,
    pub(crate) arguments: Arguments,
    pub(crate) response: Response,
    seldom: Seldom,
    /// Whether something may be in `seldom`.
    has_seldom: Cell<bool>,
}

/// What most requests have none of, so that it need not be looked through after each.
#[derive(Default)]
pub(crate) struct Seldom {
    /// What `Content-Encoding` has said of a body that is decompressed.
    pub(crate) consumed_encoding: Option<Range>,
    /// Why the request is answered without asking a handler.
    pub(crate) refusal: Option<Error>,
    /// What an endpoint answers, for `OPTIONS`.
    pub(crate) allow: Option<HeaderValue>,
    /// A method of a handler was called that it does not have.
    pub(crate) method_refused: bool,
    pub(crate) upgrade: Option<Serve>,
    /// How the client has left before the request was answered.
    pub(crate) departure: Option<Departure>,
    /// Its status is what was asked for, and no error.
    pub(crate) answers_probe: bool,
    pub(crate) cache: Cache,
    pub(crate) extensions: Option<Extensions>,
}

/// Values that middleware keeps with a request, one of each type.
pub(crate) type Extensions = HashMap<TypeId, Box<dyn Any>>;

/// What is computed when it is first asked for.
#[derive(Default)]
pub(crate) struct Cache {
    pub(crate) headers: OnceCell<HeaderMap>,
    pub(crate) query: OnceCell<Fields>,
    pub(crate) form: OnceCell<Fields>,
    pub(crate) client: OnceCell<Client>,
}

/// The response as it is being written.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) reason: Option<String>,
    pub(crate) headers: HeaderList,
    pub(crate) body: Output,
    /// A file is in the body: no tag is made of its bytes.
    pub(crate) file: Option<FileInBody>,
    pub(crate) trailers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) progress: Progress,
    /// Bytes of the body that a declared `Content-Length` still promises.
    pub(crate) promised: Option<u64>,
    /// What streams goes out in chunks, and not as it comes.
    pub(crate) is_chunked: bool,
    /// The head of a response in pieces was one without a body: the pieces are dropped.
    pub(crate) without_body: bool,
    pub(crate) keep_alive: bool,
    /// Status or headers were changed since it was found to be a sound response.
    pub(crate) is_changed: bool,
}

/// What is known of a file in a body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileInBody {
    /// The length of the body if the file is all of it.
    pub(crate) length: Option<u64>,
    pub(crate) modified: Option<Modified>,
}

/// How much of a response has left the handler's hands.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Progress {
    /// Nothing: all of it can still be changed.
    #[default]
    Open,
    /// The body is complete; status and headers can still be changed.
    Complete,
    /// The head has left, the body follows.
    Streaming,
    /// All of it has left.
    Finished,
    /// It cannot be completed: the connection must be cut.
    Broken,
}

impl Exchange {
    pub(crate) fn new(policies: Rc<Policies>) -> Self {
        Self {
            head: Head::new(),
            began: 0,
            awaits_body: false,
            target: Target::default(),
            policies,
            row: None,
            served: Served::NONE,
            arguments: Arguments::new(),
            response: Response {
                status: StatusCode::OK,
                reason: None,
                headers: HeaderList::new(),
                body: Output::default(),
                file: None,
                trailers: Vec::new(),
                progress: Progress::Open,
                promised: None,
                is_chunked: false,
                without_body: false,
                keep_alive: false,
                is_changed: false,
            },
            seldom: Seldom::default(),
            has_seldom: Cell::new(false),
        }
    }

    /// Forgets the response, keeping the memory for the next one. What is known of the request
    /// stays as it is until the next one takes its place.
    pub(crate) fn clear(&mut self) {
        self.response.clear();
        self.response.progress = Progress::Open;
        if self.has_seldom.take() {
            self.seldom = Seldom::default();
        }
    }

    /// Forgets the request, where none takes its place.
    pub(crate) fn forget_request(&mut self) {
        self.head.clear();
        self.head.keep_alive = false;
        self.target = Target::default();
        self.row = None;
    }

    /// How the request is treated.
    #[inline]
    pub(crate) fn policy(&self) -> &Policy {
        self.policies.of(self.row)
    }

    /// What there is seldom, if there may be any of it.
    #[inline]
    pub(crate) fn seldom(&self) -> Option<&Seldom> {
        self.has_seldom.get().then_some(&self.seldom)
    }

    /// What there is seldom, if there may be any of it, to be taken out.
    #[inline]
    pub(crate) fn seldom_mut(&mut self) -> Option<&mut Seldom> {
        self.has_seldom.get().then_some(&mut self.seldom)
    }

    /// What there is seldom, to be added to.
    pub(crate) fn make_seldom(&mut self) -> &mut Seldom {
        self.has_seldom.set(true);
        &mut self.seldom
    }

    /// What is computed when it is first asked for.
    pub(crate) fn cache(&self) -> &Cache {
        self.has_seldom.set(true);
        &self.seldom.cache
    }
}

impl Response {
    /// Forgets what was written.
    #[inline(always)]
    pub(crate) fn clear(&mut self) {
        self.status = StatusCode::OK;
        self.reason = None;
        self.headers.clear();
        self.body.clear();
        self.file = None;
        if !self.trailers.is_empty() {
            self.trailers.clear();
        }
        self.promised = None;
        self.is_changed = true;
    }

    /// Forgets the body, and the headers that are true of no other one.
    pub(crate) fn clear_body(&mut self) {
        self.body.clear();
        self.file = None;
        self.trailers.clear();
        for name in OF_ONE_BODY {
            self.headers.remove(name.as_str());
        }
        self.is_changed = true;
    }
}

const OF_ONE_BODY: [HeaderName; 5] = [
    header::CONTENT_LENGTH,
    header::CONTENT_ENCODING,
    header::CONTENT_RANGE,
    header::ETAG,
    header::LAST_MODIFIED,
];
