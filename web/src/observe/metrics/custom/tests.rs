use super::*;
use crate::application::Application;
use crate::observe::metrics::render;
use crate::testing::TestClient;

#[test]
fn names_and_labels_are_checked() {
    for name in ["", "1a", "a-b", "a b", "größe", "a\n", "a{"] {
        assert_eq!(Counter::new(name, "").unwrap_err(), MetricError::Name(name.to_owned()));
    }
    assert!(Counter::new("_a:9", "").is_ok());
    for label in ["", "1", "a-b", "a:b", "__name__", "le", "a\""] {
        let error = Histogram::with_labels("h", "", &[(label, "")]).unwrap_err();
        assert_eq!(error, MetricError::Label(label.to_owned()));
    }
    let twice = Gauge::with_labels("g", "", &[("a", "1"), ("a", "2")]);
    assert_eq!(twice.unwrap_err(), MetricError::Label("a".to_owned()));
}

#[test]
fn an_error_that_main_returns_can_be_read() {
    let error = Counter::new("a-b", "").unwrap_err();
    assert_eq!(format!("{error:?}"), error.to_string());
}

#[test]
fn what_the_server_counts_cannot_be_counted_by_others() {
    for name in BUILT_IN {
        assert!(matches!(Counter::new(name, ""), Err(MetricError::BuiltIn(_))), "{name}");
    }
    let name = "http_request_duration_seconds_sum";
    assert!(matches!(Counter::new(name, ""), Err(MetricError::BuiltIn(_))));
}

#[test]
fn a_name_is_of_one_kind() {
    Counter::with_labels("a", "", &[("x", "1")]).unwrap();
    assert_eq!(Gauge::new("a", "").unwrap_err(), MetricError::OtherKind("a".to_owned()));
    Histogram::new("b", "").unwrap();
    assert!(matches!(Counter::new("b_sum", ""), Err(MetricError::OtherKind(_))));
    Counter::new("c_count", "").unwrap();
    assert!(matches!(Histogram::new("c", ""), Err(MetricError::OtherKind(_))));
}

#[test]
fn a_name_tells_one_thing() {
    Counter::with_labels("a", "What it is.", &[("x", "1")]).unwrap();
    let other = Counter::with_labels("a", "Something else.", &[("x", "2")]).unwrap_err();
    assert_eq!(other, MetricError::OtherHelp("a".to_owned()));
    assert_eq!(other.to_string(), "there is a metric a with another help text");
    assert!(Counter::with_labels("a", "What it is.", &[("x", "2")]).is_ok());
}

#[test]
fn what_is_not_a_number_does_not_stay_for_ever() {
    let _client = TestClient::new(Application::new([]));
    let gauge = Gauge::new("g", "").unwrap();
    gauge.inc();
    gauge.add(f64::NAN);
    assert!(render().contains("\ng 1\n"), "{}", render());
    gauge.set(f64::NAN);
    assert!(render().contains("\ng NaN\n"), "{}", render());
    gauge.add(2.5);
    assert!(render().contains("\ng 2.5\n"), "{}", render());
}

#[test]
fn what_is_registered_twice_is_one_and_counts_from_the_start_of_the_server_on() {
    let early = Counter::new("c", "").unwrap();
    early.inc();
    let _client = TestClient::new(Application::new([]));
    early.add(2);
    Counter::new("c", "").unwrap().inc();
    assert!(render().contains("\nc 3\n"), "{}", render());
}

#[test]
fn the_order_of_labels_makes_no_other_series() {
    let _client = TestClient::new(Application::new([]));
    Counter::with_labels("c", "", &[("a", "1"), ("b", "2")]).unwrap().inc();
    Counter::with_labels("c", "", &[("b", "2"), ("a", "1")]).unwrap().inc();
    assert!(render().contains("\nc{a=\"1\",b=\"2\"} 2\n"), "{}", render());
}

#[test]
fn what_finds_no_room_is_refused() {
    let _client = TestClient::new(Application::new([]));
    let made = (0..).find(|n| Counter::new(&format!("c{n}"), "").is_err());
    assert_eq!(made, Some(MAX_SERIES));
    assert!(matches!(Counter::new("more", ""), Err(MetricError::NoRoom(_))));
    assert!(Counter::new("c7", "").is_ok(), "it is there");
}
