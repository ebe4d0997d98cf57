use std::cell::Cell;

use super::reading::Value;
use super::series::{Description, MetricKind};
use super::*;

pub(super) fn page() -> Page {
    let words: Vec<_> = (0..PAGE_WORDS).map(|_| AtomicU64::new(0)).collect();
    let page = Page::new(words.leak()).unwrap();
    page.enter(1);
    page
}

fn description(kind: MetricKind, name: &str) -> Description {
    Description { kind, name: name.to_owned(), help: format!("The help of {name}.") }
}

#[test]
fn a_page_needs_all_of_its_words() {
    let words: Vec<_> = (1..PAGE_WORDS).map(|_| AtomicU64::new(0)).collect();
    assert!(Page::new(words.leak()).is_none());
}

#[test]
fn requests_are_counted_by_route_and_class() {
    let page = page();
    let users = page.route("GET", "/users/{id}");
    for (status, nanos) in [(200, 1_000), (204, 3_000_000), (404, 2_000), (500, 7), (999, 0)] {
        page.begin();
        page.end(users, Ending::of(StatusCode::from_u16(status).unwrap()), nanos);
    }
    page.begin();
    page.end(page.route("POST", "/users/{id}"), Ending::INCOMPLETE, 0);
    page.begin();

    let reading = page.read();
    assert_eq!(reading.totals.in_flight, 1);
    let [_, (get_name, get), (post_name, post)] = &reading.routes[..] else {
        panic!("{reading:?}")
    };
    assert_eq!((get_name.method.as_str(), get_name.route.as_str()), ("GET", "/users/{id}"));
    assert_eq!((get.classes, get.count()), ([0, 0, 2, 0, 1, 2, 0], 5));
    assert_eq!(
        (get.times.count(), get.times.sum_nanos, get.times.max_nanos),
        (5, 3_003_007, 3_000_000)
    );
    assert_eq!((post_name.method.as_str(), post.classes[0]), ("POST", 1));
}

#[test]
fn a_route_has_one_series() {
    let page = page();
    let first = page.route("GET", "/");
    assert_eq!(page.route("GET", "/"), first);
    assert_ne!(page.route("GET", ""), first);
    assert_eq!(page.route_name(first).as_deref(), Some("GET /"));
    assert_eq!(page.route_name(99), None);
}

#[test]
fn routes_beyond_the_limit_are_counted_together() {
    let page = page();
    let series: Vec<u16> = (0..600).map(|route| page.route("GET", &format!("/{route}"))).collect();
    assert_eq!(series[MAX_ROUTES - 2], MAX_ROUTES as u16 - 1);
    assert!(series[MAX_ROUTES - 1..].iter().all(|&one| one == OTHER));
    assert_eq!(page.route("GET", "/7"), series[7]);
    page.begin();
    page.end(OTHER, Ending::of(StatusCode::OK), 0);
    assert_eq!(page.read().routes[0].1.classes[2], 1);
    assert_eq!(page.read().routes[0].0.route, "(other routes)");
}

#[test]
fn names_that_are_too_long_are_counted_together() {
    let page = page();
    let long = "x".repeat(40_000);
    assert_ne!(page.route("GET", &long), OTHER);
    assert_eq!(page.route("PUT", &long), OTHER);
    assert_ne!(page.route("GET", "/short"), OTHER);
}

#[test]
fn the_next_process_continues_the_counts_and_resets_the_state() {
    let page = page();
    let series = page.route("GET", "/");
    let jobs = page.series(&description(MetricKind::Counter, "jobs_total")).unwrap();
    let queue = page.series(&description(MetricKind::Gauge, "queue")).unwrap();
    page.accepted();
    page.begin();
    page.end(series, Ending::of(StatusCode::OK), 0);
    page.begin();
    page.run(InFlight::new(series, 7 << 30));
    jobs.add(3);
    queue.set(5.0_f64.to_bits());
    assert_eq!(page.serving(), Some(InFlight::new(series, 7 << 30)));

    page.enter(2);
    assert_eq!((page.requests_in_flight(), page.serving(), page.read().lost.count()), (0, None, 1));
    assert!(page.read().lost.is_of(2));
    assert_eq!((page.read().totals.accepted, page.read().totals.connections), (1, 0));
    assert_eq!(page.route("GET", "/"), series);
    assert_eq!(page.read().routes[usize::from(series)].1.classes[2], 1);
    page.series(&description(MetricKind::Counter, "jobs_total")).unwrap().add(1);
    let metrics = page.read().series;
    assert!(matches!(metrics[0].value, Value::Counter(4)), "{metrics:?}");
    assert!(matches!(metrics[1].value, Value::Gauge(0.0)), "{metrics:?}");
}

#[test]
fn series_have_room_until_the_page_is_full() {
    let page = page();
    let names = Cell::new(0);
    let new = |kind| {
        names.set(names.get() + 1);
        page.series(&description(kind, &format!("series_{}", names.get())))
    };
    let histograms = std::iter::from_fn(|| new(MetricKind::Histogram)).count();
    let counters = std::iter::from_fn(|| new(MetricKind::Counter)).count();
    assert!(histograms > 50, "{histograms}");
    assert!(counters < histogram::BUCKETS, "{counters} counters after the last histogram");
    assert_eq!(page.read().series.len(), histograms + counters);
    assert!(page.series(&description(MetricKind::Histogram, "series_1")).is_some(), "it exists");
}

#[test]
fn the_number_of_series_is_limited() {
    let page = page();
    let made =
        (0..).map_while(|n| page.series(&description(MetricKind::Gauge, &format!("g{n}")))).count();
    assert_eq!(made, MAX_SERIES);
}

#[test]
fn a_page_with_arbitrary_words_can_be_read() {
    let words: Vec<_> = (0..PAGE_WORDS).map(|_| AtomicU64::new(u64::MAX)).collect();
    let page = Page::new(words.leak()).unwrap();
    assert_eq!(page.read().routes.len(), MAX_ROUTES);
    page.route("GET", "/");
    page.enter(1);
}
