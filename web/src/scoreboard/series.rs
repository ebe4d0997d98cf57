//! The user's counters, gauges and histograms, as words of a page.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Relaxed, Release};

use super::layout::{HISTOGRAM_WORDS, SERIES, SERIES_WORDS, TEXTS, VALUE_WORDS, Word};
use super::texts::{self, TextLocation};
use super::{MAX_SERIES, Page, add, entries, observe};

/// The kind of a metric.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum MetricKind {
    /// A number that only grows.
    Counter,
    /// The bits of an `f64`.
    Gauge,
    /// Durations.
    Histogram,
}

impl MetricKind {
    fn words(self) -> usize {
        match self {
            Self::Counter | Self::Gauge => 1,
            Self::Histogram => HISTOGRAM_WORDS,
        }
    }

    fn from_word(word: u64) -> Option<Self> {
        [Self::Counter, Self::Gauge, Self::Histogram].into_iter().find(|&kind| kind as u64 == word)
    }
}

/// A series as it was registered. Its name includes its labels: `name{label="value"}`.
#[derive(Clone, Debug)]
pub(crate) struct Description {
    pub(crate) kind: MetricKind,
    pub(crate) name: String,
    pub(crate) help: String,
}

impl Description {
    /// Returns the name without the labels.
    pub(crate) fn family(&self) -> &str {
        family(&self.name)
    }
}

/// Returns the name of a series without its labels.
pub(crate) fn family(name: &str) -> &str {
    name.split_once('{').map_or(name, |(family, _)| family)
}

/// The words of the value of a series.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Values(&'static [AtomicU64]);

impl Values {
    /// No words: nothing is counted.
    pub(crate) const NOWHERE: Self = Self(&[]);

    #[inline]
    pub(crate) fn add(self, count: u64) {
        if let Some(word) = self.0.first() {
            add(word, count);
        }
    }

    #[inline]
    pub(crate) fn set(self, bits: u64) {
        if let Some(word) = self.0.first() {
            word.store(bits, Relaxed);
        }
    }

    #[inline]
    pub(crate) fn first(self) -> u64 {
        self.0.first().map_or(0, |word| word.load(Relaxed))
    }

    #[inline]
    pub(crate) fn observe(self, nanos: u64) {
        if let Some(words) = self.0.first_chunk() {
            observe(words, nanos);
        }
    }

    pub(super) fn words(self) -> &'static [AtomicU64] {
        self.0
    }
}

impl Page {
    /// Returns the words of a series. Adds the series if it is new. Returns `None` if there is no
    /// room.
    pub(crate) fn series(self, description: &Description) -> Option<Values> {
        let Description { kind, name, .. } = description;
        let found =
            self.each_series().find(|(entry, _)| entry.kind == *kind && entry.name == *name);
        found.map(|(_, values)| values).or_else(|| self.append_series(description))
    }

    /// Returns all series of the page, in the order of their registration.
    pub(crate) fn each_series(self) -> impl Iterator<Item = (Description, Values)> {
        let count = entries(self.word(Word::Series), MAX_SERIES);
        let entries = self.0[SERIES].chunks_exact(SERIES_WORDS).take(count);
        entries.filter_map(move |entry| {
            let [name, help, kind, offset] = entry else { return None };
            let text = |word: &AtomicU64| {
                texts::read(&self.0[TEXTS], TextLocation::from_word(word.load(Relaxed)))
            };
            let kind = MetricKind::from_word(kind.load(Relaxed))?;
            let values = self.values(offset.load(Relaxed), kind)?;
            Some((Description { kind, name: text(name), help: text(help) }, values))
        })
    }

    fn append_series(self, description: &Description) -> Option<Values> {
        let Description { kind, name, help } = description;
        let (count, used) = (self.word(Word::Series), self.word(Word::ValuesUsed));
        let index = count.load(Relaxed);
        let start = usize::try_from(index).ok()?.checked_mul(SERIES_WORDS)?;
        let entry = self.0[SERIES].get(start..)?.first_chunk::<SERIES_WORDS>()?;
        let offset = used.load(Relaxed);
        let values = self.values(offset, *kind)?;
        let text_used = self.word(Word::TextUsed);
        let name = texts::push(&self.0[TEXTS], text_used, name)?;
        let help = texts::push(&self.0[TEXTS], text_used, help)?;
        let words = [name.to_word(), help.to_word(), *kind as u64, offset];
        entry.iter().zip(words).for_each(|(word, value)| word.store(value, Relaxed));
        used.store(offset + kind.words() as u64, Relaxed);
        count.store(index + 1, Release);
        Some(values)
    }

    fn values(self, offset: u64, kind: MetricKind) -> Option<Values> {
        let start = usize::try_from(offset).ok()?;
        self.0[VALUE_WORDS].get(start..start.checked_add(kind.words())?).map(Values)
    }

    /// Sets all gauges to 0. A gauge describes a state, which ends with its process.
    pub(super) fn reset_gauges(self) {
        let gauges = self.each_series().filter(|(entry, _)| entry.kind == MetricKind::Gauge);
        gauges.for_each(|(_, values)| values.set(0.0_f64.to_bits()));
    }
}
