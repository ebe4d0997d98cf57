//! What all processes of a server know of each other: a page for each worker, in memory that
//! they share.
//!
//! A worker writes what it does, the supervisor writes what becomes of the worker, and every
//! process reads. There is no lock, and no word has two writers at a time, so counting is a load
//! and a store. A page outlives its worker: it shows what the worker did last, and a replacement
//! continues its counts.

use std::fmt;
use std::io;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use crate::process::shared::memory::shared_words;

pub use page::{SlotPage, State};

mod page;

/// A slot has a page for the worker that serves and one for the worker that replaces it, or that
/// it replaced: for a while there are both.
const PAGES_PER_SLOT: usize = 2;

/// Words that are written together share a cache line of their own: 8 words.
const LINE: usize = 8;

/// Words before the first page.
const HEAD: usize = LINE;

/// Words of a page before its extension: a line that the supervisor writes, and one that the
/// worker writes.
const PAGE_HEAD: usize = 2 * LINE;

/// The scoreboard of this process. A copy is made by the fork, and refers to the same memory.
static CURRENT: Mutex<Option<Current>> = Mutex::new(None);

#[derive(Clone, Copy)]
struct Current {
    scoreboard: Scoreboard,
    /// The page of this process; the supervisor has none.
    page: Option<usize>,
}

/// The pages of all workers of a server.
///
/// # Examples
///
/// A process that has not forked has no scoreboard until it asks for one:
///
/// ```
/// use squall_runtime::process::{ForkOptions, Scoreboard, State};
///
/// assert!(Scoreboard::current().is_none());
/// ForkOptions::new().page_words(4).stay()?;
///
/// let scoreboard = Scoreboard::current().unwrap();
/// let page = scoreboard.pages().next().unwrap();
/// assert_eq!((page.slot(), page.state()), (0, State::Ready));
/// assert_eq!(page.extension().len(), 8, "whole lines of the cache");
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone, Copy)]
pub struct Scoreboard {
    words: &'static [AtomicU64],
    slots: usize,
    /// Words of the upper layer in each page: whole lines.
    extension: usize,
}

impl Scoreboard {
    /// A scoreboard with room for `slots` workers, each with `page_words` words that the upper
    /// layer may use.
    pub(crate) fn new(slots: usize, page_words: usize) -> io::Result<Self> {
        let extension =
            page_words.checked_next_multiple_of(LINE).ok_or(io::ErrorKind::OutOfMemory)?;
        let count = (PAGE_HEAD.checked_add(extension))
            .and_then(|page| page.checked_mul(slots.checked_mul(PAGES_PER_SLOT)?))
            .and_then(|pages| pages.checked_add(HEAD))
            .ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { words: shared_words(count)?, slots, extension })
    }

    /// The scoreboard of the server that this process belongs to. `None` before the fork, or
    /// before [`ForkOptions::stay`](crate::process::ForkOptions::stay) where there is none.
    ///
    /// To be kept rather than asked for often: it takes a lock.
    ///
    /// # Examples
    ///
    /// See [`Scoreboard`].
    #[must_use]
    pub fn current() -> Option<Self> {
        current().map(|current| current.scoreboard)
    }

    /// The page of this process. `None` in the supervisor, and where there is no scoreboard.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::process::{ForkOptions, Scoreboard};
    ///
    /// ForkOptions::new().stay()?;
    /// let page = Scoreboard::own_page().unwrap();
    /// assert_eq!(page.pid(), Some(std::process::id()));
    /// # std::io::Result::Ok(())
    /// ```
    #[must_use]
    pub fn own_page() -> Option<SlotPage> {
        let current = current()?;
        current.page.map(|page| current.scoreboard.page(page))
    }

    /// Makes this the scoreboard of this process, and of those it forks.
    pub(crate) fn install(self, page: Option<usize>) {
        let current = Current { scoreboard: self, page };
        *CURRENT.lock().unwrap_or_else(PoisonError::into_inner) = Some(current);
    }

    /// The most workers there can be.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::process::{ForkOptions, Scoreboard};
    ///
    /// ForkOptions::new().stay()?;
    /// assert_eq!(Scoreboard::current().unwrap().slots(), 1);
    /// # std::io::Result::Ok(())
    /// ```
    #[must_use]
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// All pages, two for each slot, used or not.
    ///
    /// # Examples
    ///
    /// See [`Scoreboard`].
    pub fn pages(&self) -> impl Iterator<Item = SlotPage> + use<> {
        let scoreboard = *self;
        (0..self.slots * PAGES_PER_SLOT).map(move |index| scoreboard.page(index))
    }

    /// The two pages of a slot.
    pub(crate) fn pages_of(&self, slot: usize) -> [SlotPage; PAGES_PER_SLOT] {
        [self.page(slot), self.page(self.slots + slot)]
    }

    /// Pages 0 to one less than there are slots are the first ones of each.
    fn page(&self, index: usize) -> SlotPage {
        let size = PAGE_HEAD + self.extension;
        let words = &self.words[HEAD + index * size..][..size];
        SlotPage { words, index, slot: index % self.slots }
    }

    /// Says how many workers there are to be.
    pub(crate) fn set_wanted(&self, workers: usize) {
        self.words[1].store(workers as u64, Relaxed);
    }

    /// How many workers there are to be: not those that have ended by themselves, nor those that
    /// are there until their replacement is.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::process::{ForkOptions, Scoreboard};
    ///
    /// ForkOptions::new().stay()?;
    /// assert_eq!(Scoreboard::current().unwrap().wanted(), 1);
    /// # std::io::Result::Ok(())
    /// ```
    #[must_use]
    pub fn wanted(&self) -> usize {
        self.words[1].load(Relaxed) as usize
    }

    /// Notes that all workers end, so that none is left to serve a listener.
    pub(crate) fn set_stopping(&self) {
        self.words[0].store(1, Relaxed);
    }

    /// Returns whether all workers were asked to end.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::process::{ForkOptions, Scoreboard};
    ///
    /// ForkOptions::new().stay()?;
    /// assert!(!Scoreboard::current().unwrap().is_stopping());
    /// # std::io::Result::Ok(())
    /// ```
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.words[0].load(Relaxed) != 0
    }
}

impl fmt::Debug for Scoreboard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.pages()).finish()
    }
}

fn current() -> Option<Current> {
    *CURRENT.lock().unwrap_or_else(PoisonError::into_inner)
}
