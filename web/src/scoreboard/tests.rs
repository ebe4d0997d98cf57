use std::cell::Cell;

use super::reading::Value;
use super::series::{Description, Kind};
use super::*;

pub(super) fn page() -> Page {
    let words: Vec<_> = (0..PAGE_WORDS).map(|_| AtomicU64::new(0)).collect();
    let page = Page::new(words.leak()).unwrap();
    page.enter(1);
    page
}

fn description(kind: Kind, name: &str) -> Description {
    Description { kind, name: name.to_owned(), help: format!("what {name} is") }
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
    assert_eq!(reading.in_flight, 1);
    let [_, get, post] = &reading.routes[..] else { panic!("{reading:?}") };
    assert_eq!((get.name.method.as_str(), get.name.route.as_str()), ("GET", "/users/{id}"));
    assert_eq!((get.classes, get.count()), ([0, 0, 2, 0, 1, 2, 0], 5));
    assert_eq!(
        (get.times.count(), get.times.sum_nanos, get.times.max_nanos),
        (5, 3_003_007, 3_000_000)
    );
    assert_eq!((post.name.method.as_str(), post.classes[0]), ("POST", 1));
}

#[test]
fn a_route_has_one_row_however_often_it_is_asked_for() {
    let page = page();
    let first = page.route("GET", "/");
    assert_eq!(page.route("GET", "/"), first);
    assert_ne!(page.route("GET", ""), first);
    assert_eq!(page.route_name(first).as_deref(), Some("GET /"));
    assert_eq!(page.route_name(99), None);
}

#[test]
fn routes_beyond_the_last_row_are_counted_together() {
    let page = page();
    let rows: Vec<u16> = (0..600).map(|route| page.route("GET", &format!("/{route}"))).collect();
    assert_eq!(rows[MAX_ROUTES - 2], MAX_ROUTES as u16 - 1);
    assert!(rows[MAX_ROUTES - 1..].iter().all(|&row| row == OTHER));
    assert_eq!(page.route("GET", "/7"), rows[7]);
    page.begin();
    page.end(OTHER, Ending::of(StatusCode::OK), 0);
    assert_eq!(page.read().routes[0].classes[2], 1);
    assert_eq!(page.read().routes[0].name.route, "(other routes)");
}

#[test]
fn long_names_that_find_no_room_are_counted_together() {
    let page = page();
    let long = "x".repeat(40_000);
    assert_ne!(page.route("GET", &long), OTHER);
    assert_eq!(page.route("PUT", &long), OTHER);
    assert_ne!(page.route("GET", "/short"), OTHER);
}

#[test]
fn who_comes_after_one_that_died_goes_on_counting_and_has_nothing_in_flight() {
    let page = page();
    let row = page.route("GET", "/");
    let jobs = page.series(&description(Kind::Counter, "jobs_total")).unwrap();
    let queue = page.series(&description(Kind::Gauge, "queue")).unwrap();
    page.accepted();
    page.begin();
    page.end(row, Ending::of(StatusCode::OK), 0);
    page.begin();
    page.run(Served::new(row, 7 << 30));
    jobs.add(3);
    queue.set(5.0_f64.to_bits());
    assert_eq!(page.serving(), Some(Served::new(row, 7 << 30)));

    page.enter(2);
    assert_eq!((page.in_flight(), page.serving(), page.read().lost.count()), (0, None, 1));
    assert!(page.read().lost.is_of(2));
    assert_eq!((page.read().accepted, page.read().connections), (1, 0));
    assert_eq!(page.route("GET", "/"), row);
    assert_eq!(page.read().routes[usize::from(row)].classes[2], 1);
    page.series(&description(Kind::Counter, "jobs_total")).unwrap().add(1);
    let series = page.read().series;
    assert!(matches!(series[0].value, Value::Counter(4)), "{series:?}");
    assert!(matches!(series[1].value, Value::Gauge(0.0)), "{series:?}");
}

#[test]
fn series_are_told_apart_by_name_and_find_room_until_there_is_none() {
    let page = page();
    let names = Cell::new(0);
    let new = |kind| {
        names.set(names.get() + 1);
        page.series(&description(kind, &format!("series_{}", names.get())))
    };
    let histograms = std::iter::from_fn(|| new(Kind::Histogram)).count();
    let counters = std::iter::from_fn(|| new(Kind::Counter)).count();
    assert!(histograms > 50, "{histograms}");
    assert!(counters < histogram::BUCKETS, "{counters} where no histogram fits");
    assert_eq!(page.read().series.len(), histograms + counters);
    assert!(page.series(&description(Kind::Histogram, "series_1")).is_some(), "it is there");
}

#[test]
fn of_what_takes_little_there_is_a_limit_in_number() {
    let page = page();
    let made =
        (0..).map_while(|n| page.series(&description(Kind::Gauge, &format!("g{n}")))).count();
    assert_eq!(made, MAX_SERIES);
}

#[test]
fn a_page_that_holds_anything_can_be_read() {
    let words: Vec<_> = (0..PAGE_WORDS).map(|_| AtomicU64::new(u64::MAX)).collect();
    let page = Page::new(words.leak()).unwrap();
    assert_eq!(page.read().routes.len(), MAX_ROUTES);
    page.route("GET", "/");
    page.enter(1);
}
