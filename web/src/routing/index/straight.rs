//! The way through the trie of most paths with arguments: at each node one edge leads on.

use memchr::memchr;

use super::{Index, NONE, Node};
use crate::routing::arguments::Arguments;
use crate::routing::edges::{Edges, Key};
use crate::routing::slashes::find_any;

/// What leads on from a node, if that can be told without following more than one edge.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    /// The text of the literal edge, if there is nothing else.
    word: u64,
    /// Which bytes of a word are compared with it.
    mask: u64,
    /// Of the text; [`NO_LENGTH`] if there is none.
    length: u32,
    /// Where that edge leads; [`MANY`] if there are others, or its text is too long for a word.
    literal: u32,
    /// Where an argument leads that is the whole segment.
    argument: u32,
    /// The lowest row whose pattern ends here.
    end: u32,
}

/// Edges that are to be looked up.
const MANY: u32 = u32::MAX - 1;

/// More than any segment has.
const NO_LENGTH: u32 = u32::MAX;

/// So long a segment is short: then there is a slash, or the end of the path, in its first word.
const SHORT: u32 = 7;

/// Those bytes of a word that are a segment of `length` bytes, which is short.
fn mask(length: u32) -> u64 {
    !(u64::MAX << (8 * length))
}

impl Way {
    /// The ways from all nodes.
    pub(super) fn all(nodes: &[Node], edges: &Edges) -> Box<[Self]> {
        let mut ways: Box<[Self]> = nodes.iter().map(Self::without_literals).collect();
        for (key, to) in edges.iter() {
            let id = key.from as usize;
            if nodes.get(id).is_some_and(Node::is_plain) {
                ways[id].add(key, to);
            }
        }
        ways
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
            *self = Self { length: NO_LENGTH, literal: MANY, ..*self };
        }
    }
}

impl Index {
    /// Finds the row that answers the path that is the first `length` bytes of `text`, unless that
    /// takes a closer look: it is never another row than a [search](Index::search) finds, but
    /// may be none where that finds one. What it puts into `arguments` means nothing then.
    #[inline]
    pub(super) fn go_straight(
        &self,
        text: &[u8],
        length: usize,
        arguments: &mut Arguments,
    ) -> Option<u32> {
        // Positions are held in 32 bits.
        let length =
            u32::try_from(length).ok().filter(|length| (1..u32::MAX - 8).contains(length))?;
        // So far words are read.
        let text = text.get(..length as usize + 8)?;
        if text.first() != Some(&b'/') {
            return None;
        }
        let (mut id, mut way) = (0, self.ways.first()?);
        let mut start = 1;
        loop {
            let word = word_at(text, start)?;
            let slash = find_any(word, b'/').trailing_zeros() / 8;
            let mut end = length.min(start + slash);
            id = if end - start == way.length && (word ^ way.word) & way.mask == 0 {
                way.literal
            } else if way.literal == MANY || end - start > SHORT {
                let rest = text.get(start as usize..length as usize)?;
                let (next, size) = self.look_up(id, way, word, rest, end - start)?;
                end = start + size;
                next
            } else if end == start || find_any(word, b'%') != 0 {
                return None;
            } else {
                way.argument
            };
            if id == way.argument {
                arguments.push(start, end);
            }
            way = self.ways.get(id as usize)?;
            if end == length {
                break;
            }
            start = end + 1;
        }
        let is_first = self.regexes.first().is_none_or(|(regex, _)| *regex > way.end);
        (way.end != NONE && is_first).then_some(way.end)
    }

    /// Where the segment leads that begins `rest`, and in it `word`, if it leads nowhere else,
    /// however it could be spelled. Also returns its size, which is `size` if that is short.
    #[inline(never)]
    fn look_up(
        &self,
        id: u32,
        way: &Way,
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
            Some(literal) if way.argument == NONE => literal,
            Some(_) => return None,
            None if size == 0 || rest.get(..size as usize)?.contains(&b'%') => return None,
            None => way.argument,
        };
        Some((next, size))
    }
}

/// The eight bytes of `text` at `at`.
#[inline(always)]
fn word_at(text: &[u8], at: u32) -> Option<u64> {
    let at = at as usize;
    Some(u64::from_le_bytes(text.get(at..at + 8)?.try_into().ok()?))
}
