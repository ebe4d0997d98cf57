use std::any::{Any, TypeId};
use std::cell::OnceCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Instant, SystemTime};

use crate::connection::output::Output;
use crate::connection::upgrade::Serve;
use crate::context::client::Client;
use crate::context::options::RouteOptions;
use crate::context::target::Target;
use crate::error::Error;
use crate::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use crate::http1::head::Head;
use crate::routing::{Arguments, Pattern};
use crate::text::Text;

/// A request and its response: what a context is made of, used again and again.
pub(crate) struct Exchange {
    pub(crate) head: Head,
    pub(crate) began: Option<Instant>,
    pub(crate) target: Target,
    pub(crate) options: RouteOptions,
    /// Of the route that answers.
    pub(crate) pattern: Option<Rc<Pattern>>,
    pub(crate) arguments: Arguments,
    /// Why the request is answered without asking a handler.
    pub(crate) refusal: Option<Error>,
    /// What an endpoint answers, for `OPTIONS`.
    pub(crate) allow: Option<HeaderValue>,
    /// A method of a handler was called that it does not have.
    pub(crate) method_refused: bool,
    pub(crate) response: Response,
    pub(crate) upgrade: Option<Serve>,
    pub(crate) cache: Cache,
    pub(crate) extensions: Option<Extensions>,
}

/// Values that middleware keeps with a request, one of each type.
pub(crate) type Extensions = HashMap<TypeId, Box<dyn Any>>;

/// What is computed when it is first asked for.
#[derive(Default)]
pub(crate) struct Cache {
    pub(crate) headers: OnceCell<HeaderMap>,
    pub(crate) query: OnceCell<Vec<(Text, Text)>>,
    pub(crate) form: OnceCell<Vec<(Text, Text)>>,
    pub(crate) client: OnceCell<Client>,
}

/// The response as it is being written.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) reason: Option<String>,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Output,
    /// A file is in the body: no tag is made of its bytes.
    pub(crate) file: Option<FileInBody>,
    pub(crate) trailers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) progress: Progress,
    /// Bytes of the body that a declared `Content-Length` still promises.
    pub(crate) promised: Option<u64>,
    pub(crate) keep_alive: bool,
}

/// What is known of a file in a body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileInBody {
    /// The length of the body if the file is all of it.
    pub(crate) length: Option<u64>,
    pub(crate) modified: Option<SystemTime>,
}

/// How much of a response has left the handler's hands.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Progress {
    /// Nothing: all of it can still be changed.
    #[default]
    Open,
    /// The body is complete; status and headers can still be changed.
    Complete,
    /// The head has left, the body follows in chunks or as it comes.
    Streaming { chunked: bool },
    /// All of it has left.
    Finished,
    /// It cannot be completed: the connection must be cut.
    Broken,
}

impl Exchange {
    pub(crate) fn new() -> Self {
        Self {
            head: Head::new(),
            began: None,
            target: Target::default(),
            options: RouteOptions::default(),
            pattern: None,
            arguments: Arguments::new(),
            refusal: None,
            allow: None,
            method_refused: false,
            response: Response {
                status: StatusCode::OK,
                reason: None,
                headers: Vec::new(),
                body: Output::default(),
                file: None,
                trailers: Vec::new(),
                progress: Progress::Open,
                promised: None,
                keep_alive: false,
            },
            upgrade: None,
            cache: Cache::default(),
            extensions: None,
        }
    }

    /// Forgets the request and its response, keeping the memory for the next ones.
    pub(crate) fn clear(&mut self) {
        self.head.clear();
        self.target = Target::default();
        self.options = RouteOptions::default();
        self.pattern = None;
        self.refusal = None;
        self.allow = None;
        self.method_refused = false;
        self.response.clear();
        self.response.progress = Progress::Open;
        self.upgrade = None;
        self.cache.headers.take();
        self.cache.query.take();
        self.cache.form.take();
        self.cache.client.take();
        self.extensions = None;
    }
}

impl Response {
    /// Forgets what was written.
    pub(crate) fn clear(&mut self) {
        self.status = StatusCode::OK;
        self.reason = None;
        self.headers.clear();
        self.body.clear();
        self.file = None;
        self.trailers.clear();
        self.promised = None;
    }

    pub(crate) fn header(&self, name: &HeaderName) -> Option<&HeaderValue> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value)
    }

    pub(crate) fn remove_header(&mut self, name: &HeaderName) {
        self.headers.retain(|(other, _)| other != name);
    }
}
