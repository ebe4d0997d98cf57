use std::collections::HashSet;

use super::*;

/// Names like those of real tables, which are similar to each other.
fn names() -> Vec<String> {
    let numbered = ["route", "r", "", "a-rather-long-name-of-a-thing-", "/api/v1/things/"];
    let mut names: Vec<_> =
        numbered.iter().flat_map(|name| (0..2_000).map(move |at| format!("{name}{at}"))).collect();
    names.extend((0..2_000).map(|at| format!("{at}/suffix")));
    names.extend((0..100).map(|length| "a".repeat(length)));
    names
}

#[test]
fn only_inserted_text_is_found() {
    let names = names();
    let mut edges = Edges::new();
    assert_eq!(edges.find(0, b""), None);
    for (to, name) in (0..).zip(&names) {
        assert_eq!(edges.find(7, name.as_bytes()), None);
        edges.insert(7, name.as_bytes(), to);
    }
    for (to, name) in (0..).zip(&names) {
        assert_eq!(edges.find(7, name.as_bytes()), Some(to));
        assert_eq!(edges.find(8, name.as_bytes()), None);
    }
    assert_eq!(edges.find(7, b"none"), None);
    assert_eq!(edges.find(7, &[b'a'; 10_000]), None);
}

#[test]
fn texts_with_the_same_key_are_distinguished() {
    // The table is so small that many of them collide.
    for from in 0..100 {
        let mut edges = Edges::new();
        edges.insert(from, b"a", 1);
        assert_eq!(edges.find(from, b"a\0"), None);
        assert_eq!(edges.find(from, b"a\0\0"), None);
    }

    let long = |at: u32| format!("/api/v1/thing{at:03}/edit-it");
    for at in 0..100 {
        let (text, other) = (long(at), long(at + 1));
        let mut edges = Edges::new();
        assert_eq!(Key::of(0, text.as_bytes()), Key::of(0, other.as_bytes()));
        edges.insert(0, text.as_bytes(), 2);
        assert_eq!(edges.find(0, other.as_bytes()), None);
        edges.insert(0, other.as_bytes(), 3);
        let both = [&text, &other].map(|text| edges.find(0, text.as_bytes()));
        assert_eq!(both, [Some(2), Some(3)]);
    }
}

#[test]
fn similar_keys_are_spread_over_the_table() {
    let by_name = |name: String| (0, name);
    let by_origin = |from: u32| (from, "list".to_owned());
    for count in [10, 100, 1_000, 10_000] {
        check_spread(names().into_iter().take(count).map(by_name));
        check_spread((0..count as u32).map(by_origin));
        check_spread((0..count as u32).map(|at| by_origin(u32::MAX - 2 - at)));
    }
}

fn check_spread(keys: impl Iterator<Item = (u32, String)>) {
    let mut edges = Edges::new();
    for (from, text) in keys {
        edges.insert(from, text.as_bytes(), 0);
    }
    let probes = |slot: usize| {
        let run = edges.slots.iter().cycle().skip(slot);
        run.take_while(|slot| slot.to != NOWHERE).count()
    };
    let total: usize = (0..edges.slots.len()).map(probes).sum();
    // With random keys and a quarter of the slots taken, the average is 0.39.
    assert!(total * 2 <= edges.slots.len(), "{}: {total}", edges.count);
    let longest = (0..edges.slots.len()).map(probes).max().unwrap();
    assert!(longest <= 12, "{}: {longest}", edges.count);
}

fn hash_of(text: &[u8]) -> usize {
    match text.len() {
        0..=Key::HOLDS_ALL => Key::of(7, text).hash(),
        _ => hash_of_long(7, text),
    }
}

#[test]
fn the_hash_depends_on_each_byte() {
    for length in 0..40 {
        let text = vec![b'a'; length];
        let mut hashes = HashSet::from([hash_of(&text)]);
        for at in 0..length {
            for byte in [b'b', b'A', 0, 0xff] {
                let mut other = text.clone();
                other[at] = byte;
                assert!(hashes.insert(hash_of(&other)), "{length} {at}");
            }
        }
    }
}

#[test]
fn the_word_of_a_short_text_is_the_text() {
    let mut words = HashSet::new();
    for text in ["", "a", "\0b", "abc", "abcd", "abcde", "abcdef", "abcdefg", "abcdefgh"] {
        let mut bytes = text.as_bytes().to_vec();
        bytes.resize(8, 0);
        let word = short_word(text.as_bytes());
        assert_eq!(word.to_le_bytes(), *bytes, "{text:?}");
        let mut edges = Edges::new();
        edges.insert(1, text.as_bytes(), 2);
        assert_eq!(edges.find_short(1, word, text.len() as u32), Some(2), "{text:?}");
        assert!(words.insert(word), "{text:?}");
    }
    for number in 0..1_000_000_u32 {
        let text = format!("{number:07}");
        assert!(words.insert(short_word(text.as_bytes())), "{text}");
    }
}
