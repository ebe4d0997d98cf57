//! The page that this thread writes, and the pages that it can read.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use squall_runtime::process::{ForkOptions, Scoreboard, SlotPage, State};

use super::{PAGE_WORDS, Page, registry};

thread_local! {
    static OF_THREAD: OnceCell<ThreadPage> = const { OnceCell::new() };
}

/// The process whose page a thread has taken. A page has one writer, so a second thread that
/// serves, as in tests, gets a private page.
static TAKEN: AtomicU32 = AtomicU32::new(0);

/// The page of a thread, and its slot in the runtime's scoreboard.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ThreadPage {
    /// `None` if the kernel had no memory to share.
    pub(crate) slot: Option<SlotPage>,
    pub(crate) page: Page,
    /// Whether other threads and processes can read the page.
    is_shared: bool,
}

impl ThreadPage {
    /// Begins to write the page.
    pub(super) fn enter(self) {
        self.page.enter(self.slot.map_or(0, |slot| slot.generation()));
    }
}

/// Returns the page of this thread. The first call takes or creates it.
pub(crate) fn page_of_thread() -> ThreadPage {
    OF_THREAD.with(|page| {
        *page.get_or_init(|| {
            let page = shared().unwrap_or_else(private);
            page.enter();
            registry::attach(page.page);
            page
        })
    })
}

/// Returns the page of this thread, if it has one already.
pub(crate) fn existing() -> Option<Page> {
    OF_THREAD.with(|page| page.get().map(|page| page.page))
}

/// Returns the page of the process. Returns `None` if another thread has it, or it is too small.
fn shared() -> Option<ThreadPage> {
    let slot = Scoreboard::own_page()?;
    let page = Page::new(slot.extension())?;
    let process = std::process::id();
    let is_free = TAKEN.swap(process, Relaxed) != process;
    is_free.then_some(ThreadPage { slot: Some(slot), page, is_shared: true })
}

/// Creates a page that no other thread reads.
pub(crate) fn private() -> ThreadPage {
    let slot = ForkOptions::new().page_words(PAGE_WORDS).private_page().ok();
    let page = slot.and_then(|slot| Page::new(slot.extension()));
    let page = page.unwrap_or_else(|| {
        let words: Vec<_> = (0..PAGE_WORDS).map(|_| AtomicU64::new(0)).collect();
        Page::new(words.leak()).unwrap_or_else(|| unreachable!("the words fill a page"))
    });
    ThreadPage { slot, page, is_shared: false }
}

/// The private page of this thread, if it has one.
fn existing_private() -> Option<ThreadPage> {
    OF_THREAD.with(|page| page.get().copied().filter(|page| !page.is_shared))
}

/// The state of the server, as this process sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServerState {
    /// The state of this process. `None` if it does not serve.
    pub(crate) own: Option<State>,
    /// The number of slots with a worker that is ready.
    pub(crate) ready: usize,
    /// The number of workers that the server should have.
    pub(crate) wanted: usize,
    /// Whether the whole server is shutting down.
    pub(crate) is_stopping: bool,
}

/// Returns the state of the server.
pub(crate) fn server_state() -> ServerState {
    if let Some(private) = existing_private() {
        let own = private.slot.map(|slot| slot.state());
        let ready = usize::from(own == Some(State::Ready));
        return ServerState { own, ready, wanted: 1, is_stopping: false };
    }
    let Some(scoreboard) = Scoreboard::current() else {
        return ServerState { own: None, ready: 0, wanted: 0, is_stopping: false };
    };
    let ready = |page: &SlotPage| page.state() == State::Ready;
    let numbers: BTreeSet<_> = scoreboard.pages().filter(ready).map(|page| page.slot()).collect();
    ServerState {
        own: Scoreboard::own_page().map(|page| page.state()),
        ready: numbers.len(),
        wanted: scoreboard.wanted(),
        is_stopping: scoreboard.is_stopping(),
    }
}

/// Returns the pages of all workers, present and past. A thread with a private page sees only that
/// one.
pub(crate) fn pages() -> Vec<(SlotPage, Page)> {
    if let Some(private) = existing_private() {
        return private.slot.map(|slot| (slot, private.page)).into_iter().collect();
    }
    let slots = Scoreboard::current().into_iter().flat_map(|scoreboard| scoreboard.pages());
    // Reading a page that was never written would make the kernel allocate it.
    let used = slots.filter(|slot| slot.generation() != 0);
    used.filter_map(|slot| Some((slot, Page::new(slot.extension())?))).collect()
}
