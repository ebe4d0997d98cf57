use std::cell::Cell;
use std::ops::Range;

use super::arguments::Arguments;
use super::edges::Edges;
use super::escape::{Normalised, is_in_escape, normalise};
use super::regex::Matcher;
use super::slashes::{Slashes, segment};

mod build;
mod straight;

use straight::Way;

/// Finds the row of the route table that answers a path.
///
/// # How
/// 1. A row without arguments answers one path, and which row answers that path is known
///    when the index is made. So such paths are in a hash table, unless an earlier row of
///    another kind answers them.
/// 2. Rows with `{…}` are in a trie over segments. Where more than one edge leads on, all are
///    followed, and the lowest row wins. As long as one leads on, it is [followed](straight) while
///    the path is searched for slashes.
/// 3. Regexes of rows before the one found are tried, in order.
///
/// # Cost
/// The path is hashed once, and looked over once for slashes. In the trie each node is
/// visited once at most, and only if what leads to it matches and a row below it could still
/// win. In a table where one edge leads on at each place, those are as many nodes as the
/// pattern has segments, however many rows there are; in the worst table, all. Nothing
/// depends on how many segments a path has beyond those of the longest pattern, and nothing is
/// allocated, unless the path is spelled in another way than the normal one. Each regex adds
/// a comparison of its literal prefix, and a search if that is equal.
#[derive(Debug)]
pub(crate) struct Index {
    /// From nodes of the trie, and some other origins, to nodes.
    edges: Edges,
    /// The trie.
    nodes: Vec<Node>,
    /// For each node, what most paths need to know of it.
    ways: Box<[Way]>,
    /// How many origins there are besides the nodes.
    origins: u32,
    /// How long the paths of rows without arguments are, so that most others need not be hashed.
    lengths: Lengths,
    /// For each row, where in its path the arguments are; nothing for other than segments.
    places: Vec<Box<[Place]>>,
    /// In the order of the table.
    regexes: Vec<(u32, Matcher)>,
    /// Of the path being looked up: as many as the longest pattern has, and one more.
    slashes: Slashes,
}

/// The first node.
const ROOT: u32 = 0;

/// The origin of the edges that are whole paths, and lead to rows.
const WHOLE: u32 = u32::MAX - 1;

/// No row, or no node: higher than all.
const NONE: u32 = u32::MAX;

/// The beginning of some patterns.
#[derive(Clone, Debug)]
struct Node {
    /// The lowest row whose pattern begins so.
    lowest: u32,
    /// The lowest row whose pattern ends here.
    end: u32,
    /// The lowest row that takes the rest of the path from here.
    rest: u32,
    /// Where an argument leads that is the whole segment.
    argument: u32,
    /// Whether there are literal edges.
    has_literals: bool,
    /// Whether nothing but `argument` leads on.
    has_only_argument: bool,
    /// The arguments that are a part of the segment, by the lengths of the text around them.
    parts: Vec<Part>,
}

/// Arguments with text of certain lengths around them.
#[derive(Clone, Copy, Debug)]
struct Part {
    /// The lowest row with one of them here.
    lowest: u32,
    around: Around,
    /// From here the text before the argument leads to where the text after it leads on.
    origin: u32,
}

/// How much text there is before and after an argument in its segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Around {
    before: u32,
    after: u32,
}

/// Where an argument is.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// In which segment.
    segment: u32,
    around: Around,
    takes_rest: bool,
}

impl Index {
    /// Returns the row that answers the path that is the first `length` bytes of `text`, and puts
    /// its arguments into `arguments`, as ranges of the path.
    ///
    /// What follows the path makes no difference, but it is cheaper if there are a few bytes, so
    /// that the last ones of the path can be read as a word.
    #[inline]
    pub(crate) fn find(
        &self,
        text: &[u8],
        length: usize,
        arguments: &mut Arguments,
    ) -> Option<usize> {
        arguments.clear();
        let path = text.get(..length)?;
        // The text of a literal row is normal, so what equals it is as well.
        let row = self.find_whole(path).or_else(|| self.find_with_arguments(text, path, arguments));
        row.map(|row| row as usize)
    }

    /// Finds a row without arguments that is answered by no earlier row.
    #[inline]
    fn find_whole(&self, path: &[u8]) -> Option<u32> {
        if self.lengths.has(path.len()) { self.edges.find(WHOLE, path) } else { None }
    }

    #[inline(never)]
    fn find_with_arguments(
        &self,
        text: &[u8],
        path: &[u8],
        arguments: &mut Arguments,
    ) -> Option<u32> {
        if let Some(row) = self.go_straight(text, path.len(), arguments) {
            return Some(row);
        }
        arguments.clear();
        self.search(path, NONE, arguments)
    }

    /// Finds a row before `limit`, among all but those without arguments.
    #[inline(never)]
    fn search(&self, path: &[u8], limit: u32, arguments: &mut Arguments) -> Option<u32> {
        // Positions are held in 32 bits.
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

    /// Searches for a path that came in another spelling than the normal one.
    #[cold]
    fn search_normal(
        &self,
        normal: &Normalised,
        limit: u32,
        arguments: &mut Arguments,
    ) -> Option<u32> {
        let path = &*normal.bytes;
        let row = self.find_whole(path).or_else(|| self.search(path, limit, arguments))?;
        arguments.map_positions(|position| normal.origin(position));
        Some(row)
    }

    /// Finds a regex of a row before `limit`.
    #[inline(never)]
    fn find_regex(&self, path: &[u8], limit: u32, arguments: &mut Arguments) -> Option<u32> {
        let mut earlier = self.regexes.iter().take_while(|(row, _)| *row < limit);
        earlier.find(|(_, matcher)| matcher.matches(path, arguments)).map(|(row, _)| *row)
    }
}

/// A path, and the bounds of those of its segments that are left.
#[derive(Clone, Copy)]
struct Rest<'a> {
    path: &'a [u8],
    bounds: &'a [Cell<u32>],
}

/// The trie.
impl Index {
    /// Returns the lowest row before `best` whose pattern begins with what leads to node `id`,
    /// and then matches what is left of the path; `best` if there is none. Calls `visited`
    /// for each node.
    // Always, since it is nearly all of `search`, and the compiler hesitates: through `fork`
    // it calls itself.
    #[inline(always)]
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

    /// Walks on to each node to which `segment` leads from node `id`, one of which is
    /// `literal`; otherwise as [`walk`](Self::walk).
    ///
    /// It calls itself no deeper than the longest pattern has segments.
    #[inline(never)]
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

    /// Returns where an argument leads that is a part of `segment`.
    fn follow(&self, part: &Part, segment: &[u8]) -> Option<u32> {
        let (before, rest) = segment.split_at_checked(part.around.before as usize)?;
        let length = rest.len().checked_sub(part.around.after as usize)?;
        let (argument, after) = rest.split_at(length);
        // In `%2F` there is no argument before the text `F`.
        if argument.is_empty() || is_in_escape(rest, length) {
            return None;
        }
        let origin = self.edges.find(part.origin, before)?;
        self.edges.find(origin, after)
    }
}

impl Place {
    /// Returns the range of the argument in `path`.
    fn range(&self, path: &[u8], bounds: &[Cell<u32>]) -> Option<Range<usize>> {
        let [slash, next, ..] = bounds.get(self.segment as usize..)? else {
            return None;
        };
        let Range { start, end } = segment(slash, next);
        let end = if self.takes_rest { path.len() } else { end };
        Some(start + self.around.before as usize..end - self.around.after as usize)
    }
}

/// A set of lengths; from 63 on it does not tell them apart.
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
