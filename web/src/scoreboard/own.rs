//! Which page this thread writes, and which pages there are to be read.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use squall_runtime::process::{ForkOptions, Scoreboard, SlotPage, State};

use super::{PAGE_WORDS, Page, registry};

thread_local! {
    static OWN: OnceCell<Own> = const { OnceCell::new() };
}

/// The process of which a thread has taken the page. A page has one writer: a second thread that
/// serves, as in tests, has one to itself.
static TAKEN: AtomicU32 = AtomicU32::new(0);

/// A page, with what the runtime knows of its worker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Own {
    /// `None`: the system had no memory to share.
    pub(crate) slot: Option<SlotPage>,
    pub(crate) page: Page,
    /// Others read it as well.
    is_shared: bool,
}

impl Own {
    /// Begins to write.
    pub(super) fn enter(self) {
        self.page.enter(self.slot.map_or(0, |slot| slot.generation()));
    }
}

/// The page that this thread writes. It is made, or begun, when it is first asked for.
pub(crate) fn own() -> Own {
    OWN.with(|own| {
        *own.get_or_init(|| {
            let own = shared().unwrap_or_else(apart);
            own.enter();
            registry::attach(own.page);
            own
        })
    })
}

/// The page that this thread writes, if it has begun to.
pub(super) fn existing() -> Option<Page> {
    OWN.with(|own| own.get().map(|own| own.page))
}

/// The page of the process, unless another thread has it, or it has no room for what is counted.
fn shared() -> Option<Own> {
    let slot = Scoreboard::own_page()?;
    let page = Page::new(slot.extension())?;
    let process = std::process::id();
    let is_free = TAKEN.swap(process, Relaxed) != process;
    is_free.then_some(Own { slot: Some(slot), page, is_shared: true })
}

/// A page that no other thread reads.
pub(crate) fn apart() -> Own {
    let slot = ForkOptions::new().page_words(PAGE_WORDS).private_page().ok();
    let page = slot.and_then(|slot| Page::new(slot.extension()));
    let page = page.unwrap_or_else(|| {
        let words: Vec<_> = (0..PAGE_WORDS).map(|_| AtomicU64::new(0)).collect();
        Page::new(words.leak()).unwrap_or_else(|| unreachable!("they are enough"))
    });
    Own { slot, page, is_shared: false }
}

/// How a server stands, as this process sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    /// What this process does. `None`: it serves nothing.
    pub(crate) own: Option<State>,
    pub(crate) ready: usize,
    pub(crate) wanted: usize,
    /// All workers are to end.
    pub(crate) is_stopping: bool,
}

/// How the server stands.
pub(crate) fn standing() -> Standing {
    let apart = OWN.with(|own| own.get().copied().filter(|own| !own.is_shared));
    if let Some(own) = apart {
        let own = own.slot.map(|slot| slot.state());
        let ready = usize::from(own == Some(State::Ready));
        return Standing { own, ready, wanted: 1, is_stopping: false };
    }
    let Some(scoreboard) = Scoreboard::current() else {
        return Standing { own: None, ready: 0, wanted: 0, is_stopping: false };
    };
    let ready = |page: &SlotPage| page.state() == State::Ready;
    let numbers: BTreeSet<_> = scoreboard.pages().filter(ready).map(|page| page.slot()).collect();
    Standing {
        own: Scoreboard::own_page().map(|page| page.state()),
        ready: numbers.len(),
        wanted: scoreboard.wanted(),
        is_stopping: scoreboard.is_stopping(),
    }
}

/// The pages of all workers that there are or were. A thread that serves apart from its process
/// sees its own.
pub(crate) fn pages() -> Vec<(SlotPage, Page)> {
    let apart = OWN.with(|own| own.get().copied().filter(|own| !own.is_shared));
    if let Some(own) = apart {
        return own.slot.map(|slot| (slot, own.page)).into_iter().collect();
    }
    let slots = Scoreboard::current().into_iter().flat_map(|scoreboard| scoreboard.pages());
    // To read what was never written would take memory.
    let used = slots.filter(|slot| slot.generation() != 0);
    used.filter_map(|slot| Some((slot, Page::new(slot.extension())?))).collect()
}
