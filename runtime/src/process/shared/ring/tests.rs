use std::cell::RefCell;

use super::*;
use crate::process::shared::memory::shared_words;

const SMALL: Size = Size { index: 24, payloads: 8 };

fn ring() -> Ring<&'static [AtomicU64]> {
    Ring::new(shared_words(SMALL.words()).unwrap(), SMALL)
}

fn message(name: &str, payload: &[u8]) -> Option<Found> {
    Some(Found::Message { name: name.into(), kind: 1, payload: payload.into() })
}

#[test]
fn a_reader_finds_what_was_appended_after_its_start() {
    let ring = ring();
    assert!(ring.append(b"a", 1, b"before"));
    let mut cursor = ring.end();
    assert_eq!(ring.read(&mut cursor, |_| true), None);
    assert!(ring.append(b"", 1, b"") && ring.append(b"name of a topic", 1, &[7; 33]));
    assert!(!ring.is_at_end(cursor));
    assert_eq!(ring.read(&mut cursor, |_| true), message("", b""));
    assert_eq!(ring.read(&mut cursor, |_| false), Some(Found::Unwanted));
    assert!(ring.is_at_end(cursor));
    assert!(!ring.append(b"a", 1, &[0; 65]) && !ring.append(&[0; 256], 1, b""));
}

#[test]
fn lost_payloads_are_counted_one_by_one_and_lost_records_together() {
    let ring = ring();
    let mut cursor = ring.end();
    for number in 0..4 {
        assert!(ring.append(b"a", 1, &[number; 32]));
    }
    let lost = || Some(Found::Lost { name: b"a".into() });
    assert_eq!(
        [ring.read(&mut cursor, |_| true), ring.read(&mut cursor, |_| true)],
        [lost(), lost()]
    );
    assert_eq!(ring.read(&mut cursor, |_| true), message("a", &[2; 32]));
    // Four words each: six records fit.
    (4..14).for_each(|number| assert!(ring.append(b"a", 1, &[number; 32])));
    assert_eq!(ring.read(&mut cursor, |_| true), Some(Found::Overtaken { count: 5 }));
    (8..12).for_each(|_| assert_eq!(ring.read(&mut cursor, |_| true), lost()));
    assert_eq!(ring.read(&mut cursor, |_| true), message("a", &[12; 32]));
    assert_eq!(ring.read(&mut cursor, |_| true), message("a", &[13; 32]));
    assert_eq!(ring.read(&mut cursor, |_| true), None);
}

#[test]
fn damaged_memory_harms_neither_side() {
    for seed in 0..20_000 {
        let words = shared_like(SMALL.words());
        let ring = Ring::new(words, SMALL);
        let mut random = fastrand::Rng::with_seed(seed);
        let mut cursor = ring.end();
        for _ in 0..30 {
            let place = random.usize(..words.len());
            let value = if random.bool() { random.u64(..) } else { random.u64(..64) };
            words.store(place, value, Relaxed);
            ring.recover();
            ring.append(b"name", 1, &[1; 20]);
            (0..10).for_each(|_| drop(ring.read(&mut cursor, |_| true)));
        }
    }
}

fn shared_like(count: usize) -> &'static [AtomicU64] {
    let words: Vec<_> = (0..count).map(|_| AtomicU64::new(0)).collect();
    words.leak()
}

/// The memory of a model: what a writer has stored becomes visible store by store, while the reader
/// loads. The writer may die after any of its stores.
#[derive(Clone, Copy)]
struct Model(&'static RefCell<Memory>);

struct Memory {
    /// As the writer sees it.
    written: Vec<u64>,
    /// As the reader sees it.
    visible: Vec<u64>,
    stores: std::collections::VecDeque<(usize, u64)>,
    is_reading: bool,
    random: fastrand::Rng,
}

impl Memory {
    fn advance(&mut self, count: usize) {
        for (at, value) in self.stores.drain(..count.min(self.stores.len())) {
            self.visible[at] = value;
        }
    }
}

impl Words for Model {
    fn load(&self, at: usize, _: Ordering) -> u64 {
        let mut memory = self.0.borrow_mut();
        if !memory.is_reading {
            return memory.written[at];
        }
        let count = match memory.random.u8(..4) {
            0 => memory.random.usize(..40),
            1 => 1,
            _ => 0,
        };
        memory.advance(count);
        memory.visible[at]
    }

    fn store(&self, at: usize, value: u64, _: Ordering) {
        let mut memory = self.0.borrow_mut();
        memory.written[at] = value;
        memory.stores.push_back((at, value));
    }
}

/// Every message has its number in its payload, and its name by the number.
fn name(number: u64) -> &'static [u8] {
    if number.is_multiple_of(3) { b"three" } else { b"other" }
}

/// One writer that may die, its successor, and a reader that may fall behind: each message is
/// received once and in order, or counted.
fn run(memory: &'static RefCell<Memory>, seed: u64) {
    {
        let mut memory = memory.borrow_mut();
        memory.random.seed(seed);
        memory.stores.clear();
        memory.is_reading = false;
        memory.written.fill(0);
        memory.visible.fill(0);
    }
    let ring = Ring::new(Model(memory), SMALL);
    let mut random = fastrand::Rng::with_seed(!seed);
    let mut cursor = Cursor::default();
    // How many messages are published, and the number of the next one that is read.
    let (mut published, mut next) = (0_u64, 0_u64);
    for _ in 0..random.u8(1..5) {
        for _ in 0..random.u8(..6) {
            let mut payload = [published as u8; 32];
            payload[..8].copy_from_slice(&published.to_le_bytes());
            assert!(ring.append(name(published), 1, &payload[..random.usize(8..=32)]));
            published += 1;
        }
        if random.u8(..4) == 0 {
            // The last message is published as far as the writer has come.
            let mut memory = memory.borrow_mut();
            let stores = memory.stores.len();
            memory.stores.truncate(stores - random.usize(..=stores.min(12)));
            memory.advance(usize::MAX);
            memory.written = memory.visible.clone();
            drop(memory);
            ring.recover();
            let count = ring.end().count;
            assert!(count <= published);
            published = count;
        }
        memory.borrow_mut().is_reading = true;
        for _ in 0..random.u8(..12) {
            if let Some(found) = ring.read(&mut cursor, |name| name == b"three") {
                next = check(found, next, seed);
            }
        }
        memory.borrow_mut().is_reading = false;
    }
    memory.borrow_mut().advance(usize::MAX);
    while let Some(found) = ring.read(&mut cursor, |name| name == b"three") {
        next = check(found, next, seed);
    }
    assert_eq!(next, published, "seed {seed}");
}

/// Checks what a reader has found that expects the message `next`, and returns the one after it.
fn check(found: Found, next: u64, seed: u64) -> u64 {
    match found {
        Found::Message { name, kind, payload } => {
            assert_eq!((&*name, kind, next % 3), (&b"three"[..], 1, 0), "seed {seed}");
            assert_eq!(payload[..8], next.to_le_bytes(), "seed {seed}");
            assert!(payload[8..].iter().all(|&byte| byte == next as u8), "seed {seed}");
            next + 1
        }
        Found::Lost { name } => {
            assert_eq!((&*name, next % 3), (&b"three"[..], 0), "seed {seed}");
            next + 1
        }
        Found::Unwanted => {
            assert_ne!(next % 3, 0, "seed {seed}");
            next + 1
        }
        Found::Overtaken { count } => next + count,
    }
}

#[test]
fn every_interleaving_of_a_writer_that_dies_and_a_slow_reader_loses_nothing_uncounted() {
    let words = vec![0; SMALL.words()];
    let memory = Memory {
        written: words.clone(),
        visible: words,
        stores: Default::default(),
        is_reading: false,
        random: fastrand::Rng::with_seed(0),
    };
    let memory = Box::leak(Box::new(RefCell::new(memory)));
    let cases = if std::env::var_os("SQUALL_LONG").is_some() { 1_000_000 } else { 50_000 };
    (0..cases).for_each(|seed| run(memory, seed));
}
