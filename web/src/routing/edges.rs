//! The edges of the trie, as a hash table.

/// A hash table from a node of the trie and some text to another node.
///
/// It is built once, and then searched for text that clients choose. The hash needs no secret:
/// clients cannot add keys, so the worst that they can do is to look up the slowest key.
#[derive(Debug)]
pub(super) struct Edges {
    /// Linear probing. The number of slots is a power of two and at least four times the number of
    /// edges, so the slot after any other is usually empty.
    slots: Vec<Slot>,
    /// The texts that are too long for their key.
    texts: Vec<Box<[u8]>>,
    /// The number of edges.
    count: usize,
    /// The length of the longest text. Longer text need not be hashed.
    longest: usize,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    key: Key,
    /// [`NOWHERE`] if the slot is empty.
    to: u32,
    /// The index of the text, if the key does not hold all of it.
    text: u32,
}

/// A node, and the length, the first eight and the last eight bytes of some text. The two words may
/// overlap or leave a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) from: u32,
    pub(super) length: u32,
    pub(super) first: u64,
    /// 0 if the text has at most eight bytes.
    last: u64,
}

/// No node.
const NOWHERE: u32 = u32::MAX;

impl Edges {
    pub(super) fn new() -> Self {
        Self { slots: vec![Slot::EMPTY; 4], texts: Vec::new(), count: 0, longest: 0 }
    }

    /// Returns where `text` leads from the node `from`.
    #[inline]
    pub(super) fn find(&self, from: u32, text: &[u8]) -> Option<u32> {
        match text.len() {
            // The key holds the whole text.
            0..=Key::HOLDS_ALL => {
                let key = Key::of(from, text);
                self.probe(key, key.hash(), |_| true)
            }
            _ => self.find_long(from, text),
        }
    }

    /// Like [`find`](Self::find), for at most eight bytes of text: `word` has the text, then zeros.
    pub(super) fn find_short(&self, from: u32, word: u64, length: u32) -> Option<u32> {
        let key = Key { from, length, first: word, last: 0 };
        self.probe(key, key.hash(), |_| true)
    }

    fn find_long(&self, from: u32, text: &[u8]) -> Option<u32> {
        if text.len() > self.longest {
            return None;
        }
        let is_equal = |index| self.texts.get(index as usize).is_some_and(|other| **other == *text);
        self.probe(Key::of(from, text), hash_of_long(from, text), is_equal)
    }

    fn probe(&self, key: Key, hash: usize, is_equal: impl Fn(u32) -> bool) -> Option<u32> {
        let mask = self.slots.len() - 1;
        let mut slots = (0..=mask).map(|next| &self.slots[hash.wrapping_add(next) & mask]);
        let end = slots.find(|slot| slot.to == NOWHERE || slot.key == key && is_equal(slot.text));
        end.map(|slot| slot.to).filter(|to| *to != NOWHERE)
    }

    /// Returns all edges, and where they lead.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Key, u32)> {
        self.slots.iter().filter(|slot| slot.to != NOWHERE).map(|slot| (slot.key, slot.to))
    }

    /// Adds an edge. The node `from` must not have one for `text`.
    pub(super) fn insert(&mut self, from: u32, text: &[u8], to: u32) {
        self.count += 1;
        self.longest = self.longest.max(text.len());
        if self.count * 4 > self.slots.len() {
            let size = self.slots.len() * 2;
            let slots = std::mem::replace(&mut self.slots, vec![Slot::EMPTY; size]);
            slots.into_iter().filter(|slot| slot.to != NOWHERE).for_each(|slot| self.place(slot));
        }
        let index = self.texts.len() as u32;
        if text.len() > Key::HOLDS_ALL {
            self.texts.push(text.into());
        }
        self.place(Slot { key: Key::of(from, text), to, text: index });
    }

    fn place(&mut self, slot: Slot) {
        let mask = self.slots.len() - 1;
        let hash = match slot.key.length as usize {
            0..=Key::HOLDS_ALL => slot.key.hash(),
            _ => hash_of_long(slot.key.from, &self.texts[slot.text as usize]),
        };
        let mut at = hash & mask;
        while self.slots[at].to != NOWHERE {
            at = (at + 1) & mask;
        }
        self.slots[at] = slot;
    }
}

impl Slot {
    const EMPTY: Self =
        Self { key: Key { from: 0, length: 0, first: 0, last: 0 }, to: NOWHERE, text: 0 };
}

impl Key {
    /// The key of a text of at most this length holds all of it.
    const HOLDS_ALL: usize = 16;

    fn of(from: u32, text: &[u8]) -> Self {
        let (first, last) = match (text.first_chunk(), text.last_chunk()) {
            (Some(first), Some(last)) if text.len() > 8 => {
                (u64::from_le_bytes(*first), u64::from_le_bytes(*last))
            }
            _ => (short_word(text), 0),
        };
        Self { from, length: text.len() as u32, first, last }
    }

    fn hash(self) -> usize {
        // The factor is only needed if there is a last word. Checking that would cost more.
        hash(self.from, self.length as usize, self.first.wrapping_mul(FACTOR) ^ self.last)
    }
}

/// Returns the word for at most eight bytes of text: the text, then zeros.
fn short_word(text: &[u8]) -> u64 {
    let low = |bytes: [u8; 4]| u64::from(u32::from_le_bytes(bytes));
    match (text.first_chunk::<4>(), text.last_chunk::<4>(), text) {
        (Some(&first), Some(&last), _) => low(first) | low(last) << (8 * (text.len() - 4)),
        (_, _, &[a]) => low([a, 0, 0, 0]),
        (_, _, &[a, b]) => low([a, b, 0, 0]),
        (_, _, &[a, b, c]) => low([a, b, c, 0]),
        _ => 0,
    }
}

/// Hashes text of at least eight bytes.
fn hash_of_long(from: u32, text: &[u8]) -> usize {
    let (words, _) = text.as_chunks::<8>();
    // The last word may overlap the one before it. So no byte is left out.
    let last = text.last_chunk::<8>().copied().unwrap_or_default();
    let word = words.iter().fold(0, |hash, word| mix(hash ^ u64::from_le_bytes(*word), FACTOR));
    hash(from, text.len(), word ^ u64::from_le_bytes(last))
}

fn hash(from: u32, length: usize, word: u64) -> usize {
    let seed = u64::from(from) << 32 | length as u64;
    mix(word ^ seed.wrapping_mul(OTHER_FACTOR), FACTOR) as usize
}

/// Irregular bits: the fractions of the golden ratio and of the square root of two.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
const OTHER_FACTOR: u64 = 0x6a09_e667_f3bc_c909;

/// Mixes two words. Each bit of the result depends on all bits of both.
fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product >> 64) as u64 ^ product as u64
}

#[cfg(test)]
mod tests;
