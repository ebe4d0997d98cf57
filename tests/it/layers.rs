//! Dependencies point one way: the map in ARCHITECTURE says which module may use which.

use std::collections::BTreeSet;
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
