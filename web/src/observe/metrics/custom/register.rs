//! Registers a metric of the user, and checks its name and its labels.

use std::error::Error as StdError;
use std::rc::Rc;
use std::{fmt, io};

use crate::observe::metrics::exposition::{BUILT_IN, escape_label};
use crate::scoreboard::MAX_SERIES;
use crate::scoreboard::registry::{self, Entry, RegisterError};
use crate::scoreboard::series::{Description, MetricKind};

/// The reason why a metric cannot be registered.
///
/// # Examples
///
/// ```
/// use squall::metrics::Counter;
///
/// let error = Counter::new("sign-ups", "Accounts that were made.").unwrap_err();
/// let text = "malformed metric name \"sign-ups\": only letters, digits, _ and : are allowed";
/// assert_eq!(error.to_string(), text);
/// ```
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub enum MetricError {
    /// The name does not have the form `[a-zA-Z_:][a-zA-Z0-9_:]*`.
    Name(String),
    /// The name of a label does not have the form `[a-zA-Z_][a-zA-Z0-9_]*`, is repeated, or is
    /// reserved: `le` in a histogram, and names that begin with two underscores.
    Label(String),
    /// The server itself has a metric of this name.
    BuiltIn(String),
    /// A metric of the same name has another kind.
    OtherKind(String),
    /// A metric of the same name has another help text.
    OtherHelp(String),
    /// The memory for metrics is full: there are 512 series, or their names or values take too
    /// much.
    NoRoom(String),
}

impl fmt::Display for MetricError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(
                f,
                "malformed metric name {name:?}: only letters, digits, _ and : are allowed"
            ),
            Self::Label(name) => write!(
                f,
                "label name {name:?} is malformed, repeated or reserved: only letters, digits and \
                 _ are allowed"
            ),
            Self::BuiltIn(name) => write!(f, "the server itself has a metric {name}"),
            Self::OtherKind(name) => write!(f, "a metric {name} of another kind exists"),
            Self::OtherHelp(name) => write!(f, "a metric {name} with another help text exists"),
            Self::NoRoom(name) => {
                write!(f, "no room for the metric {name}: the limit is {MAX_SERIES} series")
            }
        }
    }
}

/// Writes the same text as `Display`, because `main` prints an error with `Debug`.
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

/// Registers a metric, or returns the one that was registered before.
pub(super) fn register(
    kind: MetricKind,
    name: &str,
    help: &str,
    labels: &[(&str, &str)],
) -> Result<Rc<Entry>, MetricError> {
    check_name(kind, name)?;
    check_labels(kind, labels)?;
    let mut labels = labels.to_vec();
    // The order of the labels does not matter.
    labels.sort_unstable();
    let labels: Vec<_> =
        labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escape_label(value))).collect();
    let full = match labels.is_empty() {
        true => name.to_owned(),
        false => format!("{name}{{{}}}", labels.join(",")),
    };
    registry::register(Description { kind, name: full, help: help.to_owned() }).map_err(|error| {
        match error {
            RegisterError::OtherKind => MetricError::OtherKind(name.to_owned()),
            RegisterError::OtherHelp => MetricError::OtherHelp(name.to_owned()),
            RegisterError::NoRoom => MetricError::NoRoom(name.to_owned()),
        }
    })
}

fn check_name(kind: MetricKind, name: &str) -> Result<(), MetricError> {
    if !is_name(name, |byte| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b':')) {
        return Err(MetricError::Name(name.to_owned()));
    }
    let parts: &[&str] = match kind {
        MetricKind::Counter | MetricKind::Gauge => &[""],
        MetricKind::Histogram => &["", "_bucket", "_sum", "_count"],
    };
    let is_built_in = |other: &&str| {
        let of_duration = other.strip_suffix("_seconds").is_some() && name.starts_with(*other);
        of_duration || parts.iter().any(|part| format!("{name}{part}") == **other)
    };
    if BUILT_IN.iter().any(is_built_in) {
        return Err(MetricError::BuiltIn(name.to_owned()));
    }
    // A histogram `a` writes samples such as `a_sum`, so no other metric may have that name.
    let clashes = |other: &Description| {
        let (family, samples) = (other.family(), ["_bucket", "_sum", "_count"]);
        let is_part_of = |whole: &str, part: &str| {
            part.strip_prefix(whole).is_some_and(|rest| samples.contains(&rest))
        };
        (other.kind == MetricKind::Histogram && is_part_of(family, name))
            || (kind == MetricKind::Histogram && is_part_of(name, family))
    };
    match registry::any(clashes) {
        true => Err(MetricError::OtherKind(name.to_owned())),
        false => Ok(()),
    }
}

fn check_labels(kind: MetricKind, labels: &[(&str, &str)]) -> Result<(), MetricError> {
    for (index, (name, _)) in labels.iter().enumerate() {
        let is_well_formed = is_name(name, |byte| byte.is_ascii_alphabetic() || byte == b'_');
        let is_reserved =
            name.starts_with("__") || (kind == MetricKind::Histogram && *name == "le");
        let is_repeated = labels[..index].iter().any(|(other, _)| other == name);
        if !is_well_formed || is_reserved || is_repeated {
            return Err(MetricError::Label((*name).to_owned()));
        }
    }
    Ok(())
}

/// Whether `text` begins with a byte that `is_start` accepts, and goes on with such bytes and
/// digits.
fn is_name(text: &str, is_start: impl Fn(u8) -> bool) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(&is_start) && bytes.all(|byte| is_start(byte) || byte.is_ascii_digit())
}
