//! A [`Summary`] as JSON.

use std::time::Duration;

use serde::Serialize;

use crate::observe::metrics::{STATUSES, state_name};
use crate::scoreboard::histogram::{Counts, bound};
use crate::scoreboard::reading::{Requests, RouteName, Topics, Value, WebSockets};
use crate::scoreboard::summary::{Summary, WorkerState};

/// The JSON document of [`json`](super::json).
#[derive(Serialize)]
pub(super) struct View<'a> {
    version: &'static str,
    workers: Vec<WorkerView<'a>>,
    requests: RequestsView,
    in_flight: u64,
    connections: u64,
    accepted: u64,
    refused: u64,
    lost: u64,
    received_bytes: u64,
    sent_bytes: u64,
    websockets: WebSocketsView,
    topics: TopicsView,
    routes: Vec<RouteView<'a>>,
    metrics: Vec<MetricView<'a>>,
}

#[derive(Serialize)]
struct WebSocketsView {
    open: u64,
    opened: u64,
    messages_received: u64,
    messages_sent: u64,
    bytes_received: u64,
    bytes_sent: u64,
}

#[derive(Serialize)]
struct TopicsView {
    patterns: u64,
    subscriptions: u64,
    queued: u64,
    published: u64,
    delivered: u64,
    lost: u64,
}

#[derive(Serialize)]
struct WorkerView<'a> {
    number: usize,
    state: &'static str,
    pid: Option<u32>,
    generation: u64,
    uptime_seconds: f64,
    restarts: u64,
    requests: u64,
    in_flight: u64,
    connections: u64,
    resident_bytes: Option<u64>,
    busy_seconds: Option<f64>,
    serving: Option<ServingView<'a>>,
}

#[derive(Serialize)]
struct ServingView<'a> {
    method: &'a str,
    route: &'a str,
    seconds: f64,
}

#[derive(Serialize)]
struct RouteView<'a> {
    method: &'a str,
    route: &'a str,
    #[serde(flatten)]
    requests: RequestsView,
}

#[derive(Serialize)]
struct RequestsView {
    count: u64,
    by_status: Vec<(&'static str, u64)>,
    duration: DurationView,
}

/// All durations are in seconds.
#[derive(Serialize)]
struct DurationView {
    sum: f64,
    mean: Option<f64>,
    p50: Option<f64>,
    p90: Option<f64>,
    p99: Option<f64>,
    max: f64,
    /// The upper bounds and the counts of all buckets that are not empty.
    buckets: Vec<(Option<f64>, u64)>,
}

#[derive(Serialize)]
struct MetricView<'a> {
    name: &'a str,
    help: &'a str,
    value: MetricValueView,
}

#[derive(Serialize)]
#[serde(untagged)]
enum MetricValueView {
    Counter(u64),
    Gauge(f64),
    Histogram(DurationView),
}

impl<'a> View<'a> {
    pub(super) fn of(summary: &'a Summary) -> Self {
        let mut routes: Vec<_> =
            summary.routes.iter().filter(|(_, requests)| requests.count() > 0).collect();
        // The routes that take the most time come first.
        routes.sort_by_key(|(_, requests)| std::cmp::Reverse(requests.times.sum_nanos));
        Self {
            version: env!("CARGO_PKG_VERSION"),
            workers: summary.workers.iter().map(WorkerView::of).collect(),
            requests: RequestsView::of(&summary.requests()),
            in_flight: summary.totals.in_flight,
            connections: summary.totals.connections,
            accepted: summary.totals.accepted,
            refused: summary.totals.refused,
            lost: summary.totals.lost,
            received_bytes: summary.totals.received,
            sent_bytes: summary.totals.sent,
            websockets: WebSocketsView::of(&summary.totals.websockets),
            topics: TopicsView::of(&summary.totals.topics),
            routes: routes.into_iter().map(RouteView::of).collect(),
            metrics: (summary.series.iter())
                .map(|series| MetricView {
                    name: &series.name,
                    help: &series.help,
                    value: MetricValueView::of(&series.value),
                })
                .collect(),
        }
    }
}

impl WebSocketsView {
    fn of(sockets: &WebSockets) -> Self {
        let WebSockets {
            open,
            opened,
            messages_received,
            messages_sent,
            bytes_received,
            bytes_sent,
        } = *sockets;
        Self { open, opened, messages_received, messages_sent, bytes_received, bytes_sent }
    }
}

impl TopicsView {
    fn of(topics: &Topics) -> Self {
        let Topics { patterns, subscriptions, queued, published, delivered, lost } = *topics;
        Self { patterns, subscriptions, queued, published, delivered, lost }
    }
}

impl<'a> WorkerView<'a> {
    fn of(worker: &'a WorkerState) -> Self {
        let seconds = |millis: u64| millis as f64 / 1e3;
        Self {
            number: worker.number,
            state: state_name(worker.state),
            pid: worker.pid,
            generation: worker.generation,
            uptime_seconds: seconds(worker.uptime_ms),
            restarts: worker.restarts,
            requests: worker.requests,
            in_flight: worker.in_flight,
            connections: worker.connections,
            resident_bytes: worker.memory,
            busy_seconds: worker.busy_ms.map(seconds),
            serving: worker.serving.as_ref().map(|(RouteName { route, method }, millis)| {
                ServingView { method, route, seconds: seconds(*millis) }
            }),
        }
    }
}

impl<'a> RouteView<'a> {
    fn of((name, requests): (&'a RouteName, &'a Requests)) -> Self {
        let RouteName { route, method } = name;
        Self { method, route, requests: RequestsView::of(requests) }
    }
}

impl RequestsView {
    fn of(requests: &Requests) -> Self {
        let by_status = STATUSES.into_iter().zip(requests.classes);
        Self {
            count: requests.count(),
            by_status: by_status.filter(|(_, count)| *count > 0).collect(),
            duration: DurationView::of(&requests.times),
        }
    }
}

impl DurationView {
    fn of(counts: &Counts) -> Self {
        let seconds = |duration: Duration| duration.as_secs_f64();
        let quantile = |share| counts.quantile(share).map(seconds);
        let buckets = counts.buckets.iter().enumerate().filter(|(_, count)| **count > 0);
        Self {
            sum: counts.sum_nanos as f64 / 1e9,
            mean: counts.mean().map(seconds),
            p50: quantile(0.5),
            p90: quantile(0.9),
            p99: quantile(0.99),
            max: counts.max_nanos as f64 / 1e9,
            buckets: buckets
                .map(|(bucket, count)| (bound(bucket).map(|micros| micros as f64 / 1e6), *count))
                .collect(),
        }
    }
}

impl MetricValueView {
    fn of(value: &Value) -> Self {
        match value {
            Value::Counter(count) => Self::Counter(*count),
            Value::Gauge(value) => Self::Gauge(*value),
            Value::Histogram(counts) => Self::Histogram(DurationView::of(counts)),
        }
    }
}
