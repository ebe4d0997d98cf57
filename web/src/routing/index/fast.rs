//! Fast path of [`Index::search`]: same result; skip on a first reading.
//!
//! Most paths with arguments have at most one edge to follow at each node of the trie. Then the
//! trie is followed while the path is searched for slashes, eight bytes at a time.

use memchr::memchr;

use super::{Index, NONE, Node, ROOT};
use crate::routing::arguments::Arguments;
use crate::routing::edges::{Edges, Key};
use crate::routing::slashes::find_any;

/// The edges of a node, if a path follows at most one of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct FastNode {
    /// The text of the literal edge, if that is the only edge.
    word: u64,
    /// The bytes of a word that are compared with it.
    mask: u64,
    /// The length of the text, or [`NO_LENGTH`] if there is none.
    length: u32,
    /// The node after that edge. [`LOOK_UP`] if there are other edges, or if the text is too long
    /// for a word.
    literal: u32,
    /// The node after an argument that is the whole segment.
    argument: u32,
    /// The lowest row whose pattern ends here.
    end: u32,
}

/// The edges must be looked up in the hash table.
const LOOK_UP: u32 = u32::MAX - 1;

/// Longer than any segment.
const NO_LENGTH: u32 = u32::MAX;

/// The longest segment that fits into a word together with the slash after it.
const SHORT: u32 = 7;

/// Returns the mask for the bytes of a short segment in a word.
fn mask(length: u32) -> u64 {
    !(u64::MAX << (8 * length))
}

impl FastNode {
    /// Converts all nodes of a trie.
    pub(super) fn all(nodes: &[Node], edges: &Edges) -> Box<[Self]> {
        let mut fast_nodes: Box<[Self]> = nodes.iter().map(Self::without_literals).collect();
        for (key, to) in edges.iter() {
            let id = key.from as usize;
            if nodes.get(id).is_some_and(Node::is_plain) {
                fast_nodes[id].add(key, to);
            }
        }
        fast_nodes
    }

    fn without_literals(node: &Node) -> Self {
        let argument = if node.is_plain() { node.argument } else { NONE };
        Self { word: 0, mask: 0, length: NO_LENGTH, literal: NONE, argument, end: node.end }
    }

    fn add(&mut self, key: Key, to: u32) {
        let is_only = self.literal == NONE && self.argument == NONE;
        if is_only && key.length <= SHORT {
            let (word, mask) = (key.first, mask(key.length));
            *self = Self { word, mask, length: key.length, literal: to, ..*self };
        } else {
            *self = Self { length: NO_LENGTH, literal: LOOK_UP, ..*self };
        }
    }
}

impl Index {
    /// Fast path of [`search`](Index::search): same result; skip on a first reading.
    ///
    /// The path is the first `length` bytes of `text`. Returns `None` if the path needs a search;
    /// the content of `arguments` is then meaningless.
    pub(super) fn find_fast(
        &self,
        text: &[u8],
        length: usize,
        arguments: &mut Arguments,
    ) -> Option<u32> {
        // Positions are held in 32 bits.
        let length =
            u32::try_from(length).ok().filter(|length| (1..u32::MAX - 8).contains(length))?;
        // Words are read up to here.
        let text = text.get(..length as usize + 8)?;
        if text.first() != Some(&b'/') {
            return None;
        }
        let (mut id, mut node) = (ROOT, self.fast_nodes.first()?);
        let mut start = 1;
        loop {
            let word = word_at(text, start)?;
            let slash = find_any(word, b'/').trailing_zeros() / 8;
            let mut end = length.min(start + slash);
            id = if end - start == node.length && (word ^ node.word) & node.mask == 0 {
                node.literal
            } else if node.literal == LOOK_UP || end - start > SHORT {
                let rest = text.get(start as usize..length as usize)?;
                let (next, size) = self.look_up_fast(id, node, word, rest, end - start)?;
                end = start + size;
                next
            } else if end == start || find_any(word, b'%') != 0 {
                return None;
            } else {
                node.argument
            };
            if id == node.argument {
                arguments.push(start, end);
            }
            node = self.fast_nodes.get(id as usize)?;
            if end == length {
                break;
            }
            start = end + 1;
        }
        let is_first = self.regexes.first().is_none_or(|(regex, _)| *regex > node.end);
        (node.end != NONE && is_first).then_some(node.end)
    }

    /// Returns the node after the segment at the start of `rest`, and the size of the segment.
    /// Returns `None` if more than one edge could be followed. `word` has the first bytes of
    /// `rest`, and `size` is the size of the segment if that is short.
    fn look_up_fast(
        &self,
        id: u32,
        node: &FastNode,
        word: u64,
        rest: &[u8],
        mut size: u32,
    ) -> Option<(u32, u32)> {
        let literal = if size <= SHORT {
            self.edges.find_short(id, word & mask(size), size)
        } else {
            size = memchr(b'/', rest).unwrap_or(rest.len()) as u32;
            self.edges.find(id, rest.get(..size as usize)?)
        };
        let next = match literal {
            Some(literal) if node.argument == NONE => literal,
            Some(_) => return None,
            None if size == 0 || rest.get(..size as usize)?.contains(&b'%') => return None,
            None => node.argument,
        };
        Some((next, size))
    }
}

/// Returns the eight bytes of `text` at `at`.
fn word_at(text: &[u8], at: u32) -> Option<u64> {
    let at = at as usize;
    Some(u64::from_le_bytes(text.get(at..at + 8)?.try_into().ok()?))
}
