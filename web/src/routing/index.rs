use std::cell::{Cell, RefCell};

use memchr::memchr_iter;

use super::arguments::Arguments;
use super::edges::{Edges, Key};
use super::escape::{is_in_escape, normalise};
use super::pattern::Pattern;
use super::regex::Matcher;
use super::segments::{Segment, Segments};

/// Finds the row of the route table that answers a path.
///
/// # How
/// 1. A row without arguments answers one path, and which row answers that path is known
///    when the index is made. So such paths are in a hash table, unless an earlier row of
///    another kind answers them.
/// 2. Rows with `{…}` are in a trie over segments. Where a literal and an argument both lead
///    on, both are followed, and the lowest row wins.
/// 3. Regexes of rows before the one found are tried, in order.
///
/// # Cost
/// The path is looked over once and hashed once. In the trie each node is visited once at
/// most, and only if what leads to it matches and a row below it could still win: in a table
/// where at most one segment matches at each place, as many nodes as the pattern has
/// segments, however many rows there are. Nothing is allocated, and nothing depends on how
/// many segments the path has beyond those of the longest pattern. Each regex adds a
/// comparison of its literal prefix, and a search if that is equal.
#[derive(Debug)]
pub(crate) struct Index {
    /// From nodes of the trie to others, and from [`WHOLE`] paths to rows.
    edges: Edges,
    /// The trie; the first is its root.
    nodes: Vec<Node>,
    /// For each row, where in its path the arguments are; nothing for other than segments.
    places: Vec<Box<[Place]>>,
    /// In the order of the table.
    regexes: Vec<(u32, Matcher)>,
    /// Where the segments of the path being looked up begin, as far as patterns reach, and
    /// where one more would. The table is used by one thread, by one lookup at a time.
    starts: Box<[Cell<u32>]>,
    /// The nodes that are still to be visited in this lookup.
    pending: RefCell<Vec<Visit>>,
}

/// In place of a node, the origin of the edges that are whole paths and lead to rows.
const WHOLE: u32 = u32::MAX;

/// No row, or no node: higher than all.
const NONE: u32 = u32::MAX;

/// The beginnings of some patterns.
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
    /// The different lengths of text around arguments that are part of a segment.
    around: Vec<Around>,
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
    /// What it leaves of the segment; `None` if it takes the rest of the path.
    around: Option<Around>,
}

#[derive(Clone, Copy, Debug)]
struct Visit {
    node: u32,
    /// How many segments lead there.
    depth: u32,
}

impl Index {
    /// Makes an index of the `patterns` of a table; the first is row 0.
    pub(crate) fn new<'a>(patterns: impl IntoIterator<Item = &'a Pattern>) -> Self {
        let mut index = Self {
            edges: Edges::new(),
            nodes: vec![Node::EMPTY],
            places: Vec::new(),
            regexes: Vec::new(),
            starts: Box::default(),
            pending: RefCell::default(),
        };
        let mut deepest = 0;
        let mut literals = Vec::new();
        for (row, pattern) in (0..).zip(patterns) {
            let mut places = Vec::new();
            match pattern {
                Pattern::Regex(regex) => index.regexes.push((row, regex.matcher())),
                Pattern::Segments(segments) => match segments.literal() {
                    Some(path) => literals.push((row, path)),
                    None => {
                        deepest = deepest.max(segments.segments().len());
                        places = index.insert(row, segments);
                    }
                },
            }
            index.places.push(places.into());
        }
        index.starts = vec![Cell::new(0); deepest + 2].into();
        for (row, path) in literals {
            index.insert_whole(row, path.as_bytes());
        }
        index
    }

    /// Returns the row that answers `path`, and puts its arguments into `arguments`, as
    /// ranges of `path`.
    pub(crate) fn find(&self, path: &[u8], arguments: &mut Arguments) -> Option<usize> {
        arguments.clear();
        // Text of a literal row is normal already, so what equals it is as well.
        if let Some(row) = self.find_whole(path) {
            return Some(row as usize);
        }
        let Some(normal) = normalise(path) else {
            return self.search(path, NONE, arguments).map(|row| row as usize);
        };
        let row = match self.find_whole(&normal.bytes) {
            Some(row) => row,
            None => self.search(&normal.bytes, NONE, arguments)?,
        };
        arguments.map_positions(|position| normal.origin(position));
        Some(row as usize)
    }

    fn find_whole(&self, path: &[u8]) -> Option<u32> {
        self.edges.find(Key { from: WHOLE, before: path, after: None })
    }

    /// Searches the rows before `limit`, but for those without arguments.
    fn search(&self, path: &[u8], limit: u32, arguments: &mut Arguments) -> Option<u32> {
        // Positions and lengths are held in 32 bits.
        if path.len() >= u32::MAX as usize {
            return None;
        }
        let row = self.walk(path, limit, || {});
        let earlier = self.regexes.iter().take_while(|(regex, _)| *regex < row);
        for (regex, matcher) in earlier {
            if matcher.matches(path, arguments) {
                return Some(*regex);
            }
        }
        if row == limit {
            return None;
        }
        for place in &self.places[row as usize] {
            arguments.push(Some(self.range(*place, path)));
        }
        Some(row)
    }
}

/// The trie.
impl Index {
    /// Returns the first row with a pattern of segments and arguments that matches `path`,
    /// or `limit` if there is none before it. Calls `visited` for each node visited.
    fn walk(&self, path: &[u8], limit: u32, mut visited: impl FnMut()) -> u32 {
        let Some(count) = self.split(path) else {
            return limit;
        };
        let mut best = limit;
        let mut pending = self.pending.borrow_mut();
        pending.clear();
        pending.push(Visit { node: 0, depth: 0 });
        while let Some(Visit { node, depth }) = pending.pop() {
            let id = node;
            let node = &self.nodes[id as usize];
            if node.lowest >= best {
                continue;
            }
            visited();
            if depth == count {
                best = best.min(node.end);
                continue;
            }
            let (start, end) = self.segment(depth);
            if start < path.len() {
                best = best.min(node.rest);
            }
            let segment = &path[start..end];
            let depth = depth + 1;
            if node.argument != NONE && !segment.is_empty() {
                pending.push(Visit { node: node.argument, depth });
            }
            for around in &node.around {
                if let Some(key) = around.split(id, segment)
                    && let Some(node) = self.edges.find(key)
                {
                    pending.push(Visit { node, depth });
                }
            }
            if node.has_literals {
                let key = Key { from: id, before: segment, after: None };
                if let Some(node) = self.edges.find(key) {
                    pending.push(Visit { node, depth });
                }
            }
        }
        best
    }

    /// Notes where the segments of `path` begin, and returns how many there are, or just more
    /// than any pattern has. `None` if it does not begin with a slash.
    fn split(&self, path: &[u8]) -> Option<u32> {
        if path.first() != Some(&b'/') {
            return None;
        }
        let (last, starts) = self.starts.split_last()?;
        let mut count = 0;
        for (start, slash) in starts.iter().zip(memchr_iter(b'/', path)) {
            start.set(slash as u32 + 1);
            count += 1;
        }
        // As if a slash followed.
        let end = starts.get(count).unwrap_or(last);
        end.set(path.len() as u32 + 1);
        Some(count as u32)
    }

    /// Returns where segment `depth` of the path that was split begins and ends.
    fn segment(&self, depth: u32) -> (usize, usize) {
        let depth = depth as usize;
        (self.starts[depth].get() as usize, self.starts[depth + 1].get() as usize - 1)
    }

    fn range(&self, place: Place, path: &[u8]) -> std::ops::Range<usize> {
        let (start, end) = self.segment(place.segment);
        match place.around {
            Some(Around { before, after }) => start + before as usize..end - after as usize,
            None => start..path.len(),
        }
    }
}

/// The making.
impl Index {
    fn insert(&mut self, row: u32, pattern: &Segments) -> Vec<Place> {
        let mut places = Vec::new();
        let mut node = 0;
        for (depth, segment) in (0..).zip(pattern.segments()) {
            let lowest = &mut self.nodes[node as usize].lowest;
            *lowest = row.min(*lowest);
            match segment {
                Segment::Literal(text) => {
                    self.nodes[node as usize].has_literals = true;
                    let key = Key { from: node, before: text.as_bytes(), after: None };
                    node = self.follow(key);
                }
                Segment::Argument { before, after } => {
                    let around = Around { before: before.len() as u32, after: after.len() as u32 };
                    places.push(Place { segment: depth, around: Some(around) });
                    node = self.follow_argument(node, before.as_bytes(), after.as_bytes(), around);
                }
                Segment::Rest => {
                    places.push(Place { segment: depth, around: None });
                    let rest = &mut self.nodes[node as usize].rest;
                    *rest = row.min(*rest);
                    return places;
                }
            }
        }
        let end = &mut self.nodes[node as usize];
        end.end = row.min(end.end);
        end.lowest = row.min(end.lowest);
        places
    }

    /// Returns the node to which `key` leads.
    fn follow(&mut self, key: Key<'_>) -> u32 {
        self.edges.find(key).unwrap_or_else(|| {
            let node = self.add_node();
            self.edges.insert(key, node);
            node
        })
    }

    /// Returns the node to which an argument leads.
    fn follow_argument(&mut self, from: u32, before: &[u8], after: &[u8], around: Around) -> u32 {
        if around != Around::NOTHING {
            let known = &mut self.nodes[from as usize].around;
            if !known.contains(&around) {
                known.push(around);
            }
            return self.follow(Key { from, before, after: Some(after) });
        }
        if self.nodes[from as usize].argument == NONE {
            self.nodes[from as usize].argument = self.add_node();
        }
        self.nodes[from as usize].argument
    }

    fn add_node(&mut self) -> u32 {
        self.nodes.push(Node::EMPTY);
        self.nodes.len() as u32 - 1
    }

    /// Adds a row without arguments, unless it never answers.
    fn insert_whole(&mut self, row: u32, path: &[u8]) {
        if self.find_whole(path).is_none()
            && self.search(path, row, &mut Arguments::new()).is_none()
        {
            self.edges.insert(Key { from: WHOLE, before: path, after: None }, row);
        }
    }
}

impl Node {
    const EMPTY: Self = Self {
        lowest: NONE,
        end: NONE,
        rest: NONE,
        argument: NONE,
        has_literals: false,
        around: Vec::new(),
    };
}

impl Around {
    const NOTHING: Self = Self { before: 0, after: 0 };

    /// Splits off a `segment` what stands around an argument in it, as the key of an edge
    /// from node `from`; `None` if nothing remains for the argument.
    fn split(self, from: u32, segment: &[u8]) -> Option<Key<'_>> {
        let (before, rest) = segment.split_at_checked(self.before as usize)?;
        let length = rest.len().checked_sub(self.after as usize)?;
        let (argument, after) = rest.split_at(length);
        let matches = !argument.is_empty() && !is_in_escape(rest, length);
        matches.then_some(Key { from, before, after: Some(after) })
    }
}

#[cfg(test)]
mod tests;
