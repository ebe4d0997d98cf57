//! Timers, beside none and beside many others.

use std::time::Duration;

use divan::{Bencher, black_box};
use squall_runtime::Deadline;

const OTHERS: [usize; 2] = [0, 10_000];

/// A limit that is moved by each request: later, which stores a number.
#[divan::bench(args = OTHERS)]
fn set_later(bencher: Bencher<'_, '_>, others: usize) {
    let _others = armed(others);
    let deadline = Deadline::new();
    let mut milliseconds = 0;
    bencher.bench_local(|| {
        milliseconds += 1;
        deadline.set_after(Duration::from_millis(black_box(milliseconds)));
    });
}

/// A limit that becomes shorter: the wheel has to know.
#[divan::bench(args = OTHERS)]
fn set_later_and_earlier(bencher: Bencher<'_, '_>, others: usize) {
    let _others = armed(others);
    let deadline = Deadline::new();
    bencher.bench_local(|| {
        deadline.set_after(black_box(Duration::from_secs(75)));
        deadline.set_after(black_box(Duration::from_secs(5)));
    });
}

/// A timer of its own for something that happens soon enough.
#[divan::bench(args = OTHERS)]
fn set_and_drop(bencher: Bencher<'_, '_>, others: usize) {
    let _others = armed(others);
    bencher.bench_local(|| Deadline::new().set_after(black_box(Duration::from_secs(5))));
}

fn armed(count: usize) -> Vec<Deadline> {
    let milliseconds = (0_u64..).step_by(7).take(count);
    let deadline = |milliseconds| {
        let deadline = Deadline::new();
        deadline.set_after(Duration::from_secs(60) + Duration::from_millis(milliseconds));
        deadline
    };
    milliseconds.map(deadline).collect()
}
