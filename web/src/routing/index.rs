//! [`Index`]: from a path to the row of the route table.

use std::cell::Cell;
use std::ops::Range;

use super::arguments::Arguments;
use super::edges::Edges;
use super::escape::{Normalised, is_in_escape, normalise};
use super::regex::Matcher;
use super::slashes::{Slashes, segment};

mod build;
mod fast;

use fast::FastNode;

/// Finds the row of the route table for a path.
///
/// # How
/// 1. A row without arguments matches one path. Such paths are in a hash table, unless an earlier
///    row of another kind also matches them.
/// 2. Rows with `{…}` are in a trie over segments. Where several edges match, all are followed, and
///    the lowest row wins. As long as only one matches, the [fast path](fast) follows it.
/// 3. The regexes of rows before the one found are tried in order.
///
/// # Cost
/// The path is hashed once, and searched for slashes once. Each node of the trie is visited at most
/// once, and only if the segments before it match and a row below it could still win. In most
/// tables this visits as many nodes as the pattern has segments, however many rows there are; in
/// the worst table it visits all. Segments beyond those of the longest pattern cost nothing.
/// Nothing is allocated, unless the path is not normally spelled. Each regex adds a comparison of
/// its literal prefix, and a search if that is equal.
#[derive(Debug)]
pub(crate) struct Index {
    /// The edges of the trie, and some others.
    edges: Edges,
    /// The trie.
    nodes: Vec<Node>,
    /// Each node, as the fast path needs it.
    fast_nodes: Box<[FastNode]>,
    /// The number of edge origins that are not nodes.
    origins: u32,
    /// The lengths of the paths of rows without arguments. Most other paths need not be hashed.
    lengths: Lengths,
    /// For each row, the places of its arguments. Empty for a regex.
    places: Vec<Box<[ArgumentPlace]>>,
    /// The rows with a regex, in the order of the table.
    regexes: Vec<(u32, Matcher)>,
    /// The slashes of the path that is being looked up: one more than the longest pattern has.
    slashes: Slashes,
}

/// The first node.
const ROOT: u32 = 0;

/// The origin of edges that are whole paths and lead to rows.
const WHOLE_PATHS: u32 = u32::MAX - 1;

/// No row, or no node. Higher than all of them.
const NONE: u32 = u32::MAX;

/// A node of the trie: some patterns begin with the segments that lead here.
#[derive(Clone, Debug)]
struct Node {
    /// The lowest row below this node.
    lowest: u32,
    /// The lowest row whose pattern ends here.
    end: u32,
    /// The lowest row that takes the rest of the path from here.
    rest: u32,
    /// The node after an argument that is the whole segment.
    argument: u32,
    /// Whether there are literal edges.
    has_literals: bool,
    /// Whether `argument` is the only edge.
    has_only_argument: bool,
    /// The arguments that are a part of a segment, by the lengths of the text around them.
    parts: Vec<Part>,
}

/// Arguments with text of the same lengths around them.
#[derive(Clone, Copy, Debug)]
struct Part {
    /// The lowest row with such an argument here.
    lowest: u32,
    affixes: Affixes,
    /// The origin of edges for the text before the argument. They lead to origins of edges for the
    /// text after it.
    origin: u32,
}

/// The lengths of the text before and after an argument in its segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Affixes {
    before: u32,
    after: u32,
}

/// The place of an argument in a path.
#[derive(Clone, Copy, Debug)]
struct ArgumentPlace {
    /// The index of its segment.
    segment: u32,
    affixes: Affixes,
    takes_rest: bool,
}

impl Index {
    /// Returns the row for the path that is the first `length` bytes of `text`. Puts the ranges of
    /// its arguments into `arguments`.
    ///
    /// The bytes after the path do not matter. But the lookup is cheaper if there are at least
    /// eight, because the end of the path can then be read as a word.
    #[inline]
    pub(crate) fn find(
        &self,
        text: &[u8],
        length: usize,
        arguments: &mut Arguments,
    ) -> Option<usize> {
        arguments.clear();
        let path = text.get(..length)?;
        // The text of a row is normally spelled, so a path that equals it is, too.
        let row = self.find_literal(path).or_else(|| {
            self.find_fast(text, length, arguments).or_else(|| {
                arguments.clear();
                self.search(path, NONE, arguments)
            })
        });
        row.map(|row| row as usize)
    }

    /// Finds a row without arguments whose path no earlier row matches.
    #[inline]
    fn find_literal(&self, path: &[u8]) -> Option<u32> {
        if self.lengths.has(path.len()) { self.edges.find(WHOLE_PATHS, path) } else { None }
    }

    /// Finds a row before `limit`. Rows without arguments are not searched.
    fn search(&self, path: &[u8], limit: u32, arguments: &mut Arguments) -> Option<u32> {
        // A position has 32 bits.
        if path.len() >= u32::MAX as usize {
            return None;
        }
        let split = self.slashes.split(path);
        if split.has_percent
            && let Some(normal) = normalise(path)
        {
            return self.search_normal(&normal, limit, arguments);
        }

        let mut row = limit;
        if path.starts_with(b"/") {
            row = self.walk(ROOT, Rest { path, bounds: split.bounds }, row, &mut || {});
        }
        if !self.regexes.is_empty()
            && let Some(regex) = self.find_regex(path, row, arguments)
        {
            return Some(regex);
        }
        if row == limit {
            return None;
        }
        let places = self.places[row as usize].iter();
        arguments.set(places.map(|place| place.range(path, split.bounds)));
        Some(row)
    }

    /// Searches for a path that was not normally spelled.
    fn search_normal(
        &self,
        normal: &Normalised,
        limit: u32,
        arguments: &mut Arguments,
    ) -> Option<u32> {
        let path = &*normal.bytes;
        let row = self.find_literal(path).or_else(|| self.search(path, limit, arguments))?;
        arguments.map_positions(|position| normal.origin(position));
        Some(row)
    }

    /// Finds a row before `limit` by its regex.
    fn find_regex(&self, path: &[u8], limit: u32, arguments: &mut Arguments) -> Option<u32> {
        let mut earlier = self.regexes.iter().take_while(|(row, _)| *row < limit);
        earlier.find(|(_, matcher)| matcher.matches(path, arguments)).map(|(row, _)| *row)
    }
}

/// A path, and the bounds of its remaining segments.
#[derive(Clone, Copy)]
struct Rest<'a> {
    path: &'a [u8],
    bounds: &'a [Cell<u32>],
}

/// The trie.
impl Index {
    /// Returns the lowest row before `best` that is below node `id` and matches the rest of the
    /// path. Returns `best` if there is none. Calls `visited` for each node.
    fn walk(
        &self,
        mut id: u32,
        Rest { path, mut bounds }: Rest<'_>,
        mut best: u32,
        visited: &mut impl FnMut(),
    ) -> u32 {
        loop {
            let node = &self.nodes[id as usize];
            if node.lowest >= best {
                return best;
            }
            visited();
            let [slash, next, ..] = bounds else {
                return best.min(node.end);
            };
            let range = segment(slash, next);
            bounds = &bounds[1..];
            if node.has_only_argument && !range.is_empty() {
                id = node.argument;
                continue;
            }

            best = best.min(node.rest);
            let segment = &path[range];
            let literal = if node.has_literals { self.edges.find(id, segment) } else { None };
            let argument = if segment.is_empty() { NONE } else { node.argument };
            let may_fork = !node.parts.is_empty() || (literal.is_some() && argument != NONE);
            if may_fork {
                return self.fork(id, literal, segment, Rest { path, bounds }, best, visited);
            }
            id = literal.unwrap_or(argument);
            if id == NONE {
                return best;
            }
        }
    }

    /// Like [`walk`](Self::walk), but follows all edges of node `id` that match `segment`. One of
    /// them leads to `literal`.
    ///
    /// The recursion is at most as deep as the longest pattern has segments.
    fn fork(
        &self,
        id: u32,
        literal: Option<u32>,
        segment: &[u8],
        rest: Rest<'_>,
        mut best: u32,
        visited: &mut impl FnMut(),
    ) -> u32 {
        let node = &self.nodes[id as usize];
        if let Some(literal) = literal {
            best = self.walk(literal, rest, best, visited);
        }
        for part in &node.parts {
            if part.lowest < best
                && let Some(next) = self.follow(part, segment)
            {
                best = self.walk(next, rest, best, visited);
            }
        }
        if node.argument != NONE && !segment.is_empty() {
            best = self.walk(node.argument, rest, best, visited);
        }
        best
    }

    /// Returns the node after an argument that is a part of `segment`.
    fn follow(&self, part: &Part, segment: &[u8]) -> Option<u32> {
        let (before, rest) = segment.split_at_checked(part.affixes.before as usize)?;
        let length = rest.len().checked_sub(part.affixes.after as usize)?;
        let (argument, after) = rest.split_at(length);
        // The text `F` does not match the end of `%2F`.
        if argument.is_empty() || is_in_escape(rest, length) {
            return None;
        }
        let origin = self.edges.find(part.origin, before)?;
        self.edges.find(origin, after)
    }
}

impl ArgumentPlace {
    /// Returns the range of the argument in `path`.
    fn range(&self, path: &[u8], bounds: &[Cell<u32>]) -> Option<Range<usize>> {
        let [slash, next, ..] = bounds.get(self.segment as usize..)? else {
            return None;
        };
        let Range { start, end } = segment(slash, next);
        let end = if self.takes_rest { path.len() } else { end };
        Some(start + self.affixes.before as usize..end - self.affixes.after as usize)
    }
}

/// A set of lengths. All lengths from 63 on are the same to it.
#[derive(Debug, Default)]
struct Lengths(u64);

impl Lengths {
    fn insert(&mut self, length: usize) {
        self.0 |= 1 << length.min(63);
    }

    #[inline]
    fn has(&self, length: usize) -> bool {
        self.0 >> length.min(63) & 1 != 0
    }
}

#[cfg(test)]
mod tests;
