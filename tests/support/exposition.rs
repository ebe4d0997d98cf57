//! Reads the text format of Prometheus, version 0.0.4, and checks that it is what its
//! specification says.

use std::collections::{BTreeMap, HashMap, HashSet};

/// A metrics page, parsed and checked.
#[derive(Debug)]
pub struct Exposition {
    samples: HashMap<String, f64>,
}

impl Exposition {
    #[track_caller]
    pub fn parse(page: &str) -> Self {
        assert!(page.ends_with('\n'), "the last line ends: {page:?}");
        let mut reader = Reader::default();
        page.lines().for_each(|line| reader.line(line));
        reader.check_histograms();
        let samples = reader.samples.into_iter().map(|(key, sample)| (key, sample.value)).collect();
        Self { samples }
    }

    /// The value of a sample, `name{label="value"}` with the labels in their order.
    #[track_caller]
    pub fn value(&self, sample: &str) -> f64 {
        let mut known: Vec<_> = self.samples.keys().collect();
        known.sort();
        *self.samples.get(sample).unwrap_or_else(|| panic!("no {sample} in {known:#?}"))
    }

    /// The sum of all samples of a name.
    pub fn sum(&self, name: &str) -> f64 {
        let of_name = |key: &str| key.split('{').next() == Some(name);
        self.samples.iter().filter(|(key, _)| of_name(key)).map(|(_, value)| value).sum()
    }
}

#[derive(Default)]
struct Reader {
    /// Of each family that there was, its kind.
    kinds: BTreeMap<String, String>,
    helped: HashSet<String>,
    /// The family of these lines.
    current: String,
    samples: BTreeMap<String, Sample>,
    order: Vec<String>,
}

struct Sample {
    name: String,
    labels: Vec<(String, String)>,
    value: f64,
}

impl Reader {
    #[track_caller]
    fn line(&mut self, line: &str) {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap_or((rest, ""));
            check_name(name);
            unescape(help, false);
            assert!(self.helped.insert(name.to_owned()), "two helps of {name}");
            self.begin(name);
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a kind");
            assert!(["counter", "gauge", "histogram", "summary", "untyped"].contains(&kind));
            if self.current != name {
                self.begin(name);
            }
            let before = self.kinds.insert(name.to_owned(), kind.to_owned());
            assert_eq!(before, None, "two types of {name}");
        } else if !line.is_empty() && !line.starts_with('#') {
            self.sample(line);
        }
    }

    /// All lines of a family are in one block.
    #[track_caller]
    fn begin(&mut self, name: &str) {
        assert!(!self.order.contains(&name.to_owned()), "{name} begins again");
        self.order.push(name.to_owned());
        self.current = name.to_owned();
    }

    #[track_caller]
    fn sample(&mut self, line: &str) {
        let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("no value: {line:?}"));
        let (name, rest) = line.split_at(end);
        check_name(name);
        let (labels, value) = match rest.strip_prefix('{') {
            Some(rest) => parse_labels(rest),
            None => (Vec::new(), rest),
        };
        let value = parse_value(value.trim_start());
        let kind = self.kinds.get(&self.current).unwrap_or_else(|| panic!("no type: {line:?}"));
        let part = name.strip_prefix(&self.current);
        let fits = match kind.as_str() {
            "histogram" => matches!(part, Some("_bucket" | "_sum" | "_count")),
            _ => part == Some(""),
        };
        assert!(fits, "{line:?} in {}, which is a {kind}", self.current);
        assert!(kind == "gauge" || value >= 0.0, "{line:?}");
        let key = line[..line.len() - rest.len() + label_length(rest)].to_owned();
        let sample = Sample { name: name.to_owned(), labels, value };
        assert!(self.samples.insert(key, sample).is_none(), "twice: {line:?}");
    }

    /// Buckets grow, the last is `+Inf`, and holds as many as there are.
    #[track_caller]
    fn check_histograms(&self) {
        for name in self.kinds.iter().filter(|(_, kind)| *kind == "histogram").map(|(name, _)| name)
        {
            let mut series: BTreeMap<Vec<_>, Vec<(f64, f64)>> = BTreeMap::new();
            let bucket = format!("{name}_bucket");
            for sample in self.samples.values().filter(|sample| sample.name == bucket) {
                let (le, others): (Vec<_>, Vec<_>) =
                    sample.labels.iter().cloned().partition(|(name, _)| name == "le");
                let [(_, le)] = &le[..] else { panic!("not one le: {:?}", sample.labels) };
                series.entry(others).or_default().push((parse_value(le), sample.value));
            }
            for (labels, mut buckets) in series {
                buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
                assert!(buckets.is_sorted_by_key(|bucket| bucket.1), "{name}: {buckets:?}");
                let last = buckets.last().unwrap();
                assert_eq!(last.0, f64::INFINITY, "{name}: {buckets:?}");
                let of = |part: &str| {
                    let name = format!("{name}{part}");
                    let found =
                        self.samples.values().find(|one| one.name == name && one.labels == labels);
                    found.unwrap_or_else(|| panic!("no {name} with {labels:?}")).value
                };
                assert_eq!(of("_count"), last.1, "{name} {labels:?}");
                assert!(of("_sum") >= 0.0);
            }
        }
    }
}

#[track_caller]
fn check_name(name: &str) {
    let begins = |c: char| c.is_ascii_alphabetic() || c == '_' || c == ':';
    let is_name = name.starts_with(begins) && name.chars().all(|c| begins(c) || c.is_ascii_digit());
    assert!(is_name, "{name:?} is no name");
}

/// The text up to the closing brace, and the text after it.
#[track_caller]
fn parse_labels(mut rest: &str) -> (Vec<(String, String)>, &str) {
    let mut labels: Vec<(String, String)> = Vec::new();
    while !rest.starts_with('}') {
        let (name, quoted) = rest.split_once("=\"").expect("a label is name=\"value\"");
        check_name(name);
        assert!(!name.contains(':') && labels.iter().all(|(other, _)| other != name), "{name}");
        let end = end_of_quoted(quoted);
        labels.push((name.to_owned(), unescape(&quoted[..end], true)));
        rest = &quoted[end + 1..];
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
    (labels, &rest[1..])
}

#[track_caller]
fn end_of_quoted(text: &str) -> usize {
    let mut escaped = false;
    let end = text.find(|c| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    end.expect("the value of a label ends")
}

fn label_length(rest: &str) -> usize {
    match rest.strip_prefix('{') {
        Some(labels) => rest.len() - parse_labels(labels).1.len(),
        None => 0,
    }
}

#[track_caller]
fn unescape(text: &str, is_label: bool) -> String {
    let mut plain = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        plain.push(match character {
            '\\' => match characters.next() {
                Some('\\') => '\\',
                Some('n') => '\n',
                Some('"') if is_label => '"',
                other => panic!("\\{other:?} in {text:?}"),
            },
            '"' if is_label => panic!("a quote in {text:?}"),
            character => character,
        });
    }
    plain
}

#[track_caller]
fn parse_value(text: &str) -> f64 {
    match text {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        "NaN" => f64::NAN,
        _ => {
            assert!(!text.contains("inf") && !text.contains(' '), "{text:?} is no value");
            text.parse().unwrap_or_else(|_| panic!("{text:?} is no value"))
        }
    }
}
