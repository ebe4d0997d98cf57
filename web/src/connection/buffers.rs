use crate::connection::input::Input;
use crate::connection::output::Output;
use crate::connection::pace::Pace;
use crate::connection::request_body::RequestBody;
use crate::connection::worker::Worker;

/// Part of a head of at most this size is kept in a box of its own while the rest is awaited.
const STASH_LIMIT: usize = 1024;

/// What a connection needs from the first byte of a request to the last of its response.
#[derive(Debug)]
pub(crate) struct Buffers {
    pub(crate) input: Input,
    pub(crate) output: Output,
    pub(crate) body: RequestBody,
    /// How well the client takes what is sent.
    pub(crate) sending: Pace,
}

impl Buffers {
    pub(crate) fn new() -> Self {
        Self {
            input: Input::new(),
            output: Output::default(),
            body: RequestBody::default(),
            sending: Pace::default(),
        }
    }

    /// Forgets the request that was served; what was received behind it stays.
    #[inline(always)]
    pub(crate) fn end_request(&mut self) {
        self.input.end_request();
        self.body.clear();
    }

    /// Forgets all, for the next connection: also what a client that left did not take.
    #[inline(always)]
    pub(crate) fn reset(&mut self) {
        self.body.clear();
        self.input.reset();
        if !self.output.is_empty() {
            self.output.clear();
        }
        self.sending = Pace::default();
    }
}

/// What a connection holds: the less, the longer it may have to wait.
#[derive(Debug, Default)]
pub(crate) enum Held {
    #[default]
    Nothing,
    /// The beginning of a head, so small that the buffers are worth more. Boxed twice, so that those
    /// who have none pay nothing for its length.
    Stash(Box<Box<[u8]>>),
    Buffers(Box<Buffers>),
}

impl Held {
    /// The buffers, taken from the worker's pool if need be.
    #[inline]
    pub(crate) fn lease(&mut self, worker: &Worker) -> &mut Buffers {
        if !matches!(self, Self::Buffers(_)) {
            self.fetch(worker);
        }
        match self {
            Self::Buffers(buffers) => buffers,
            Self::Nothing | Self::Stash(_) => unreachable!("fetched above"),
        }
    }

    /// As [`lease`](Self::lease), where there mostly are none.
    #[inline(always)]
    pub(crate) fn lease_at_once(&mut self, worker: &Worker) -> &mut Buffers {
        if !matches!(self, Self::Buffers(_)) {
            self.fetch_at_once(worker);
        }
        self.lease(worker)
    }

    #[inline(never)]
    fn fetch(&mut self, worker: &Worker) {
        self.fetch_at_once(worker);
    }

    #[inline(always)]
    fn fetch_at_once(&mut self, worker: &Worker) {
        let buffers = worker.lease_buffers();
        if let Self::Stash(bytes) = std::mem::replace(self, Self::Buffers(buffers)) {
            self.unstash(&bytes);
        }
    }

    #[cold]
    fn unstash(&mut self, bytes: &[u8]) {
        if let Self::Buffers(buffers) = self {
            buffers.input.put_back(bytes);
        }
    }

    pub(crate) fn leased(&mut self) -> Option<&mut Buffers> {
        match self {
            Self::Buffers(buffers) => Some(buffers),
            Self::Nothing | Self::Stash(_) => None,
        }
    }

    /// Gives the buffers back to the worker, if what they hold allows it.
    #[inline(always)]
    pub(crate) fn rest(&mut self, worker: &Worker) {
        let Self::Buffers(buffers) = &mut *self else { return };
        let rest = match (buffers.output.is_empty(), buffers.input.is_empty()) {
            (true, true) => Self::Nothing,
            (true, false) if buffers.input.unread().len() <= STASH_LIMIT => stash(&buffers.input),
            _ => return,
        };
        if let Self::Buffers(buffers) = std::mem::replace(self, rest) {
            worker.release_buffers(buffers);
        }
    }
}

#[cold]
fn stash(input: &Input) -> Held {
    Held::Stash(Box::new(input.unread().into()))
}
