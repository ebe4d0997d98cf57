//! Counters, gauges and histograms of the user's own.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use crate::scoreboard::registry::{Entry, Refusal, register};
use crate::scoreboard::series::{Description, Kind};
use crate::scoreboard::{MAX_SERIES, registry};

use super::exposition::{BUILT_IN, escape_label};

/// Counts something that happens, and that never happens less often than before.
///
/// A cheap handle, to be cloned into handlers. What all workers have counted is added up. Whatever
/// is counted before the server starts is not.
///
/// ```
/// use squall::metrics::Counter;
///
/// let mails = Counter::new("mails_total", "Mails that were sent.")?;
/// mails.inc();
/// mails.add(3);
/// # Ok::<(), squall::metrics::MetricError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Counter(Rc<Entry>);

/// Tells how much of something there is right now.
///
/// A cheap handle. What the workers have set is added up, so it should be something of which each
/// has a part: the length of a queue, say. What a worker had is gone when it ends, however it does:
/// it is not in the sum any more, and its replacement begins with 0. So what is added in a worker is
/// to be taken away in the same one. The length of a queue that all share, which lives on when one of
/// them dies, is not such a thing: have one of the workers set it, or each count what it puts in and
/// takes out with two [`Counter`]s.
///
/// What is not a number (`f64::NAN`) says that a worker has nothing to tell: it is left out of the
/// sum.
///
/// ```
/// use squall::metrics::Gauge;
///
/// let waiting = Gauge::new("waiting", "Who waits for an answer.")?;
/// waiting.inc();
/// waiting.dec();
/// waiting.set(2.5);
/// # Ok::<(), squall::metrics::MetricError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Gauge(Rc<Entry>);

/// Counts how long things take, in seconds.
///
/// A cheap handle. The buckets are powers of two of a microsecond, from 64 µs to 67 s.
///
/// ```
/// use std::time::{Duration, Instant};
/// use squall::metrics::Histogram;
///
/// let queries = Histogram::new("query_duration_seconds", "How long the database took.")?;
/// let begin = Instant::now();
/// queries.observe(begin.elapsed());
/// # Ok::<(), squall::metrics::MetricError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Histogram(Rc<Entry>);

impl Counter {
    /// A counter without labels. By convention its name ends with `_total`. If there is one of
    /// that name already, it is the same one.
    ///
    /// # Errors
    ///
    /// If the name is none, is taken by something else (of another kind, or with another help text),
    /// or there is no room: see [`MetricError`].
    pub fn new(name: &str, help: &str) -> Result<Self, MetricError> {
        Self::with_labels(name, help, &[])
    }

    /// A counter with labels, each a name and a value, in any order. Each set of values is a counter of its own,
    /// so that there should be few.
    ///
    /// ```
    /// use squall::metrics::Counter;
    ///
    /// let mails = |result| Counter::with_labels("mails_total", "Mails.", &[("result", result)]);
    /// mails("sent")?.inc();
    /// mails("refused")?.inc();
    /// # Ok::<(), squall::metrics::MetricError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), and if a label is none.
    pub fn with_labels(
        name: &str,
        help: &str,
        labels: &[(&str, &str)],
    ) -> Result<Self, MetricError> {
        make(Kind::Counter, name, help, labels).map(Self)
    }

    /// Counts one.
    #[inline]
    pub fn inc(&self) {
        self.add(1);
    }

    /// Counts so many.
    #[inline]
    pub fn add(&self, count: u64) {
        self.0.values().add(count);
    }
}

impl Gauge {
    /// A gauge without labels. If there is one of that name already, it is the same one.
    ///
    /// # Errors
    ///
    /// As [`Counter::new`].
    pub fn new(name: &str, help: &str) -> Result<Self, MetricError> {
        Self::with_labels(name, help, &[])
    }

    /// A gauge with labels: see [`Counter::with_labels`].
    ///
    /// # Errors
    ///
    /// As [`Counter::with_labels`].
    pub fn with_labels(
        name: &str,
        help: &str,
        labels: &[(&str, &str)],
    ) -> Result<Self, MetricError> {
        make(Kind::Gauge, name, help, labels).map(Self)
    }

    /// Says how much this worker has.
    #[inline]
    pub fn set(&self, value: f64) {
        self.0.values().set(value.to_bits());
    }

    /// Adds to what this worker has; a negative number takes away. What is not a number adds
    /// nothing, and is replaced by what is added to it.
    #[inline]
    pub fn add(&self, value: f64) {
        if !value.is_nan() {
            let before = f64::from_bits(self.0.values().first());
            self.set(if before.is_nan() { value } else { before + value });
        }
    }

    /// Adds one.
    #[inline]
    pub fn inc(&self) {
        self.add(1.0);
    }

    /// Takes one away.
    #[inline]
    pub fn dec(&self) {
        self.add(-1.0);
    }
}

impl Histogram {
    /// A histogram without labels. By convention its name ends with `_seconds`. If there is one
    /// of that name already, it is the same one.
    ///
    /// # Errors
    ///
    /// As [`Counter::new`].
    pub fn new(name: &str, help: &str) -> Result<Self, MetricError> {
        Self::with_labels(name, help, &[])
    }

    /// A histogram with labels: see [`Counter::with_labels`]. `le` cannot be one of them.
    ///
    /// # Errors
    ///
    /// As [`Counter::with_labels`].
    pub fn with_labels(
        name: &str,
        help: &str,
        labels: &[(&str, &str)],
    ) -> Result<Self, MetricError> {
        make(Kind::Histogram, name, help, labels).map(Self)
    }

    /// Counts something that took so long.
    #[inline]
    pub fn observe(&self, took: Duration) {
        let seconds = took.as_secs().saturating_mul(1_000_000_000);
        self.0.values().observe(seconds.saturating_add(took.subsec_nanos().into()));
    }
}

/// Why there is no such metric.
///
/// ```
/// use squall::metrics::Counter;
///
/// let error = Counter::new("sign-ups", "Accounts that were made.").unwrap_err();
/// let text = "\"sign-ups\" is no name of a metric: it has other than letters, digits, _ and :";
/// assert_eq!(error.to_string(), text);
/// ```
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub enum MetricError {
    /// A name that is none: `[a-zA-Z_:][a-zA-Z0-9_:]*`.
    Name(String),
    /// A name of a label that is none, `[a-zA-Z_][a-zA-Z0-9_]*`, that is there twice, or that has
    /// a meaning already: `le` in a histogram, and all that begin with two underscores.
    Label(String),
    /// The server itself counts something of that name.
    BuiltIn(String),
    /// There is another metric of that name, which is of another kind.
    OtherKind(String),
    /// There is another metric of that name, with another help text: it would be told with one of
    /// the two.
    OtherHelp(String),
    /// The memory for it is full: there are 512 series, or their names or values take too much.
    NoRoom(String),
}

impl fmt::Display for MetricError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(
                f,
                "{name:?} is no name of a metric: it has other than letters, digits, _ and :"
            ),
            Self::Label(name) => write!(
                f,
                "{name:?} is no name of a label: it has other than letters, digits and _, is there \
                 twice, or is kept for others"
            ),
            Self::BuiltIn(name) => write!(f, "the server itself counts a metric {name}"),
            Self::OtherKind(name) => write!(f, "there is a metric {name} of another kind"),
            Self::OtherHelp(name) => write!(f, "there is a metric {name} with another help text"),
            Self::NoRoom(name) => {
                write!(f, "there is no room for the metric {name}: at most {MAX_SERIES} series")
            }
        }
    }
}

/// As it is displayed: that is how `main` prints what it returns.
impl fmt::Debug for MetricError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for MetricError {}

impl From<MetricError> for io::Error {
    fn from(error: MetricError) -> Self {
        Self::new(io::ErrorKind::InvalidInput, error)
    }
}

fn make(
    kind: Kind,
    name: &str,
    help: &str,
    labels: &[(&str, &str)],
) -> Result<Rc<Entry>, MetricError> {
    check_name(kind, name)?;
    check_labels(kind, labels)?;
    let mut labels = labels.to_vec();
    // In another order, they are the same series.
    labels.sort_unstable();
    let labels: Vec<_> =
        labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escape_label(value))).collect();
    let full = match labels.is_empty() {
        true => name.to_owned(),
        false => format!("{name}{{{}}}", labels.join(",")),
    };
    register(Description { kind, name: full, help: help.to_owned() }).map_err(|refusal| {
        match refusal {
            Refusal::OtherKind => MetricError::OtherKind(name.to_owned()),
            Refusal::OtherHelp => MetricError::OtherHelp(name.to_owned()),
            Refusal::NoRoom => MetricError::NoRoom(name.to_owned()),
        }
    })
}

fn check_name(kind: Kind, name: &str) -> Result<(), MetricError> {
    let mut bytes = name.bytes();
    let begins = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_' || byte == b':';
    if !bytes.next().is_some_and(begins) || !bytes.all(|byte| begins(byte) || byte.is_ascii_digit())
    {
        return Err(MetricError::Name(name.to_owned()));
    }
    let parts: &[&str] = match kind {
        Kind::Counter | Kind::Gauge => &[""],
        Kind::Histogram => &["", "_bucket", "_sum", "_count"],
    };
    let is_built_in = |other: &&str| {
        let of_duration = other.strip_suffix("_seconds").is_some() && name.starts_with(*other);
        of_duration || parts.iter().any(|part| format!("{name}{part}") == **other)
    };
    if BUILT_IN.iter().any(is_built_in) {
        return Err(MetricError::BuiltIn(name.to_owned()));
    }
    let clashes = |other: &Description| {
        let (family, samples) = (other.family(), ["_bucket", "_sum", "_count"]);
        let is_part_of = |whole: &str, part: &str| {
            part.strip_prefix(whole).is_some_and(|rest| samples.contains(&rest))
        };
        (other.kind == Kind::Histogram && is_part_of(family, name))
            || (kind == Kind::Histogram && is_part_of(name, family))
    };
    match registry::any(clashes) {
        true => Err(MetricError::OtherKind(name.to_owned())),
        false => Ok(()),
    }
}

fn check_labels(kind: Kind, labels: &[(&str, &str)]) -> Result<(), MetricError> {
    for (index, (name, _)) in labels.iter().enumerate() {
        let mut bytes = name.bytes();
        let begins = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
        let is_name = bytes.next().is_some_and(begins)
            && bytes.all(|byte| begins(byte) || byte.is_ascii_digit());
        let is_kept = name.starts_with("__") || (kind == Kind::Histogram && *name == "le");
        let is_twice = labels[..index].iter().any(|(other, _)| other == name);
        if !is_name || is_kept || is_twice {
            return Err(MetricError::Label((*name).to_owned()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
