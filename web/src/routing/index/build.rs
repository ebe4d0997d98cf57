//! Builds the index.

use super::{
    Affixes, ArgumentPlace, FastNode, Index, Lengths, NONE, Node, Part, ROOT, WHOLE_PATHS,
};
use crate::routing::arguments::Arguments;
use crate::routing::edges::Edges;
use crate::routing::pattern::Pattern;
use crate::routing::segments::{Segment, Segments};
use crate::routing::slashes::Slashes;

impl Index {
    /// Builds the index of the `patterns` of a table. The first is row 0.
    pub(crate) fn new<'a>(patterns: impl IntoIterator<Item = &'a Pattern>) -> Self {
        let mut index = Self {
            edges: Edges::new(),
            nodes: vec![Node::EMPTY],
            fast_nodes: Box::default(),
            origins: 0,
            lengths: Lengths::default(),
            places: Vec::new(),
            regexes: Vec::new(),
            slashes: Slashes::new(0),
        };
        let mut longest = 0;
        let mut literals = Vec::new();
        for (row, pattern) in (0..).zip(patterns) {
            let mut places = Vec::new();
            match pattern {
                Pattern::Regex(regex) => index.regexes.push((row, regex.matcher())),
                Pattern::Segments(segments) => match segments.literal() {
                    Some(path) => literals.push((row, path)),
                    None => {
                        longest = longest.max(segments.segments().len());
                        places = index.insert(row, segments);
                    }
                },
            }
            index.places.push(places.into());
        }
        for node in &mut index.nodes {
            node.has_only_argument = node.argument != NONE && node.is_plain() && !node.has_literals;
        }
        index.fast_nodes = FastNode::all(&index.nodes, &index.edges);
        index.slashes = Slashes::new(longest + 1);
        // Last, because each is looked up among the others.
        for (row, path) in literals {
            index.insert_literal(row, path.as_bytes());
        }
        index
    }

    /// Adds a row with arguments, which comes after all rows added before. Returns the places of
    /// the arguments.
    fn insert(&mut self, row: u32, pattern: &Segments) -> Vec<ArgumentPlace> {
        let mut places = Vec::new();
        let mut id = ROOT;
        for (depth, segment) in (0..).zip(pattern.segments()) {
            let node = &mut self.nodes[id as usize];
            node.lowest = node.lowest.min(row);
            match segment {
                Segment::Literal(text) => {
                    node.has_literals = true;
                    id = self.insert_edge(id, text, Self::add_node);
                }
                Segment::Argument { before, after } => {
                    let affixes =
                        Affixes { before: before.len() as u32, after: after.len() as u32 };
                    places.push(ArgumentPlace { segment: depth, affixes, takes_rest: false });
                    id = match affixes {
                        Affixes::NOTHING => self.insert_argument(id),
                        affixes => {
                            let origin = self.insert_part(id, affixes, row);
                            let origin = self.insert_edge(origin, before, Self::add_origin);
                            self.insert_edge(origin, after, Self::add_node)
                        }
                    };
                }
                Segment::Rest => {
                    node.rest = node.rest.min(row);
                    let affixes = Affixes::NOTHING;
                    places.push(ArgumentPlace { segment: depth, affixes, takes_rest: true });
                    return places;
                }
            }
        }
        let last = &mut self.nodes[id as usize];
        last.lowest = last.lowest.min(row);
        last.end = last.end.min(row);
        places
    }

    /// Adds a row without arguments, unless an earlier row matches its path.
    fn insert_literal(&mut self, row: u32, path: &[u8]) {
        let is_new = self.find_literal(path).is_none();
        if is_new && self.search(path, row, &mut Arguments::new()).is_none() {
            self.lengths.insert(path.len());
            self.edges.insert(WHOLE_PATHS, path, row);
        }
    }

    /// Returns the node after an argument that is the whole segment.
    fn insert_argument(&mut self, from: u32) -> u32 {
        if self.nodes[from as usize].argument == NONE {
            self.nodes[from as usize].argument = self.add_node();
        }
        self.nodes[from as usize].argument
    }

    /// Returns the origin of edges for the text before an argument of `row`.
    fn insert_part(&mut self, from: u32, affixes: Affixes, row: u32) -> u32 {
        let mut parts = self.nodes[from as usize].parts.iter();
        if let Some(part) = parts.find(|part| part.affixes == affixes) {
            return part.origin;
        }
        let origin = self.add_origin();
        self.nodes[from as usize].parts.push(Part { lowest: row, affixes, origin });
        origin
    }

    /// Returns where `text` leads. If it leads nowhere yet, adds an edge to the result of `add`.
    fn insert_edge(&mut self, from: u32, text: &str, add: impl FnOnce(&mut Self) -> u32) -> u32 {
        self.edges.find(from, text.as_bytes()).unwrap_or_else(|| {
            let to = add(self);
            self.edges.insert(from, text.as_bytes(), to);
            to
        })
    }

    fn add_node(&mut self) -> u32 {
        self.nodes.push(Node::EMPTY);
        self.nodes.len() as u32 - 1
    }

    /// Adds an origin of edges that is not a node.
    fn add_origin(&mut self) -> u32 {
        self.origins += 1;
        WHOLE_PATHS - self.origins
    }
}

impl Node {
    const EMPTY: Self = Self {
        lowest: NONE,
        end: NONE,
        rest: NONE,
        argument: NONE,
        has_literals: false,
        has_only_argument: false,
        parts: Vec::new(),
    };

    /// Whether all edges are literal or `argument`.
    pub(super) fn is_plain(&self) -> bool {
        self.rest == NONE && self.parts.is_empty()
    }
}

impl Affixes {
    const NOTHING: Self = Self { before: 0, after: 0 };
}
