//! The user's metrics: [`Counter`], [`Gauge`] and [`Histogram`].

use std::rc::Rc;
use std::time::Duration;

use crate::scoreboard::registry::Entry;
use crate::scoreboard::series::MetricKind;

mod register;

pub use register::MetricError;

use register::register;

/// A number that only grows.
///
/// A counter is a cheap handle: clone it into handlers. The counts of all workers are added up.
/// Counts before the server starts are lost.
///
/// # Examples
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

/// A number that rises and falls.
///
/// A gauge is a cheap handle: clone it into handlers. The values of all workers are added up, so
/// use it for something that each worker has a part of, such as the length of the worker's own
/// queue.
///
/// The value of a worker ends with its process, and a replacement begins with 0. So subtract in a
/// worker only what the same worker has added. A queue that all workers share outlives them: let
/// one worker set its length, or count what goes in and out with two [`Counter`]s.
///
/// A worker that sets `f64::NAN` is left out of the sum.
///
/// # Examples
///
/// ```
/// use squall::metrics::Gauge;
///
/// let waiting = Gauge::new("waiting", "Clients that wait for a response.")?;
/// waiting.inc();
/// waiting.dec();
/// waiting.set(2.5);
/// # Ok::<(), squall::metrics::MetricError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Gauge(Rc<Entry>);

/// A distribution of durations, in seconds.
///
/// A histogram is a cheap handle: clone it into handlers. Its buckets are powers of two of a
/// microsecond, from 64 µs to 67 s.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, Instant};
/// use squall::metrics::Histogram;
///
/// let queries = Histogram::new("query_duration_seconds", "Durations of database queries.")?;
/// let begin = Instant::now();
/// queries.observe(begin.elapsed());
/// # Ok::<(), squall::metrics::MetricError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Histogram(Rc<Entry>);

/// Adds the constructors to a metric.
macro_rules! constructors {
    ($type:ident, $convention:literal) => {
        impl $type {
            /// Registers a metric without labels. If it exists already, returns the same one.
            #[doc = ""]
            #[doc = $convention]
            ///
            /// # Errors
            ///
            /// Returns an error if the name is malformed, if a metric of the same name has another
            /// kind or another help text, or if there is no room: see [`MetricError`].
            pub fn new(name: &str, help: &str) -> Result<Self, MetricError> {
                Self::with_labels(name, help, &[])
            }

            /// Registers a metric with labels: pairs of name and value, in any order. Each set of
            /// values is a metric of its own, so use labels with few values.
            ///
            /// # Errors
            ///
            /// Like [`new`](Self::new), and also if the name of a label is malformed or reserved.
            ///
            /// # Examples
            ///
            /// ```
            /// use squall::metrics::Counter;
            ///
            /// let labels = |result| [("result", result)];
            /// let sent = Counter::with_labels("mails_total", "Mails.", &labels("sent"))?;
            /// let refused = Counter::with_labels("mails_total", "Mails.", &labels("refused"))?;
            /// sent.inc();
            /// # Ok::<(), squall::metrics::MetricError>(())
            /// ```
            pub fn with_labels(
                name: &str,
                help: &str,
                labels: &[(&str, &str)],
            ) -> Result<Self, MetricError> {
                register(MetricKind::$type, name, help, labels).map(Self)
            }
        }
    };
}

constructors!(Counter, "By convention, its name ends with `_total`.");
constructors!(Gauge, "Its first value is 0.");
constructors!(Histogram, "By convention, its name ends with `_seconds`.");

impl Counter {
    /// Adds 1.
    #[inline]
    pub fn inc(&self) {
        self.add(1);
    }

    /// Adds `count`.
    #[inline]
    pub fn add(&self, count: u64) {
        self.0.values().add(count);
    }
}

impl Gauge {
    /// Sets the value of this worker.
    #[inline]
    pub fn set(&self, value: f64) {
        self.0.values().set(value.to_bits());
    }

    /// Adds to the value of this worker. A negative number subtracts. Adding NaN does nothing, and
    /// adding to NaN starts from 0.
    #[inline]
    pub fn add(&self, value: f64) {
        if !value.is_nan() {
            let before = f64::from_bits(self.0.values().first());
            self.set(if before.is_nan() { value } else { before + value });
        }
    }

    /// Adds 1.
    #[inline]
    pub fn inc(&self) {
        self.add(1.0);
    }

    /// Subtracts 1.
    #[inline]
    pub fn dec(&self) {
        self.add(-1.0);
    }
}

impl Histogram {
    /// Counts a duration.
    #[inline]
    pub fn observe(&self, took: Duration) {
        let seconds = took.as_secs().saturating_mul(1_000_000_000);
        self.0.values().observe(seconds.saturating_add(took.subsec_nanos().into()));
    }
}

#[cfg(test)]
mod tests;
