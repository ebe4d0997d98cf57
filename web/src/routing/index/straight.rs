//! The way through the trie of most paths with arguments: at each node one edge leads on.

use super::{Index, NONE, Node};
use crate::routing::arguments::Arguments;
use crate::routing::edges::Edges;
use crate::routing::slashes::find_any;

/// What leads on from a node, if that can be told without following more than one edge.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    /// Of the text of the one literal edge.
    word: u64,
    length: u32,
    /// Where that leads; [`MANY`] if there are others, or its text is too long for a word.
    literal: u32,
    /// Where an argument leads that is the whole segment.
    argument: u32,
    /// Its node.
    id: u32,
    /// The lowest row whose pattern ends here.
    end: u32,
}

/// Literal edges that are to be looked up.
const MANY: u32 = u32::MAX - 1;

/// So long a segment is short: then there is a slash, or the end of the path, in its first word.
const SHORT: u32 = 7;

impl Way {
    /// Where the edge leads whose text the segment is, unless it may be an argument as well.
    #[inline(always)]
    fn only(&self, literal: u32) -> Option<u32> {
        (self.argument == NONE).then_some(literal)
    }

    /// The ways from all nodes.
    pub(super) fn all(nodes: &[Node], edges: &Edges) -> Box<[Self]> {
        let way = |(id, node): (u32, &Node)| {
            let argument = if node.is_plain() { node.argument } else { NONE };
            Self { word: 0, length: 0, literal: NONE, argument, id, end: node.end }
        };
        let mut ways: Box<[Self]> = (0..).zip(nodes).map(way).collect();
        for (key, to) in edges.iter() {
            let id = key.from as usize;
            if nodes.get(id).is_some_and(Node::is_plain) {
                let way = &mut ways[id];
                let is_only = way.literal == NONE && key.length <= SHORT;
                way.literal = if is_only { to } else { MANY };
                (way.word, way.length) = (key.first, key.length);
            }
        }
        ways
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
        let length = u32::try_from(length).ok()?;
        // So far words are read.
        let text = text.get(..length as usize + 8)?;
        if text.first() != Some(&b'/') {
            return None;
        }
        let mut way = self.ways.first()?;
        let mut start = 1;
        loop {
            let word = word_at(text, start)?;
            let slash = find_any(word, b'/').trailing_zeros() / 8;
            let mut end = length.min(start + slash);
            let size = end.checked_sub(start)?;
            let next = if size > SHORT {
                let segment = first_segment(text.get(start as usize..length as usize)?);
                end = start + segment.len() as u32;
                self.follow_long(way, segment)?
            } else {
                let word = word & !(u64::MAX << (8 * size));
                if way.literal == MANY {
                    self.follow_many(way, word, size)?
                } else if way.word == word && way.length == size {
                    way.only(way.literal)?
                } else if size == 0 || find_any(word, b'%') != 0 {
                    return None;
                } else {
                    way.argument
                }
            };
            if next == way.argument {
                arguments.push(start, end);
            }
            way = self.ways.get(next as usize)?;
            if end == length {
                break;
            }
            start = end + 1;
        }
        let is_first = self.regexes.first().is_none_or(|(regex, _)| *regex > way.end);
        (way.end != NONE && is_first).then_some(way.end)
    }

    /// Where `word` leads, a segment of `size` bytes, if there are more literal edges than one.
    #[inline(never)]
    fn follow_many(&self, way: &Way, word: u64, size: u32) -> Option<u32> {
        match self.edges.find_short(way.id, word, size) {
            Some(literal) => way.only(literal),
            None if size == 0 || find_any(word, b'%') != 0 => None,
            None => Some(way.argument),
        }
    }

    /// Where any segment leads.
    #[inline(never)]
    fn follow_long(&self, way: &Way, segment: &[u8]) -> Option<u32> {
        match self.edges.find(way.id, segment) {
            Some(literal) => way.only(literal),
            None if segment.contains(&b'%') => None,
            None => Some(way.argument),
        }
    }
}

/// The segment that begins `path`.
#[inline(never)]
fn first_segment(path: &[u8]) -> &[u8] {
    path.split(|&byte| byte == b'/').next().unwrap_or_default()
}

/// The eight bytes of `text` at `at`.
#[inline(always)]
fn word_at(text: &[u8], at: u32) -> Option<u64> {
    let at = at as usize;
    Some(u64::from_le_bytes(text.get(at..at + 8)?.try_into().ok()?))
}
