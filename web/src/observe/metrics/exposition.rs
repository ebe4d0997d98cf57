//! The text format of Prometheus, version 0.0.4:
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>.

use std::fmt::{Display, Write};

use squall_runtime::process::State;

use crate::scoreboard::histogram::{BUCKETS, Counts, bound};
use crate::scoreboard::reading::{RouteName, SeriesReading, Topics, Value, WebSockets};
use crate::scoreboard::series::family;
use crate::scoreboard::summary::{Summary, WorkerState};

/// The value of the `status` label for each class of status.
pub(crate) const STATUSES: [&str; 7] = ["incomplete", "1xx", "2xx", "3xx", "4xx", "5xx", "499"];

/// The exponents of the bucket bounds that are written: powers of two of microseconds, from 64 µs
/// to 67 s.
const BOUNDS: std::ops::RangeInclusive<u32> = 6..=26;

/// The names of the built-in metrics. The user cannot use them.
pub(super) const BUILT_IN: [&str; 25] = [
    "http_requests_total",
    "http_request_duration_seconds",
    "http_requests_in_flight",
    "http_refused_requests_total",
    "http_lost_requests_total",
    "http_connections_open",
    "http_connections_accepted_total",
    "http_received_bytes_total",
    "http_sent_bytes_total",
    "websocket_connections_open",
    "websocket_connections_opened_total",
    "websocket_received_messages_total",
    "websocket_sent_messages_total",
    "websocket_received_bytes_total",
    "websocket_sent_bytes_total",
    "topic_patterns",
    "topic_subscriptions",
    "topic_queued_messages",
    "topic_published_messages_total",
    "topic_delivered_messages_total",
    "topic_lost_messages_total",
    "squall_workers",
    "squall_worker_restarts_total",
    "squall_worker_resident_memory_bytes",
    "squall_worker_uptime_seconds",
];

pub(super) fn render(summary: &Summary) -> String {
    let mut text = Exposition(String::with_capacity(16 * 1024));
    requests(&mut text, summary);
    connections(&mut text, summary);
    websockets(&mut text, &summary.totals.websockets);
    topics(&mut text, &summary.totals.topics);
    workers(&mut text, summary);
    for (index, series) in summary.series.iter().enumerate() {
        let before = index.checked_sub(1).map(|before| family(&summary.series[before].name));
        custom(&mut text, series, before == Some(family(&series.name)));
    }
    text.0
}

fn requests(text: &mut Exposition, summary: &Summary) {
    text.family("http_requests_total", "counter", "Requests that have ended.");
    for (name, requests) in &summary.routes {
        for (count, status) in
            requests.classes.iter().zip(STATUSES).filter(|(count, _)| **count > 0)
        {
            let labels = format!("{},status=\"{status}\"", labels(name));
            text.sample("http_requests_total", &labels, count);
        }
    }
    let (name, help) = ("http_request_duration_seconds", "Durations of requests.");
    text.family(name, "histogram", help);
    for (route, requests) in summary.routes.iter().filter(|(_, all)| all.times.count() > 0) {
        text.histogram(name, &labels(route), &requests.times);
    }
    let help = "Requests in flight.";
    text.single("http_requests_in_flight", "gauge", help, summary.totals.in_flight);
    let help = "Malformed requests that were refused.";
    text.single("http_refused_requests_total", "counter", help, summary.totals.refused);
    let help = "Requests whose worker ended before they had a response.";
    text.single("http_lost_requests_total", "counter", help, summary.totals.lost);
}

fn connections(text: &mut Exposition, summary: &Summary) {
    let help = "Open connections.";
    text.single("http_connections_open", "gauge", help, summary.totals.connections);
    let help = "Accepted connections.";
    text.single("http_connections_accepted_total", "counter", help, summary.totals.accepted);
    let help = "Received bytes of requests.";
    text.single("http_received_bytes_total", "counter", help, summary.totals.received);
    let help = "Sent bytes of responses.";
    text.single("http_sent_bytes_total", "counter", help, summary.totals.sent);
}

fn websockets(text: &mut Exposition, sockets: &WebSockets) {
    let help = "Open WebSockets.";
    text.single("websocket_connections_open", "gauge", help, sockets.open);
    let help = "Opened WebSockets.";
    text.single("websocket_connections_opened_total", "counter", help, sockets.opened);
    let help = "Received messages.";
    text.single("websocket_received_messages_total", "counter", help, sockets.messages_received);
    let help = "Sent messages.";
    text.single("websocket_sent_messages_total", "counter", help, sockets.messages_sent);
    let help = "Received bytes of messages, after decompression.";
    text.single("websocket_received_bytes_total", "counter", help, sockets.bytes_received);
    let help = "Sent bytes of messages, before compression.";
    text.single("websocket_sent_bytes_total", "counter", help, sockets.bytes_sent);
}

fn topics(text: &mut Exposition, topics: &Topics) {
    let help = "Patterns with subscriptions, in each worker.";
    text.single("topic_patterns", "gauge", help, topics.patterns);
    let help = "Subscriptions.";
    text.single("topic_subscriptions", "gauge", help, topics.subscriptions);
    let help = "Messages in the queues of subscriptions.";
    text.single("topic_queued_messages", "gauge", help, topics.queued);
    let help = "Published messages.";
    text.single("topic_published_messages_total", "counter", help, topics.published);
    let help = "Messages for subscriptions, counted for each.";
    text.single("topic_delivered_messages_total", "counter", help, topics.delivered);
    let help = "Messages that subscriptions have lost, counted for each.";
    text.single("topic_lost_messages_total", "counter", help, topics.lost);
}

fn workers(text: &mut Exposition, summary: &Summary) {
    text.family("squall_workers", "gauge", "Workers by state.");
    for state in [State::Empty, State::Starting, State::Ready, State::Stopping, State::Draining] {
        let label = format!("state=\"{}\"", state_name(state));
        text.sample("squall_workers", &label, summary.count(state));
    }
    let help = "Processes that have ended unexpectedly.";
    text.family("squall_worker_restarts_total", "counter", help);
    // During a replacement, the old and the new worker have the same number.
    let first = |index: usize| {
        let workers = &summary.workers;
        index == 0 || workers[index - 1].number != workers[index].number
    };
    let numbers: Vec<&WorkerState> = (0..summary.workers.len())
        .filter(|&index| first(index))
        .map(|at| &summary.workers[at])
        .collect();
    for worker in &numbers {
        text.sample("squall_worker_restarts_total", &label(worker), worker.restarts);
    }
    let of_number = |worker: &WorkerState, value: fn(&WorkerState) -> Option<u64>| {
        let same = summary.workers.iter().filter(|other| other.number == worker.number);
        same.filter_map(value).reduce(|sum, more| sum + more)
    };
    text.family("squall_worker_resident_memory_bytes", "gauge", "Resident memory.");
    for worker in &numbers {
        if let Some(bytes) = of_number(worker, |worker| worker.memory) {
            text.sample("squall_worker_resident_memory_bytes", &label(worker), bytes);
        }
    }
    let help = "Time since the start of the process.";
    text.family("squall_worker_uptime_seconds", "gauge", help);
    for worker in numbers.iter().filter(|worker| worker.pid.is_some()) {
        let seconds = worker.uptime_ms as f64 / 1e3;
        text.sample("squall_worker_uptime_seconds", &label(worker), seconds);
    }
}

fn custom(text: &mut Exposition, series: &SeriesReading, has_header: bool) {
    let SeriesReading { name, help, value } = series;
    let family = family(name);
    let labels = name[family.len()..].trim_start_matches('{').trim_end_matches('}');
    let kind = match value {
        Value::Counter(_) => "counter",
        Value::Gauge(_) => "gauge",
        Value::Histogram(_) => "histogram",
    };
    if !has_header {
        text.family(family, kind, help);
    }
    match value {
        Value::Counter(count) => text.sample(family, labels, count),
        Value::Gauge(value) => text.sample(family, labels, Float(*value)),
        Value::Histogram(counts) => text.histogram(family, labels, counts),
    }
}

fn labels(RouteName { route, method }: &RouteName) -> String {
    format!("method=\"{}\",route=\"{}\"", escape_label(method), escape_label(route))
}

fn label(worker: &WorkerState) -> String {
    format!("worker=\"{}\"", worker.number)
}

pub(crate) fn state_name(state: State) -> &'static str {
    match state {
        State::Empty => "empty",
        State::Starting => "starting",
        State::Ready => "ready",
        State::Stopping => "stopping",
        State::Draining => "draining",
    }
}

/// Escapes the value of a label: backslash, double quote and line feed.
pub(super) fn escape_label(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

/// Escapes a help text: backslash and line feed.
fn escape_help(help: &str) -> String {
    help.replace('\\', r"\\").replace('\n', r"\n")
}

/// The text under construction. Writing to a string cannot fail.
struct Exposition(String);

impl Exposition {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let help = escape_help(help);
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn single(&mut self, name: &str, kind: &str, help: &str, value: u64) {
        self.family(name, kind, help);
        self.sample(name, "", value);
    }

    fn sample(&mut self, name: &str, labels: &str, value: impl Display) {
        let _ = match labels {
            "" => writeln!(self.0, "{name} {value}"),
            _ => writeln!(self.0, "{name}{{{labels}}} {value}"),
        };
    }

    /// Writes a histogram. The count of a bucket includes those of all buckets below it.
    fn histogram(&mut self, name: &str, labels: &str, counts: &Counts) {
        let comma = if labels.is_empty() { "" } else { "," };
        let bucket_name = format!("{name}_bucket");
        let mut below = 0;
        for bucket in 0..BUCKETS {
            below += counts.buckets[bucket];
            let written = bound(bucket).filter(|bound| {
                bound.is_power_of_two() && BOUNDS.contains(&bound.trailing_zeros())
            });
            if let Some(micros) = written {
                let le = micros as f64 / 1e6;
                self.sample(&bucket_name, &format!("{labels}{comma}le=\"{le}\""), below);
            }
        }
        self.sample(&bucket_name, &format!("{labels}{comma}le=\"+Inf\""), below);
        self.sample(&format!("{name}_sum"), labels, counts.sum_nanos as f64 / 1e9);
        self.sample(&format!("{name}_count"), labels, below);
    }
}

/// A number in the form of Go, which the format requires.
struct Float(f64);

impl Display for Float {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            value if value.is_nan() => f.write_str("NaN"),
            f64::INFINITY => f.write_str("+Inf"),
            f64::NEG_INFINITY => f.write_str("-Inf"),
            value => write!(f, "{value}"),
        }
    }
}
