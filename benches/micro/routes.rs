//! Finding the row of a table, by its kind and the number of rows.
//!
//! Each benchmark looks up the last row, which a search from the top would find last. Rows with
//! literals and with arguments must cost the same in a table of any size; rows with regular
//! expressions are tried in turn.

use divan::{Bencher, black_box};
use squall::internals::Rows;

const ROWS: [usize; 3] = [1, 100, 1000];

#[divan::bench(args = ROWS)]
fn literal(bencher: Bencher<'_, '_>, rows: usize) {
    let patterns: Vec<_> = (0..rows).map(|row| format!("/things/number{row}/list")).collect();
    let path = format!("/things/number{}/list", rows - 1);
    find(bencher, Rows::new(patterns.iter().map(String::as_str)).unwrap(), rows, &path);
}

#[divan::bench(args = ROWS)]
fn parameter(bencher: Bencher<'_, '_>, rows: usize) {
    let patterns: Vec<_> =
        (0..rows).map(|row| format!("/area{row}/{{user}}/posts/{{post}}")).collect();
    let path = format!("/area{}/123/posts/456", rows - 1);
    find(bencher, Rows::new(patterns.iter().map(String::as_str)).unwrap(), rows, &path);
}

#[divan::bench(args = ROWS)]
fn regex(bencher: Bencher<'_, '_>, rows: usize) {
    let patterns: Vec<_> = (0..rows).map(|row| format!(r"/area{row}/(\d+)/posts/(\d+)")).collect();
    let path = format!("/area{}/123/posts/456", rows - 1);
    find(bencher, Rows::regexes(patterns.iter().map(String::as_str)).unwrap(), rows, &path);
}

/// No row answers.
#[divan::bench(args = ROWS)]
fn not_found(bencher: Bencher<'_, '_>, rows: usize) {
    let patterns: Vec<_> =
        (0..rows).map(|row| format!("/area{row}/{{user}}/posts/{{post}}")).collect();
    let mut rows = Rows::new(patterns.iter().map(String::as_str)).unwrap();
    assert_eq!(rows.find(b"/nowhere/123/posts/456"), None);
    bencher.bench_local(|| rows.find(black_box(b"/nowhere/123/posts/456")));
}

fn find(bencher: Bencher<'_, '_>, mut table: Rows, rows: usize, path: &str) {
    assert_eq!(table.find(path.as_bytes()), Some(rows - 1));
    bencher.bench_local(|| table.find(black_box(path.as_bytes())));
}
