//! [`Router`]: from a host and a path to the row of the route table.

use std::fmt;

use super::arguments::Arguments;
use super::index::Index;
use super::pattern::Pattern;

/// Finds the row of the route table for a request.
///
/// The rows of each host have an [`Index`] of their own. A table without hosts has one index, and
/// does not look at the host of a request.
#[derive(Debug)]
pub(crate) struct Router {
    /// In the order of the table.
    hosts: Box<[HostRows]>,
    /// The rows for every host.
    others: Rows,
}

#[derive(Debug)]
struct HostRows {
    host: HostPattern,
    rows: Rows,
}

/// Some rows of the table.
#[derive(Debug)]
struct Rows {
    index: Index,
    /// The number of each row in the whole table.
    numbers: Box<[usize]>,
}

impl Router {
    /// Makes the router for a table, whose rows have these hosts and patterns.
    pub(crate) fn new<'a>(
        rows: impl Iterator<Item = (Option<&'a HostPattern>, &'a Pattern)>,
    ) -> Self {
        let rows: Vec<_> = rows.collect();
        let mut hosts: Vec<&HostPattern> = Vec::new();
        for host in rows.iter().filter_map(|(host, _)| *host) {
            if !hosts.contains(&host) {
                hosts.push(host);
            }
        }
        let of = |wanted: Option<&HostPattern>| {
            let rows = rows.iter().enumerate().filter(|(_, (host, _))| *host == wanted);
            let (numbers, patterns): (Vec<_>, Vec<_>) =
                rows.map(|(number, (_, pattern))| (number, *pattern)).unzip();
            Rows { index: Index::new(patterns), numbers: numbers.into() }
        };
        let hosts =
            hosts.into_iter().map(|host| HostRows { host: host.clone(), rows: of(Some(host)) });
        Self { hosts: hosts.collect(), others: of(None) }
    }

    /// Returns the row for the path that is the first `length` bytes of `text`. Puts the ranges of
    /// its arguments into `arguments`. `host` returns the host of the request, with or without a
    /// port.
    #[inline]
    pub(crate) fn find<'a>(
        &self,
        host: impl FnOnce() -> &'a [u8],
        text: &[u8],
        length: usize,
        arguments: &mut Arguments,
    ) -> Option<usize> {
        if !self.hosts.is_empty()
            && let Some(row) = self.find_with_host(host(), text, length, arguments)
        {
            return Some(row);
        }
        self.others.find(text, length, arguments)
    }

    #[inline(never)]
    fn find_with_host(
        &self,
        host: &[u8],
        text: &[u8],
        length: usize,
        arguments: &mut Arguments,
    ) -> Option<usize> {
        let matching = self.hosts.iter().filter(|rows| rows.host.matches(host));
        matching.into_iter().find_map(|rows| rows.rows.find(text, length, arguments))
    }
}

impl Rows {
    #[inline]
    fn find(&self, text: &[u8], length: usize, arguments: &mut Arguments) -> Option<usize> {
        let row = self.index.find(text, length, arguments)?;
        self.numbers.get(row).copied()
    }
}

/// A host, or all subdomains of one: `api.example.com`, `*.example.com`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct HostPattern {
    /// In small letters, without the asterisk.
    text: String,
    has_asterisk: bool,
}

impl HostPattern {
    /// Parses a pattern.
    ///
    /// # Errors
    ///
    /// Returns an error for text that is not a host name, with an optional `*.` in front. A port is
    /// not part of a host.
    pub(crate) fn parse(pattern: &str) -> Result<Self, HostError> {
        let (rest, has_asterisk) = match pattern.strip_prefix('*') {
            Some(rest) => (rest.strip_prefix('.').ok_or(HostError)?, true),
            None => (pattern, false),
        };
        let is_label = |label: &str| {
            !label.is_empty()
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        let is_address = rest.starts_with('[') && rest.ends_with(']');
        if !is_address && !rest.split('.').all(is_label) {
            return Err(HostError);
        }
        let dot = if has_asterisk { "." } else { "" };
        Ok(Self { text: format!("{dot}{}", rest.to_ascii_lowercase()), has_asterisk })
    }

    /// Whether `host`, with or without a port, is one of these hosts. The case does not matter, and
    /// neither does a dot at the end.
    fn matches(&self, host: &[u8]) -> bool {
        let end = match host.iter().rposition(|&byte| byte == b':') {
            Some(colon) if !host[colon..].contains(&b']') => colon,
            _ => host.len(),
        };
        let host = host[..end].strip_suffix(b".").unwrap_or(&host[..end]);
        match host.len().checked_sub(self.text.len()) {
            Some(0) => !self.has_asterisk && host.eq_ignore_ascii_case(self.text.as_bytes()),
            Some(more) if self.has_asterisk => {
                host[more..].eq_ignore_ascii_case(self.text.as_bytes())
            }
            _ => false,
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let asterisk = if self.has_asterisk { "*" } else { "" };
        write!(f, "{asterisk}{}", self.text)
    }
}

/// The text is not a host.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HostError;

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a host is a name without a port, with an optional `*.` in front, such as \
             `api.example.com` or `*.example.com`",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_matches_in_any_case_with_any_port() {
        let cases: [(&str, &str, bool); 14] = [
            ("a.example", "a.example", true),
            ("a.example", "A.EXAMPLE:8000", true),
            ("A.example", "a.example.", true),
            ("a.example", "b.a.example", false),
            ("a.example", "xa.example", false),
            ("a.example", "", false),
            ("*.example", "a.example", true),
            ("*.example", "b.a.Example:80", true),
            ("*.example", "example", false),
            ("*.example", ".example", false),
            ("*.example", "aexample", false),
            ("[::1]", "[::1]:8000", true),
            ("[::1]", "[::1]", true),
            ("[::1]", "[::2]", false),
        ];
        for (pattern, host, matches) in cases {
            let parsed = HostPattern::parse(pattern).unwrap();
            assert_eq!(parsed.matches(host.as_bytes()), matches, "{pattern} {host}");
        }
    }

    #[test]
    fn malformed_hosts_are_refused() {
        for text in ["", "*", "*example", "a..b", "a.b:80", "a/b", "*.*.b", ".a", "a b", "*."] {
            assert!(HostPattern::parse(text).is_err(), "{text:?}");
        }
    }
}
