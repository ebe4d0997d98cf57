/// A hash table from a node of the trie and what stands in a segment to another node.
///
/// It is made once and then only asked, with text that clients choose. The hash needs no
/// secret: clients cannot add keys, so they can do no more than ask for the worst of those
/// that are there.
#[derive(Debug)]
pub(super) struct Edges {
    edges: Vec<Edge>,
    /// A power of two, and at least twice as many as there are edges, or one; linear probing.
    slots: Vec<Slot>,
    /// Length of the longest literal, so that longer text need not be hashed.
    longest: usize,
}

#[derive(Debug)]
struct Edge {
    from: u32,
    before: Box<[u8]>,
    after: Option<Box<[u8]>>,
    to: u32,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    /// Compared before the edge itself.
    hash: u32,
    /// Which edge; [`Slot::NONE`] if the slot is empty.
    edge: u32,
}

impl Slot {
    const NONE: u32 = u32::MAX;
    const EMPTY: Self = Self { hash: 0, edge: Self::NONE };
}

/// What leads from one node to another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key<'a> {
    /// The node.
    pub(super) from: u32,
    /// The text of a segment, or what stands in it before an argument.
    pub(super) before: &'a [u8],
    /// What stands in it after an argument; `None` if it has none.
    pub(super) after: Option<&'a [u8]>,
}

impl Edges {
    pub(super) fn new() -> Self {
        Self { edges: Vec::new(), slots: vec![Slot::EMPTY], longest: 0 }
    }

    /// Returns where `key` leads.
    pub(super) fn find(&self, key: Key<'_>) -> Option<u32> {
        if key.before.len() > self.longest {
            return None;
        }
        let hash = key.hash();
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot.edge == Slot::NONE {
                return None;
            }
            if slot.hash == hash {
                let edge = &self.edges[slot.edge as usize];
                if edge.is(key) {
                    return Some(edge.to);
                }
            }
            at = (at + 1) & mask;
        }
    }

    /// Makes `key`, which is not there, lead to `to`.
    pub(super) fn insert(&mut self, key: Key<'_>, to: u32) {
        let edge = self.edges.len() as u32;
        self.edges.push(Edge {
            from: key.from,
            before: key.before.into(),
            after: key.after.map(Into::into),
            to,
        });
        self.longest = self.longest.max(key.before.len());
        if self.edges.len() * 2 > self.slots.len() {
            self.grow();
        } else {
            self.place(key.hash(), edge);
        }
    }

    fn grow(&mut self) {
        let size = (self.edges.len() * 2).next_power_of_two();
        self.slots = vec![Slot::EMPTY; size];
        for edge in 0..self.edges.len() {
            self.place(self.edges[edge].key().hash(), edge as u32);
        }
    }

    fn place(&mut self, hash: u32, edge: u32) {
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        while self.slots[at].edge != Slot::NONE {
            at = (at + 1) & mask;
        }
        self.slots[at] = Slot { hash, edge };
    }
}

impl Edge {
    fn key(&self) -> Key<'_> {
        Key { from: self.from, before: &self.before, after: self.after.as_deref() }
    }

    fn is(&self, key: Key<'_>) -> bool {
        self.from == key.from && *self.before == *key.before && self.after.as_deref() == key.after
    }
}

impl Key<'_> {
    fn hash(&self) -> u32 {
        let mut hash = mix(u64::from(self.from), self.before);
        if let Some(after) = self.after {
            hash = mix(!hash, after);
        }
        // The upper half depends on every bit that went in.
        (hash >> 32) as u32
    }
}

/// An odd number without a pattern: 2⁶⁴ divided by the golden ratio.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// Mixes `text` into `hash`, eight bytes at a time.
fn mix(hash: u64, text: &[u8]) -> u64 {
    let step = |hash: u64, word: u64| {
        let wide = u128::from(hash ^ word) * u128::from(FACTOR);
        (wide >> 64) as u64 ^ wide as u64
    };
    let mut hash = step(hash, text.len() as u64);
    let Some(last) = text.last_chunk::<8>() else {
        return step(hash, short_word(text));
    };
    // The last word overlaps the one before it, so that no byte remains.
    let (words, _) = text.as_chunks::<8>();
    for &word in &words[..(text.len() - 1) / 8] {
        hash = step(hash, u64::from_le_bytes(word));
    }
    step(hash, u64::from_le_bytes(*last))
}

/// Returns a word that is another for each other text of the same length, less than eight.
fn short_word(text: &[u8]) -> u64 {
    match (text.first_chunk::<4>(), text.last_chunk::<4>(), text) {
        (Some(&first), Some(&last), _) => {
            u64::from(u32::from_le_bytes(first)) | u64::from(u32::from_le_bytes(last)) << 32
        }
        (_, _, &[first, .., last]) => {
            let middle = text[text.len() / 2];
            u64::from(first) | u64::from(middle) << 8 | u64::from(last) << 16
        }
        (_, _, &[only]) => u64::from(only),
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
