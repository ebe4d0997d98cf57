//! Dependencies point one way: the map in ARCHITECTURE says which module may use which.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The root of the repository.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

#[test]
fn the_modules_of_the_runtime_depend_one_way() {
    check("runtime/src");
}

#[test]
fn the_modules_of_the_framework_depend_one_way() {
    check("web/src");
}

#[test]
fn pure_modules_do_no_io() {
    let websocket = ["web/src/websocket/codec", "web/src/websocket/handshake"];
    let pure = ["web/src/http1", "web/src/routing", "web/src/proxy", "web/src/forms"];
    for module in pure.into_iter().chain(websocket) {
        for (file, text) in sources(Path::new(module)) {
            for word in ["squall_runtime", "TcpStream", "std::fs", "crate::connection"] {
                assert!(!text.contains(word), "{file} uses {word}");
            }
        }
    }
}

/// Checks every source file against the map: a module uses its own row and the rows above it.
fn check(source: &str) {
    let rows = rows(source);
    let row_of = |module: &str| rows.iter().position(|row| row.iter().any(|name| name == module));
    let mut found = BTreeSet::new();
    for (file, text) in sources(Path::new(source)) {
        let module = file.trim_start_matches(source).trim_start_matches('/');
        let module = module.split(['/', '.']).next().unwrap();
        if module == "lib" {
            continue;
        }
        let own = row_of(module).unwrap_or_else(|| panic!("{file}: the map has no `{module}`"));
        found.insert(module.to_owned());
        for used in used_modules(&text) {
            let Some(other) = row_of(&used) else { continue };
            assert!(other <= own, "{file} uses `{used}`, which is below it in the map");
        }
    }
    let mapped: BTreeSet<_> = rows.into_iter().flatten().collect();
    assert_eq!(mapped, found, "the map names exactly the modules of {source}");
}

/// The rows of the map in ARCHITECTURE for a source folder, from the bottom layer to the top.
///
/// A row is `  module, module   description`. Indented further, a line continues the description.
fn rows(source: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(Path::new(ROOT).join(".github/ARCHITECTURE.md")).unwrap();
    let block = text.split("```text\n").find(|block| block.starts_with(&format!("{source}\n")));
    let block = block.unwrap_or_else(|| panic!("ARCHITECTURE has no map of {source}"));
    let lines = block.lines().skip(1).take_while(|line| line.starts_with("  "));
    let rows = lines.filter(|line| !line.starts_with("   "));
    rows.map(|row| {
        let (modules, _) = row.trim_start().split_once("  ").unwrap_or((row.trim(), ""));
        modules.split(", ").map(str::to_owned).collect()
    })
    .collect()
}

/// The modules after each `crate::`, outside tests and comments.
fn used_modules(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let mut used = Vec::new();
    for line in code {
        for rest in line.split("crate::").skip(1) {
            let name: String =
                rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            // `lib.rs` re-exports it.
            let name = if name == "http" { "types".to_owned() } else { name };
            if name.chars().next().is_some_and(char::is_lowercase) {
                used.push(name);
            }
        }
    }
    used
}

/// The source files of a module or a folder, without tests: each path and its text.
fn sources(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(ROOT).join(folder)];
    let file = folders[0].with_extension("rs");
    if file.exists() {
        let name = folder.with_extension("rs").display().to_string();
        found.push((name, fs::read_to_string(file).unwrap()));
    }
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("tests.rs") {
                let name = path.strip_prefix(ROOT).unwrap().display().to_string();
                found.push((name, fs::read_to_string(path).unwrap()));
            }
        }
    }
    assert!(!found.is_empty(), "no sources in {}", folder.display());
    found
}

/// Folders in which files still depend on each other in a circle.
const CIRCLES: [&str; 10] = [
    "runtime/src/process",
    "runtime/src/process/supervisor",
    "runtime/src/reactor",
    "web/src",
    "web/src/context",
    "web/src/http1",
    "web/src/proxy",
    "web/src/routing",
    "web/src/scoreboard",
    "web/src/websocket/codec",
];

#[test]
fn the_files_of_a_folder_depend_one_way() {
    for source in ["runtime/src", "web/src"] {
        for (folder, uses) in uses_by_folder(source) {
            if let Some(circle) = circle(&uses) {
                let is_known = CIRCLES.contains(&folder.as_str());
                assert!(is_known, "{folder}: a circle of dependencies: {}", circle.join(", "));
            }
        }
    }
}

/// The imports between files of one folder.
///
/// A file with a folder of its own counts as one with all that is in it. A file may use the file
/// above its folder, and that file uses it.
fn uses_by_folder(source: &str) -> BTreeMap<String, Uses> {
    let files: BTreeMap<ModulePath, String> = sources(Path::new(source))
        .into_iter()
        .map(|(file, text)| (module_path(source, &file), text))
        .filter(|(path, _)| path.iter().all(|name| name != "tests"))
        .collect();
    let mut folders: BTreeMap<String, Uses> = BTreeMap::new();
    for (path, text) in &files {
        for mut used in used_paths(path, text) {
            while !files.contains_key(&used) && !used.is_empty() {
                used.pop();
            }
            let shared = path.iter().zip(&used).take_while(|(one, other)| one == other).count();
            if shared < path.len().min(used.len()) {
                let folder = [&[source.to_owned()], &path[..shared]].concat().join("/");
                let uses = folders.entry(folder).or_default();
                uses.entry(path[shared].clone()).or_default().insert(used[shared].clone());
            }
        }
    }
    folders
}

type ModulePath = Vec<String>;
type Uses = BTreeMap<String, BTreeSet<String>>;

fn module_path(source: &str, file: &str) -> ModulePath {
    let file = file.strip_prefix(source).unwrap().trim_start_matches('/');
    let path = file.trim_end_matches(".rs").split('/').map(str::to_owned);
    path.filter(|name| name != "lib").collect()
}

/// The absolute path of each item that a module names through `crate`, `self` or `super`.
fn used_paths(module: &[String], text: &str) -> Vec<ModulePath> {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let code: Vec<_> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    let mut used = Vec::new();
    for start in ["crate::", "self::", "super::"] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || "_:$".contains(c)) {
                continue;
            }
            used.extend(use_tree(&code[at..]).0.iter().map(|path| absolute(module, path)));
        }
    }
    used
}

fn absolute(module: &[String], path: &[String]) -> ModulePath {
    let mut base = if path[0] == "crate" { Vec::new() } else { module.to_vec() };
    for name in path {
        match name.as_str() {
            "crate" | "self" => {}
            "super" => drop(base.pop()),
            name => base.push(name.to_owned()),
        }
    }
    base
}

/// The paths of the tree at the front of `text` (`a::{b, c::d}`), and the rest of the text.
fn use_tree(text: &str) -> (Vec<ModulePath>, &str) {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        let mut paths = Vec::new();
        loop {
            rest = rest.trim_start_matches(|c: char| c == ',' || c.is_whitespace());
            if let Some(rest) = rest.strip_prefix('}') {
                return (paths, rest);
            }
            let (more, after) = use_tree(rest);
            paths.extend(more);
            rest = after;
        }
    }
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '*');
    let (name, rest) = text.split_at(end.unwrap_or(text.len()));
    let own = vec![vec![name.to_owned()]];
    match rest.strip_prefix("::") {
        Some(rest) if !rest.starts_with('<') => {
            let (paths, rest) = use_tree(rest);
            (paths.into_iter().map(|path| [vec![name.to_owned()], path].concat()).collect(), rest)
        }
        Some(_) => (own, rest),
        None => match rest.trim_start().strip_prefix("as ") {
            Some(alias) => {
                (own, alias.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_'))
            }
            None if name.is_empty() => (own, rest.get(1..).unwrap_or_default()),
            None => (own, rest),
        },
    }
}

/// Modules that use each other in a circle, if there are any.
fn circle(uses: &Uses) -> Option<Vec<&str>> {
    let mut modules = uses.keys().map(String::as_str);
    let first = modules.find(|module| reached(uses, module).contains(module))?;
    let circle = reached(uses, first).into_iter();
    Some(circle.filter(|other| reached(uses, other).contains(first)).collect())
}

/// The modules that `from` uses, directly or not.
fn reached<'a>(uses: &'a Uses, from: &str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&str> = vec![from];
    while let Some(next) = open.pop() {
        for used in uses.get(next).into_iter().flatten() {
            if reached.insert(used.as_str()) {
                open.push(used);
            }
        }
    }
    reached
}

#[test]
fn a_circle_is_found() {
    let uses = |pairs: &[(&str, &str)]| {
        let mut uses = Uses::new();
        for (one, other) in pairs {
            uses.entry((*one).to_owned()).or_default().insert((*other).to_owned());
        }
        uses
    };
    assert_eq!(circle(&uses(&[("a", "b"), ("b", "c"), ("a", "c")])), None);
    let uses = uses(&[("a", "b"), ("b", "c"), ("c", "b")]);
    assert_eq!(circle(&uses), Some(vec!["b", "c"]));
    let module = ["a".to_owned(), "b".to_owned()];
    let used =
        used_paths(&module, "use super::{c::{D, e}, f as g};\nuse crate::h;\nself::i::J::k()");
    let used: Vec<_> = used.iter().map(|path| path.join("::")).collect();
    assert_eq!(used, ["h", "a::b::i::J::k", "a::c::D", "a::c::e", "a::f"]);
}
