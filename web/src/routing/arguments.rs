//! [`Arguments`]: the places of the path arguments.

use std::ops::Range;

/// How many arguments are held without an allocation. A row seldom has more than two. Each
/// connection holds such a value, and twice as many would take 32 bytes more.
const INLINE: usize = 4;

/// The places of the arguments in a path.
///
/// The value is reused from request to request: [`Index::find`](super::Index::find) clears and
/// fills it. It allocates only once a row has more than four arguments.
#[derive(Debug)]
pub(crate) struct Arguments(Spans);

#[derive(Debug)]
enum Spans {
    /// The first `length` of `spans`.
    Inline { length: u32, spans: [Span; INLINE] },
    /// Some earlier path had more than [`INLINE`].
    Heap(Vec<Span>),
}

/// A range of a path, or [`Span::ABSENT`].
#[derive(Clone, Copy, Debug)]
struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// An optional group of a regex that did not match. No path is as long as this.
    const ABSENT: Self = Self { start: u32::MAX, end: u32::MAX };
}

impl Arguments {
    pub(crate) const fn new() -> Self {
        Self(Spans::Inline { length: 0, spans: [Span::ABSENT; INLINE] })
    }

    /// Returns the range of argument `index` in the path, in bytes. Returns `None` if there is no
    /// such argument, or if it is an optional group that did not match.
    pub(crate) fn range(&self, index: usize) -> Option<Range<usize>> {
        let span = self.spans().get(index)?;
        (span.start != u32::MAX).then_some(span.start as usize..span.end as usize)
    }

    pub(super) fn clear(&mut self) {
        match &mut self.0 {
            Spans::Inline { length, .. } => *length = 0,
            Spans::Heap(spans) => spans.clear(),
        }
    }

    /// Adds an argument from `start` to `end`. The path must be shorter than `u32::MAX` bytes.
    #[inline]
    pub(super) fn push(&mut self, start: u32, end: u32) {
        let new = Span { start, end };
        if let Spans::Inline { length, spans } = &mut self.0
            && let Some(span) = spans.get_mut(*length as usize)
        {
            *span = new;
            *length += 1;
        } else {
            self.push_many(new);
        }
    }

    fn push_many(&mut self, new: Span) {
        if let Spans::Inline { length, spans } = &self.0 {
            self.0 = Spans::Heap(spans[..*length as usize].to_vec());
        }
        if let Spans::Heap(spans) = &mut self.0 {
            spans.push(new);
        }
    }

    /// Replaces all arguments by `ranges`. The path must be shorter than `u32::MAX` bytes.
    pub(super) fn set(&mut self, ranges: impl ExactSizeIterator<Item = Option<Range<usize>>>) {
        let new = ranges.map(|range| match range {
            Some(range) => Span { start: range.start as u32, end: range.end as u32 },
            None => Span::ABSENT,
        });
        match &mut self.0 {
            Spans::Inline { length, spans } if new.len() <= INLINE => {
                *length = new.len() as u32;
                spans.iter_mut().zip(new).for_each(|(span, new)| *span = new);
            }
            Spans::Inline { .. } => self.0 = Spans::Heap(new.collect()),
            Spans::Heap(spans) => {
                spans.clear();
                spans.extend(new);
            }
        }
    }

    /// Translates each position with `position`.
    pub(super) fn map_positions(&mut self, position: impl Fn(usize) -> usize) {
        let spans = match &mut self.0 {
            Spans::Inline { length, spans } => &mut spans[..*length as usize],
            Spans::Heap(spans) => spans,
        };
        for span in spans.iter_mut().filter(|span| span.start != u32::MAX) {
            span.start = position(span.start as usize) as u32;
            span.end = position(span.end as usize) as u32;
        }
    }

    fn spans(&self) -> &[Span] {
        match &self.0 {
            Spans::Inline { length, spans } => &spans[..*length as usize],
            Spans::Heap(spans) => spans,
        }
    }
}

#[cfg(test)]
impl Arguments {
    /// Returns the number of arguments, including absent ones.
    pub(crate) fn len(&self) -> usize {
        self.spans().len()
    }

    /// Returns the [`range`](Self::range)s of all arguments in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Option<Range<usize>>> {
        (0..self.len()).map(|index| self.range(index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(count: usize) -> Vec<Option<Range<usize>>> {
        (0..count).map(|at| (at % 3 != 2).then_some(at..at + 1)).collect()
    }

    #[test]
    fn set_replaces_all_arguments() {
        let mut arguments = Arguments::new();
        for count in [0, 2, INLINE, 1, INLINE + 1, 20, 3, 0, 7] {
            arguments.set(ranges(count).into_iter());
            assert_eq!(arguments.len(), count);
            assert_eq!(arguments.iter().collect::<Vec<_>>(), ranges(count));
            assert_eq!(arguments.range(count), None);
        }
        arguments.clear();
        assert_eq!(arguments.len(), 0);
    }

    #[test]
    fn a_few_arguments_take_little_memory_and_no_allocation() {
        let mut arguments = Arguments::new();
        arguments.set(ranges(INLINE).into_iter());
        assert!(matches!(arguments.0, Spans::Inline { .. }));
        assert!(size_of::<Arguments>() <= 40);
    }

    #[test]
    fn positions_of_absent_arguments_are_not_translated() {
        for count in [3, 9] {
            let mut arguments = Arguments::new();
            arguments.set(ranges(count).into_iter());
            arguments.map_positions(|position| position * 10);
            assert_eq!(arguments.range(1), Some(10..20));
            assert_eq!(arguments.range(2), None);
        }
    }
}
