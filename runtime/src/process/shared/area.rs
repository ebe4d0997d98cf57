//! The rings of all workers of a server, and who reads them.
//!
//! The memory is a file, so that the next server can use it as well: its workers and those of the
//! server that it replaces reach each other.
//!
//! Each worker has a *place*: a ring that it writes, and two words that tell the others whether it
//! reads theirs, and whether it sleeps. The memory of a place outlives its worker, and the next
//! worker with the place continues the ring.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::{Mutex, PoisonError};

use crate::log;
use crate::process::shared::memory::{create_shared_file, map_shared_file};
use crate::process::shared::ring::{Ring, Size};

/// The first word: the layout has this form.
const MARK: u64 = u64::from_be_bytes(*b"squall-1");

/// 8 MiB of index, for 200,000 messages with short names, and 4 MiB of payloads. A ring takes this
/// memory only when its worker has published so much to other workers.
const SIZE: Size = Size { index: 1 << 20, payloads: 1 << 19 };

/// Words of the head: the mark, the number of places, the identity, the places in use.
mod word {
    pub(super) const MARK: usize = 0;
    pub(super) const PLACES: usize = 1;
    pub(super) const IDENTITY: usize = 2;
    pub(super) const USED: usize = 4;
}

const HEAD: usize = 8;

/// Each ring begins at a page of the system.
const PAGE: usize = 512;

/// The area of this process. A copy is made by the fork, and refers to the same memory.
static CURRENT: Mutex<Option<Area>> = Mutex::new(None);

/// The memory in which the workers of a server exchange messages.
#[derive(Clone, Copy)]
pub(crate) struct Area {
    words: &'static [AtomicU64],
    places: usize,
}

/// For each slot of a server: two workers while one replaces the other, and as many of another
/// server while that is replaced.
const PLACES_PER_SLOT: usize = 4;

/// Installs the area of a server with so many slots: the one in the file that was handed over, or a
/// new one. Returns its file. Without one, workers do not reach each other.
pub(crate) fn prepare(inherited: Option<OwnedFd>, slots: usize) -> Option<OwnedFd> {
    if let Some(file) = inherited {
        match Area::open(&file) {
            Ok(area) => {
                area.install();
                return Some(file);
            }
            Err(error) => {
                let text = "the memory for messages between workers is not taken over";
                log::warn(log::GENERAL, format_args!("{text}: {error}"));
            }
        }
    }
    match Area::create(slots.saturating_mul(PLACES_PER_SLOT)) {
        Ok((area, file)) => {
            area.install();
            Some(file)
        }
        Err(error) if error.kind() == io::ErrorKind::Unsupported => None,
        Err(error) => {
            let text = "no memory for messages between workers";
            log::warn(log::GENERAL, format_args!("{text}: {error}"));
            None
        }
    }
}

impl Area {
    /// An area with room for so many workers, and its file.
    pub(crate) fn create(places: usize) -> io::Result<(Self, OwnedFd)> {
        let count = words_for(places).ok_or(io::ErrorKind::OutOfMemory)?;
        let (file, words) = create_shared_file(count)?;
        let identity = crate::periodic::random_seed();
        words[word::IDENTITY].store(identity, Relaxed);
        words[word::IDENTITY + 1].store(crate::periodic::random_seed(), Relaxed);
        words[word::PLACES].store(places as u64, Relaxed);
        words[word::MARK].store(MARK, SeqCst);
        Ok((Self { words, places }, file))
    }

    /// The area in a file that was handed over.
    pub(crate) fn open(file: &OwnedFd) -> io::Result<Self> {
        let words = map_shared_file(file)?;
        let head = words.get(..HEAD).map(|head| head.iter().map(|word| word.load(SeqCst)));
        let head: Vec<_> = head.into_iter().flatten().collect();
        let places = head.get(word::PLACES).and_then(|&places| usize::try_from(places).ok());
        let is_known = head.first() == Some(&MARK);
        match places.filter(|&places| is_known && words_for(places) == Some(words.len())) {
            Some(places) => Ok(Self { words, places }),
            None => Err(io::Error::new(io::ErrorKind::InvalidData, "it has another layout")),
        }
    }

    /// The area of the server that this process belongs to.
    pub(crate) fn current() -> Option<Self> {
        *CURRENT.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes this the area of this process, and of those it forks.
    pub(crate) fn install(self) {
        *CURRENT.lock().unwrap_or_else(PoisonError::into_inner) = Some(self);
    }

    /// A number that no other area has.
    pub(crate) fn identity(self) -> [u64; 2] {
        [0, 1].map(|offset| self.words[word::IDENTITY + offset].load(Relaxed))
    }

    /// How many workers have room.
    pub(crate) fn places(self) -> usize {
        self.places
    }

    /// The highest place that was ever used, plus 1.
    pub(crate) fn used(self) -> usize {
        (self.words[word::USED].load(SeqCst) as usize).min(self.places)
    }

    pub(crate) fn use_place(self, place: usize) {
        self.words[word::USED].fetch_max(place as u64 + 1, SeqCst);
    }

    /// Whether the worker reads what others write: 0 or 1. Written by the worker.
    pub(crate) fn listens(self, place: usize) -> &'static AtomicU64 {
        &self.words[HEAD + place]
    }

    /// The ticket of the worker's sleep, or 0 while it is awake. Set by the worker, and cleared by
    /// the first that has woken it.
    pub(crate) fn sleeps(self, place: usize) -> &'static AtomicU64 {
        &self.words[HEAD + self.places + place]
    }

    /// The ring that the worker writes.
    pub(crate) fn ring(self, place: usize) -> Ring<&'static [AtomicU64]> {
        let start = head_words(self.places) + place * ring_words();
        Ring::new(&self.words[start..][..SIZE.words()], SIZE)
    }
}

fn ring_words() -> usize {
    SIZE.words().next_multiple_of(PAGE)
}

fn head_words(places: usize) -> usize {
    (HEAD + 2 * places).next_multiple_of(PAGE)
}

fn words_for(places: usize) -> Option<usize> {
    let places = Some(places).filter(|&places| places <= u32::MAX as usize)?;
    places.checked_mul(ring_words())?.checked_add(head_words(places))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn an_area_is_the_same_in_the_next_server() {
        let (area, file) = Area::create(3).unwrap();
        area.use_place(2);
        assert!(area.ring(2).append(b"a", 1, b"kept"));
        let next = Area::open(&file).unwrap();
        assert_eq!((next.places(), next.used()), (3, 3));
        assert_eq!(next.identity(), area.identity());
        assert_ne!(next.ring(2).end().at(), 0);
        assert_eq!(next.ring(1).end().at(), 0);
    }

    #[test]
    fn a_file_of_another_layout_is_refused() {
        let (file, words) = create_shared_file(words_for(2).unwrap()).unwrap();
        assert!(Area::open(&file).is_err());
        words[word::MARK].store(MARK, SeqCst);
        words[word::PLACES].store(3, SeqCst);
        assert!(Area::open(&file).is_err());
        words[word::PLACES].store(u64::MAX, SeqCst);
        assert!(Area::open(&file).is_err());
    }
}
