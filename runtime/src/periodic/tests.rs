//! Periodic callbacks on virtual time.

use std::cell::RefCell;
use std::time::Instant;

use super::*;
use crate::sleep;

const SECOND: Duration = Duration::from_secs(1);

/// A loop on virtual time, and the times of events in seconds.
#[derive(Clone)]
struct Times {
    begin: Instant,
    times: Rc<RefCell<Vec<f64>>>,
}

impl Times {
    fn new() -> Self {
        IOLoop::current().use_virtual_time();
        Self { begin: IOLoop::current().time(), times: Rc::default() }
    }

    fn note(&self) {
        self.times.borrow_mut().push((IOLoop::current().time() - self.begin).as_secs_f64());
    }

    fn take(&self) -> Vec<f64> {
        self.times.take()
    }
}

fn pass(time: Duration) {
    IOLoop::current().run_sync(sleep(time)).unwrap();
}

#[test]
fn the_first_call_comes_after_one_period() {
    let times = Times::new();
    let noted = times.clone();
    let callback = PeriodicCallback::new(10 * SECOND, async move || noted.note());
    callback.start();
    pass(51 * SECOND);
    assert_eq!(times.take(), [10.0, 20.0, 30.0, 40.0, 50.0]);
}

#[test]
fn a_call_longer_than_its_period_skips_the_missed_calls() {
    let times = Times::new();
    let noted = times.clone();
    let mut durations = [9, 9, 10, 11, 20, 20, 35, 35].into_iter();
    let callback = PeriodicCallback::new(10 * SECOND, async move || {
        noted.note();
        IOLoop::current().advance(durations.next().unwrap_or_default() * SECOND);
    });
    callback.start();
    pass(235 * SECOND);
    let expected = [10.0, 20.0, 30.0, 50.0, 70.0, 100.0, 130.0, 170.0, 210.0, 220.0, 230.0];
    assert_eq!(times.take(), expected);
}

#[test]
fn async_calls_do_not_overlap() {
    let times = Times::new();
    let noted = times.clone();
    let callback = PeriodicCallback::new(10 * SECOND, async move || {
        noted.note();
        sleep(25 * SECOND).await;
        noted.note();
    });
    callback.start();
    pass(110 * SECOND);
    assert_eq!(times.take(), [10.0, 35.0, 40.0, 65.0, 70.0, 95.0, 100.0]);
}

#[test]
fn milliseconds_count() {
    let times = Times::new();
    let noted = times.clone();
    PeriodicCallback::new(Duration::from_millis(1500), async move || noted.note()).start();
    pass(5 * SECOND);
    assert_eq!(times.take(), [1.5, 3.0, 4.5]);
}

#[test]
fn jitter_stays_within_its_part_of_the_period_and_varies() {
    let times = Times::new();
    let noted = times.clone();
    PeriodicCallback::new(10 * SECOND, async move || noted.note()).jitter(0.5).start();
    pass(1000 * SECOND);
    let times = times.take();
    let periods: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(periods.iter().all(|period| (7.4..=12.6).contains(period)), "{periods:?}");
    assert!(periods.iter().any(|&period| (period - periods[0]).abs() > 0.1), "{periods:?}");
}

#[test]
fn a_call_that_panics_is_not_the_last() {
    let times = Times::new();
    let noted = times.clone();
    let mut calls = 0;
    PeriodicCallback::new(10 * SECOND, async move || {
        noted.note();
        calls += 1;
        assert!(calls != 2, "the second call fails on purpose");
    })
    .start();
    pass(45 * SECOND);
    assert_eq!(times.take(), [10.0, 20.0, 30.0, 40.0]);
}

#[test]
fn after_stop_there_is_no_call_and_start_begins_a_new_period() {
    let times = Times::new();
    let noted = times.clone();
    let callback = PeriodicCallback::new(10 * SECOND, async move || noted.note());
    callback.start();
    pass(15 * SECOND);
    callback.stop();
    callback.stop();
    assert!(!callback.is_running());
    pass(15 * SECOND);
    callback.start();
    assert!(callback.is_running());
    pass(15 * SECOND);
    assert_eq!(times.take(), [10.0, 40.0]);
}

#[test]
fn a_call_that_is_due_is_not_made_when_stopped_in_the_same_turn() {
    // Whether the stop comes before or after the timeout, and whether the callback is started
    // again.
    for (before, restart, expected) in [
        (true, false, &[] as &[f64]),
        (false, false, &[]),
        (true, true, &[20.0]),
        (false, true, &[20.0]),
    ] {
        let times = Times::new();
        let noted = times.clone();
        let callback = PeriodicCallback::new(10 * SECOND, async move || noted.note());
        let stop = || {
            let stopped = callback.clone();
            IOLoop::current().call_later(10 * SECOND, move || {
                stopped.stop();
                if restart {
                    stopped.start();
                }
            });
        };
        if before {
            stop();
            callback.start();
        } else {
            callback.start();
            stop();
        }
        pass(25 * SECOND);
        callback.stop();
        assert_eq!(times.take(), expected, "before: {before}, restart: {restart}");
    }
}

#[test]
fn stopped_and_started_by_its_own_call_it_does_not_run_twice() {
    let times = Times::new();
    let noted = times.clone();
    let own: Rc<RefCell<Option<PeriodicCallback>>> = Rc::default();
    let handle = Rc::clone(&own);
    let callback = PeriodicCallback::new(10 * SECOND, async move || {
        noted.note();
        if let Some(callback) = handle.take() {
            callback.stop();
            callback.start();
        }
        sleep(SECOND).await;
    });
    own.replace(Some(callback.clone()));
    callback.start();
    pass(45 * SECOND);
    assert_eq!(times.take(), [10.0, 20.0, 30.0, 40.0]);
}

#[test]
fn dropping_the_handle_stops_nothing_and_stopping_frees_the_callback() {
    let times = Times::new();
    let held = Rc::new(());
    let (noted, inside) = (times.clone(), Rc::clone(&held));
    let callback = PeriodicCallback::new(10 * SECOND, async move || {
        let _held = &inside;
        noted.note();
    });
    callback.start();
    let last = callback.clone();
    drop(callback);
    pass(15 * SECOND);
    last.stop();
    drop(last);
    // A cancelled task is dropped in the next turn.
    pass(SECOND);
    assert_eq!(times.take(), [10.0]);
    assert_eq!(Rc::strong_count(&held), 1);
}

#[test]
#[should_panic(expected = "must not be zero")]
fn a_period_of_zero_is_refused() {
    let _ = PeriodicCallback::new(Duration::ZERO, async || {});
}

#[test]
#[should_panic(expected = "from 0 to 1")]
fn jitter_beyond_the_period_is_refused() {
    let _ = PeriodicCallback::new(SECOND, async || {}).jitter(1.5);
}
