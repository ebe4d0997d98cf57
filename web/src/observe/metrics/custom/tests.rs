use super::*;
use crate::application::Application;
use crate::observe::metrics::exposition::BUILT_IN;
use crate::observe::metrics::render;
use crate::scoreboard::MAX_SERIES;
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
fn a_built_in_metric_cannot_be_registered() {
    for name in BUILT_IN {
        assert!(matches!(Counter::new(name, ""), Err(MetricError::BuiltIn(_))), "{name}");
    }
    let name = "http_request_duration_seconds_sum";
    assert!(matches!(Counter::new(name, ""), Err(MetricError::BuiltIn(_))));
}

#[test]
fn a_name_has_one_kind() {
    Counter::with_labels("a", "", &[("x", "1")]).unwrap();
    assert_eq!(Gauge::new("a", "").unwrap_err(), MetricError::OtherKind("a".to_owned()));
    Histogram::new("b", "").unwrap();
    assert!(matches!(Counter::new("b_sum", ""), Err(MetricError::OtherKind(_))));
    Counter::new("c_count", "").unwrap();
    assert!(matches!(Histogram::new("c", ""), Err(MetricError::OtherKind(_))));
}

#[test]
fn a_name_has_one_help_text() {
    Counter::with_labels("a", "The help.", &[("x", "1")]).unwrap();
    let other = Counter::with_labels("a", "Something else.", &[("x", "2")]).unwrap_err();
    assert_eq!(other, MetricError::OtherHelp("a".to_owned()));
    assert_eq!(other.to_string(), "a metric a with another help text exists");
    assert!(Counter::with_labels("a", "The help.", &[("x", "2")]).is_ok());
}

#[test]
fn adding_to_nan_starts_from_zero() {
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
fn a_metric_that_is_registered_twice_is_one_and_counts_from_the_start_of_the_server() {
    let early = Counter::new("c", "").unwrap();
    early.inc();
    let _client = TestClient::new(Application::new([]));
    early.add(2);
    Counter::new("c", "").unwrap().inc();
    assert!(render().contains("\nc 3\n"), "{}", render());
}

#[test]
fn the_order_of_labels_does_not_matter() {
    let _client = TestClient::new(Application::new([]));
    Counter::with_labels("c", "", &[("a", "1"), ("b", "2")]).unwrap().inc();
    Counter::with_labels("c", "", &[("b", "2"), ("a", "1")]).unwrap().inc();
    assert!(render().contains("\nc{a=\"1\",b=\"2\"} 2\n"), "{}", render());
}

#[test]
fn a_metric_without_room_is_refused() {
    let _client = TestClient::new(Application::new([]));
    let made = (0..).find(|n| Counter::new(&format!("c{n}"), "").is_err());
    assert_eq!(made, Some(MAX_SERIES));
    assert!(matches!(Counter::new("more", ""), Err(MetricError::NoRoom(_))));
    assert!(Counter::new("c7", "").is_ok(), "it exists");
}
