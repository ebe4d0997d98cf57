use std::collections::HashSet;

use super::*;

fn literal(from: u32, text: &str) -> Key<'_> {
    Key { from, before: text.as_bytes(), after: None }
}

/// Names as tables have them, alike in many ways.
fn names() -> Vec<String> {
    let numbered = ["route", "r", "", "a-rather-long-name-of-a-thing-", "/api/v1/things/"];
    let mut names: Vec<_> =
        numbered.iter().flat_map(|name| (0..2_000).map(move |at| format!("{name}{at}"))).collect();
    names.extend((0..2_000).map(|at| format!("{at}/suffix")));
    names.extend((0..100).map(|length| "a".repeat(length)));
    names
}

#[test]
fn what_was_inserted_is_found_and_nothing_else() {
    let names = names();
    let mut edges = Edges::new();
    assert_eq!(edges.find(literal(0, "")), None);
    for (to, name) in (0..).zip(&names) {
        assert_eq!(edges.find(literal(7, name)), None);
        edges.insert(literal(7, name), to);
    }
    for (to, name) in (0..).zip(&names) {
        assert_eq!(edges.find(literal(7, name)), Some(to));
        assert_eq!(edges.find(literal(8, name)), None);
        assert_eq!(edges.find(Key { after: Some(b""), ..literal(7, name) }), None);
    }
    assert_eq!(edges.find(literal(7, "none")), None);
    assert_eq!(edges.find(literal(7, &"a".repeat(10_000))), None);
}

#[test]
fn text_before_and_after_an_argument_is_kept_apart() {
    let keys = [(&b"a"[..], &b""[..]), (b"", b"a"), (b"a", b"a"), (b"ab", b"c"), (b"a", b"bc")];
    let key = |(before, after)| Key { from: 0, before, after: Some(after) };
    let mut edges = Edges::new();
    for (to, pair) in (0..).zip(keys) {
        edges.insert(key(pair), to);
    }
    for (to, pair) in (0..).zip(keys) {
        assert_eq!(edges.find(key(pair)), Some(to));
    }
}

#[test]
fn names_that_are_alike_are_spread_over_the_table() {
    for count in [10, 100, 1_000, 10_000] {
        let mut edges = Edges::new();
        for (to, name) in (0..count).zip(names()) {
            edges.insert(literal(0, &name), to);
        }
        let probes = |slot: usize| {
            let run = edges.slots.iter().cycle().skip(slot);
            run.take_while(|slot| slot.edge != Slot::NONE).count()
        };
        let total: usize = (0..edges.slots.len()).map(probes).sum();
        // A table of random numbers at most half full has 0.75 on average.
        assert!(total <= edges.slots.len() * 3 / 2, "{count}: {total}");
        let longest = (0..edges.slots.len()).map(probes).max().unwrap();
        assert!(longest <= 40, "{count}: {longest}");
    }
}

#[test]
fn each_byte_counts_in_the_hash() {
    for length in 0..40 {
        let text = vec![b'a'; length];
        let mut hashes = HashSet::from([mix(0, &text)]);
        for at in 0..length {
            for byte in [b'b', b'A', 0, 0xff] {
                let mut other = text.clone();
                other[at] = byte;
                assert!(hashes.insert(mix(0, &other)), "{length} {at}");
            }
        }
    }
}
