use super::*;
use crate::routing::Pattern;

fn table(rows: &[&str]) -> Index {
    let patterns: Vec<_> = rows.iter().map(|row| pattern(row)).collect();
    Index::new(&patterns)
}

impl Index {
    /// Like [`find`](Self::find). Also checks that the bytes after the path do not matter, and that
    /// the fast path agrees with the search.
    pub(in crate::routing) fn find_path(
        &self,
        path: &[u8],
        arguments: &mut Arguments,
    ) -> Option<usize> {
        let alone = self.find(path, path.len(), arguments);
        let places: Vec<_> = arguments.iter().collect();
        for after in ["?", " HTTP/1.1\r\n", "////////", "%61/a/%//", "aaaaaaaaaaaaaaaa"] {
            let text = [path, after.as_bytes()].concat();
            assert_eq!(self.find(&text, path.len(), arguments), alone, "before {after}");
            assert_eq!(arguments.iter().collect::<Vec<_>>(), places, "before {after}");
            self.check_fast_path(&text, path);
        }
        alone
    }

    /// Checks that the fast path finds nothing, or the same as the search. Returns whether it finds
    /// a row for `path`, with which `text` begins.
    fn check_fast_path(&self, text: &[u8], path: &[u8]) -> bool {
        let (mut fast, mut slow) = (Arguments::new(), Arguments::new());
        let Some(row) = self.find_fast(text, path.len(), &mut fast) else { return false };
        assert_eq!(self.search(path, NONE, &mut slow), Some(row), "{}", path.escape_ascii());
        assert_eq!(fast.iter().collect::<Vec<_>>(), slow.iter().collect::<Vec<_>>());
        true
    }
}

/// Parses a pattern. Text that begins with `~` is a regex.
fn pattern(row: &str) -> Pattern {
    row.strip_prefix('~').map_or_else(|| Pattern::parse(row), Pattern::regex).unwrap()
}

/// Returns the row for `path`, and its arguments.
fn find<'a>(index: &Index, path: &'a str) -> Option<(usize, Vec<&'a str>)> {
    let mut arguments = Arguments::new();
    let row = index.find_path(path.as_bytes(), &mut arguments)?;
    Some((
        row,
        arguments.iter().map(|range| range.map_or("absent", |range| &path[range])).collect(),
    ))
}

fn row(index: &Index, path: &str) -> Option<usize> {
    find(index, path).map(|(row, _)| row)
}

#[test]
fn plain_paths_with_arguments_take_the_fast_path() {
    let index = table(&["/story/{id}", "/sum/{a}/{b}", "/a-very-long-literal/{x}", "~/b"]);
    let takes_it = |path: &str| {
        let text = format!("{path} HTTP/1.1\r\n");
        index.check_fast_path(text.as_bytes(), path.as_bytes())
    };
    for path in ["/story/7", "/story/longer-than-a-word", "/sum/1/2", "/a-very-long-literal/7"] {
        assert!(takes_it(path), "{path}");
    }
    for path in ["/story/%37", "/story/", "/%73tory/7", "/b", "/none"] {
        assert!(!takes_it(path), "{path}");
    }
    // At the first segment, two edges match.
    let index = table(&["/story/{id}", "/{x}/y"]);
    assert!(!index.check_fast_path(b"/story/7 HTTP/1.1\r\n", b"/story/7"));
}

#[test]
fn the_first_row_wins_whatever_the_kinds() {
    let index = table(&["/{any}", "/literal", "~/(.*)", "/a/b", "/a/{x}", "/{*rest}"]);
    assert_eq!(find(&index, "/literal"), Some((0, vec!["literal"])));
    assert_eq!(find(&index, "/a/b"), Some((2, vec!["a/b"])));

    let index = table(&["/{*rest}", "/a/{x}", "/a/b", "~/.*"]);
    assert_eq!(find(&index, "/a/b"), Some((0, vec!["a/b"])));
    assert_eq!(find(&index, "/"), Some((0, vec![""])));

    let index = table(&["/a/{x}", "/{x}/b", "/a/b"]);
    assert_eq!(find(&index, "/a/b"), Some((0, vec!["b"])));
    assert_eq!(find(&index, "/c/b"), Some((1, vec!["c"])));

    let index = table(&["/{x}/b", "/a/{x}", "/a/b"]);
    assert_eq!(find(&index, "/a/b"), Some((0, vec!["a"])));
}

#[test]
fn the_first_of_equal_rows_wins() {
    assert_eq!(row(&table(&["/x", "/a", "/a"]), "/a"), Some(1));
    assert_eq!(row(&table(&["/x", "/{a}", "/{b}"]), "/a"), Some(1));
    assert_eq!(row(&table(&["/x", "/{*a}", "/{*b}"]), "/a"), Some(1));
    assert_eq!(row(&table(&["/x", "/v{a}", "/v{b}"]), "/va"), Some(1));
    assert_eq!(row(&table(&["~/x", "~/.*", "~/a"]), "/a"), Some(1));
}

#[test]
fn the_first_of_many_equal_rows_wins() {
    let rows: Vec<_> = (0..300).map(|at| format!("/row{}", at % 100)).collect();
    let index = table(&rows.iter().map(String::as_str).collect::<Vec<_>>());
    for at in 0..100 {
        assert_eq!(row(&index, &format!("/row{at}")), Some(at));
    }
}

#[test]
fn the_search_backtracks_from_a_dead_end() {
    let index = table(&["/a/b/c", "/a/b/{x}/d", "/a/{x}/e", "/{x}/b/f", "/{*rest}"]);
    assert_eq!(find(&index, "/a/b/x/d"), Some((1, vec!["x"])));
    assert_eq!(find(&index, "/a/b/e"), Some((2, vec!["b"])));
    assert_eq!(find(&index, "/a/b/f"), Some((3, vec!["a"])));
    assert_eq!(find(&index, "/a/b/g"), Some((4, vec!["a/b/g"])));
}

#[test]
fn an_argument_is_one_segment_that_is_not_empty() {
    let index = table(&["/story/{id}", "/sum/{a}/{b}"]);
    assert_eq!(find(&index, "/story/7"), Some((0, vec!["7"])));
    assert_eq!(find(&index, "/sum/12/34"), Some((1, vec!["12", "34"])));
    for path in
        ["/story", "/story/", "/story/7/", "/story/7/8", "/story//7", "/sum//2", "//story/7"]
    {
        assert_eq!(row(&index, path), None, "{path}");
    }
}

#[test]
fn text_around_an_argument_is_matched_but_not_part_of_it() {
    let index =
        table(&["/{file}.json", "/v{version}/x", "/@{user}", "/{file}.tar.gz", "/{file}.gz"]);
    assert_eq!(find(&index, "/a.json"), Some((0, vec!["a"])));
    assert_eq!(find(&index, "/a.json.json"), Some((0, vec!["a.json"])));
    assert_eq!(find(&index, "/v2/x"), Some((1, vec!["2"])));
    assert_eq!(find(&index, "/@me"), Some((2, vec!["me"])));
    assert_eq!(find(&index, "/@me.json"), Some((0, vec!["@me"])));
    assert_eq!(find(&index, "/a.tar.gz"), Some((3, vec!["a"])));
    assert_eq!(find(&index, "/a.gz"), Some((4, vec!["a"])));
    for path in ["/.json", "/v/x", "/@", "/a.jso"] {
        assert_eq!(row(&index, path), None, "{path}");
    }
    assert_eq!(row(&table(&["/aba{x}aba"]), "/ababa"), None, "text may not overlap");
}

#[test]
fn the_rest_may_have_slashes_and_may_be_empty() {
    let index = table(&["/files/{*path}"]);
    assert_eq!(find(&index, "/files/"), Some((0, vec![""])));
    assert_eq!(find(&index, "/files/a"), Some((0, vec!["a"])));
    assert_eq!(find(&index, "/files/a/b/"), Some((0, vec!["a/b/"])));
    assert_eq!(find(&index, "/files//"), Some((0, vec!["/"])));
    for path in ["/files", "/file/a", "/"] {
        assert_eq!(row(&index, path), None, "{path}");
    }
}

#[test]
fn an_empty_rest_competes_with_other_rows_like_any_rest() {
    let index = table(&["/", "/{*rest}"]);
    assert_eq!(find(&index, "/"), Some((0, vec![])));
    let index = table(&["/{*rest}", "/"]);
    assert_eq!(find(&index, "/"), Some((0, vec![""])));

    let index = table(&["/a/{x}", "/a/{*rest}", "/a/", "/{x}/{*rest}", "/{x}/", "~/(.*)"]);
    assert_eq!(find(&index, "/a/b"), Some((0, vec!["b"])));
    assert_eq!(find(&index, "/a/"), Some((1, vec![""])));
    assert_eq!(find(&index, "/b/"), Some((3, vec!["b", ""])));
    assert_eq!(find(&index, "/a"), Some((5, vec!["a"])));
    assert_eq!(find(&index, "//"), Some((5, vec!["/"])), "an argument is never empty");

    let index = table(&["/v{x}/{*rest}", "/{x}/y/{*rest}"]);
    assert_eq!(find(&index, "/v1/"), Some((0, vec!["1", ""])));
    assert_eq!(find(&index, "/%761/"), Some((0, vec!["1", ""])));
    assert_eq!(find(&index, "/b/y/"), Some((1, vec!["b", ""])));
    assert_eq!(row(&index, "/b/y"), None);
}

#[test]
fn slashes_are_not_merged() {
    let index = table(&["/", "//a", "/double//slash", "/a/", "/a"]);
    assert_eq!(row(&index, "/"), Some(0));
    assert_eq!(row(&index, "//a"), Some(1));
    assert_eq!(row(&index, "/double//slash"), Some(2));
    assert_eq!(row(&index, "/a/"), Some(3));
    assert_eq!(row(&index, "/a"), Some(4));
    for path in ["//", "/double/slash", "/a//"] {
        assert_eq!(row(&index, path), None, "{path}");
    }
}

#[test]
fn only_a_regex_matches_a_target_without_a_path() {
    let index = table(&["/", "/{a}", "/{*rest}"]);
    for target in ["", "*", "a", "http://b/echo", "b:80"] {
        assert_eq!(row(&index, target), None, "{target}");
    }
    assert_eq!(row(&table(&["/a", r"~\*"]), "*"), Some(1));
    assert_eq!(row(&table(&[]), "/"), None);
    assert_eq!(row(&table(&[]), ""), None);
}

#[test]
fn an_escaped_slash_does_not_separate_segments() {
    let index = table(&["/group/{name}", "/a%2Fb", "/a/b"]);
    assert_eq!(find(&index, "/group/a%2Fb"), Some((0, vec!["a%2Fb"])));
    assert_eq!(find(&index, "/group/a%2fb"), Some((0, vec!["a%2fb"])));
    assert_eq!(row(&index, "/a%2Fb"), Some(1));
    assert_eq!(row(&index, "/a%2fb"), Some(1));
    assert_eq!(row(&index, "/a/b"), Some(2));
}

#[test]
fn equivalent_escapes_are_equal_and_arguments_are_ranges_of_the_path_as_received() {
    let index = table(&["/hello", "/caf\u{e9}/{x}", "/a b", "/v{x}.js/{y}", "~/r/([a-z]+)(%C3)?"]);
    assert_eq!(row(&index, "/%68ello"), Some(0));
    assert_eq!(find(&index, "/caf%c3%A9/%7e%2e"), Some((1, vec!["%7e%2e"])));
    assert_eq!(row(&index, "/a%20b"), Some(2));
    assert_eq!(find(&index, "/%76%31%2Ejs/%41b%c3"), Some((3, vec!["%31", "%41b%c3"])));
    assert_eq!(find(&index, "/r/%61b%63%c3"), Some((4, vec!["%61b%63", "%c3"])));
    // Reserved characters and their escapes differ.
    assert_eq!(row(&table(&["/a+b"]), "/a%2Bb"), None);
}

#[test]
fn text_does_not_begin_or_end_inside_an_escape() {
    let index = table(&["/{x}F", "/{x}2F/", "/{x}"]);
    assert_eq!(find(&index, "/a%2F"), Some((2, vec!["a%2F"])));
    assert_eq!(row(&index, "/a%2F/"), None);
    assert_eq!(find(&index, "/a%2FF"), Some((0, vec!["a%2F"])));
    assert_eq!(find(&index, "/50%2F/"), None);
    assert_eq!(find(&index, "/%F"), Some((0, vec!["%"])));
}

#[test]
fn paths_need_not_be_utf8() {
    let index = table(&["/a/{x}", "~/b/(.*)", "/{*rest}"]);
    let mut arguments = Arguments::new();
    assert_eq!(index.find_path(b"/a/\xff\xc3", &mut arguments), Some(0));
    assert_eq!(arguments.range(0), Some(3..5));
    assert_eq!(index.find_path(b"/b/\xff", &mut arguments), Some(1));
    assert_eq!(arguments.range(0), Some(3..4));
    assert_eq!(index.find_path(b"/\xe9", &mut arguments), Some(2));
    assert_eq!(arguments.range(0), Some(1..2));
    // Bytes that should have been escaped are equal to no literal.
    assert_eq!(row(&table(&["/caf\u{e9}"]), "/caf\u{e9}"), None);
}

#[test]
fn a_regex_matches_the_whole_path() {
    let index = table(&["~/a|/b/c", r"~/([0-9]{4})/(\w+)", "~/o/(a)?(b)?"]);
    assert_eq!(row(&index, "/a"), Some(0));
    assert_eq!(row(&index, "/b/c"), Some(0));
    assert_eq!(find(&index, "/2024/may"), Some((1, vec!["2024", "may"])));
    assert_eq!(find(&index, "/o/b"), Some((2, vec!["absent", "b"])));
    for path in ["/a/", "x/a", "/b", "/a/b/c", "/20245/may", "/2024/may/", "/2024/may\n"] {
        assert_eq!(row(&index, path), None, "{path}");
    }
}

#[test]
fn a_failed_regex_leaves_no_arguments() {
    let index = table(&["~/(a)/(b)/x", "~/(.*)/(.*)y", "/{p}/{q}/{r}"]);
    assert_eq!(find(&index, "/a/b/z"), Some((2, vec!["a", "b", "z"])));
    let mut arguments = Arguments::new();
    assert_eq!(index.find_path(b"/a/b/z", &mut arguments), Some(2));
    assert_eq!(index.find_path(b"/a/b", &mut arguments), None);
    assert_eq!(arguments.len(), 0);
}

#[test]
fn more_arguments_than_are_held_inline_are_found() {
    let text: String = (0..40).map(|at| format!("/{{a{at}}}")).collect();
    let index = table(&[&text, "/{x}"]);
    let path: String = (0..40).map(|at| format!("/{at}")).collect();
    let expected: Vec<_> = path.split('/').skip(1).collect();
    assert_eq!(find(&index, &path), Some((0, expected)));
    let mut arguments = Arguments::new();
    assert_eq!(index.find_path(path.as_bytes(), &mut arguments), Some(0));
    assert_eq!(index.find_path(b"/1", &mut arguments), Some(1));
    assert_eq!(arguments.iter().collect::<Vec<_>>(), [Some(1..2)]);
}

/// How many nodes of the trie are visited for `path`.
fn visits(index: &Index, path: &str) -> usize {
    let mut visits = 0;
    let bounds = index.slashes.split(path.as_bytes()).bounds;
    index.walk(ROOT, Rest { path: path.as_bytes(), bounds }, NONE, &mut || visits += 1);
    visits
}

/// A table of `count` rows of all kinds but regexes, like that of a real application.
fn many_rows(count: usize) -> Index {
    let row = |at: usize| match at % 6 {
        0 => format!("/section{at}"),
        1 => format!("/section{at}/{{id}}"),
        2 => format!("/api/v1/thing{at}/{{id}}/edit"),
        3 => format!("/p{at}-{{id}}"),
        4 => format!("/files{at}/{{*path}}"),
        _ => format!("/{{user}}/thing{at}"),
    };
    let rows: Vec<_> = (0..count).map(row).collect();
    table(&rows.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn a_lookup_takes_as_many_steps_among_a_thousand_rows_as_among_ten() {
    let paths = [
        ("/section0", Some(0)),
        ("/section1/5", Some(1)),
        ("/api/v1/thing2/5/edit", Some(2)),
        ("/p3-5", Some(3)),
        ("/files4/a/b", Some(4)),
        ("/me/thing5", Some(5)),
        ("/nothing", None),
        ("/nothing/of/the/kind", None),
    ];
    let (few, many, more) = (many_rows(10), many_rows(1_000), many_rows(10_000));
    for (path, expected) in paths {
        for index in [&few, &many, &more] {
            assert_eq!(row(index, path), expected, "{path}");
        }
        assert_eq!(visits(&many, path), visits(&few, path), "{path}");
        assert_eq!(visits(&more, path), visits(&few, path), "{path}");
        assert!(visits(&many, path) <= 6, "{path}");
    }
}

#[test]
fn a_long_path_takes_no_more_steps_than_the_longest_pattern_has() {
    let index = table(&["/{a}/{b}/c", "/{a}/{*rest}", "/{a}/b/{c}/{d}"]);
    let path = "/".repeat(10_000);
    assert!(visits(&index, &path) <= 2);
    let path = "/b".repeat(10_000);
    assert_eq!(visits(&index, &path), visits(&index, "/b/b/b/b/b/b"));
    assert_eq!(find(&index, &path), Some((1, vec!["b", &path[3..]])));
}

#[test]
fn the_worst_table_makes_a_lookup_visit_each_node_once() {
    // Every combination of a literal and an argument in each of ten segments.
    let parts = |row: usize| {
        (0..10).map(move |at| match row >> at & 1 {
            0 => format!("/{{a{at}}}"),
            _ => "/a".to_owned(),
        })
    };
    let rows: Vec<String> = (0..1_024).map(|row| parts(row).collect()).rev().collect();
    let index = table(&rows.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(index.nodes.len(), 2_047 - 1, "the row without arguments is not in the trie");
    for path in ["/a".repeat(10), "/a".repeat(9) + "/b", "/a".repeat(9) + "/", "/a".repeat(11)] {
        assert!(visits(&index, &path) <= index.nodes.len(), "{path}");
    }
}

#[test]
fn patterns_may_branch_at_each_of_many_segments() {
    let row = |at: usize| format!("{}/{{x}}/b", "/a".repeat(at));
    let rows: Vec<_> = (0..200).map(row).rev().collect();
    let index = table(&rows.iter().map(String::as_str).collect::<Vec<_>>());
    let path = "/a".repeat(201) + "/b";
    assert_eq!(find(&index, &path), None);
    assert!(visits(&index, &path) <= index.nodes.len());
    assert_eq!(find(&index, "/a/a/a/b"), Some((197, vec!["a"])));
}

#[test]
fn a_row_that_cannot_win_is_not_followed() {
    let index = table(&["/a/{x}/c", "/{x}/b/c", "/{x}/{y}/c", "/{x}/{y}/{z}"]);
    // Root, `a`, `{x}`, `c`; then the other branch of the root begins with a later row.
    assert_eq!(visits(&index, "/a/b/c"), 4);
    assert_eq!(row(&index, "/a/b/c"), Some(0));
}
