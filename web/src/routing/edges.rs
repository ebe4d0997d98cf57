/// A hash table from a node of the trie and some text to another node.
///
/// It is made once and then only asked, with text that clients choose. The hash needs no
/// secret: clients cannot add keys, so they can do no more than ask for the slowest of those
/// that are there.
#[derive(Debug)]
pub(super) struct Edges {
    /// A power of two, and at least four times as many as there are edges, so that the next of
    /// any slot is most often empty. Linear probing.
    slots: Vec<Slot>,
    /// How many slots are taken.
    count: usize,
    /// Length of the longest text, so that longer text need not be hashed.
    longest: usize,
}

#[derive(Clone, Debug)]
struct Slot {
    /// Of the text: see [`word`].
    word: u64,
    from: u32,
    /// [`NOWHERE`] if the slot is empty.
    to: u32,
    text: Box<[u8]>,
}

/// No node.
const NOWHERE: u32 = u32::MAX;

impl Edges {
    pub(super) fn new() -> Self {
        Self { slots: vec![Slot::empty(); 4], count: 0, longest: 0 }
    }

    /// Returns where `text` leads from the node `from`.
    pub(super) fn find(&self, from: u32, text: &[u8]) -> Option<u32> {
        // Most text is short, and then its word says it all.
        match text.len() {
            0..=8 => self.probe(from, text, short_word(text), |_| true),
            _ => self.find_long(from, text),
        }
    }

    #[inline(never)]
    fn find_long(&self, from: u32, text: &[u8]) -> Option<u32> {
        if text.len() > self.longest {
            return None;
        }
        self.probe(from, text, long_word(text), |slot| is_equal(&slot.text, text))
    }

    fn probe(
        &self,
        from: u32,
        text: &[u8],
        word: u64,
        is_equal: impl Fn(&Slot) -> bool,
    ) -> Option<u32> {
        let mask = self.slots.len() - 1;
        let mut at = hash(from, text.len(), word) & mask;
        loop {
            let slot = &self.slots[at];
            let is_alike = slot.word == word && slot.from == from && slot.text.len() == text.len();
            if slot.to == NOWHERE {
                return None;
            }
            if is_alike && is_equal(slot) {
                return Some(slot.to);
            }
            at = (at + 1) & mask;
        }
    }

    /// Makes `text`, which leads nowhere from `from` yet, lead to `to`.
    pub(super) fn insert(&mut self, from: u32, text: &[u8], to: u32) {
        self.count += 1;
        self.longest = self.longest.max(text.len());
        if self.count * 4 > self.slots.len() {
            let size = self.slots.len() * 2;
            let slots = std::mem::replace(&mut self.slots, vec![Slot::empty(); size]);
            slots.into_iter().filter(|slot| slot.to != NOWHERE).for_each(|slot| self.place(slot));
        }
        self.place(Slot { word: word(text), from, to, text: text.into() });
    }

    fn place(&mut self, slot: Slot) {
        let mask = self.slots.len() - 1;
        let mut at = hash(slot.from, slot.text.len(), slot.word) & mask;
        while self.slots[at].to != NOWHERE {
            at = (at + 1) & mask;
        }
        self.slots[at] = slot;
    }
}

impl Slot {
    fn empty() -> Self {
        Self { word: 0, from: 0, to: NOWHERE, text: Box::default() }
    }
}

fn word(text: &[u8]) -> u64 {
    if text.len() <= 8 { short_word(text) } else { long_word(text) }
}

/// Returns a word that is another for each other text of the same length, of eight bytes at
/// most.
fn short_word(text: &[u8]) -> u64 {
    let low = |bytes: [u8; 4]| u64::from(u32::from_le_bytes(bytes));
    match (text.first_chunk::<4>(), text.last_chunk::<4>(), text) {
        (Some(&first), Some(&last), _) => low(first) | low(last) << 32,
        (_, _, &[a]) => low([a, 0, 0, 0]),
        (_, _, &[a, b]) => low([a, b, 0, 0]),
        (_, _, &[a, b, c]) => low([a, b, c, 0]),
        _ => 0,
    }
}

/// Returns a hash of text of eight bytes at least.
fn long_word(text: &[u8]) -> u64 {
    let (words, _) = text.as_chunks::<8>();
    // The last word may overlap the one before it, so that no byte is left over.
    let last = text.last_chunk::<8>().copied().unwrap_or_default();
    let hash = words.iter().fold(0, |hash, word| mix(hash ^ u64::from_le_bytes(*word), FACTOR));
    hash ^ u64::from_le_bytes(last)
}

/// Whether two texts are the same, of the same length and eight bytes at least. Both are short, and
/// asking the C library takes longer.
fn is_equal(a: &[u8], b: &[u8]) -> bool {
    let (words, others) = (a.as_chunks::<8>().0, b.as_chunks::<8>().0);
    words.iter().zip(others).all(|(word, other)| word == other)
        && a.last_chunk::<8>() == b.last_chunk::<8>()
}

fn hash(from: u32, length: usize, word: u64) -> usize {
    let seed = u64::from(from) << 32 | length as u64;
    mix(mix(word ^ FACTOR, seed ^ OTHER_FACTOR), FACTOR) as usize
}

/// Bits without a pattern: the fractions of the golden ratio and of the square root of two.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
const OTHER_FACTOR: u64 = 0x6a09_e667_f3bc_c909;

/// Returns bits each of which depends on all that are given.
fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product >> 64) as u64 ^ product as u64
}

#[cfg(test)]
mod tests;
