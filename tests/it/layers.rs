//! Dependencies point one way: which module may use which.

use std::fs;
use std::path::Path;

/// The root of the repository.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// From the bottom up: a module may use those of its own row, of rows above it in this list,
/// and nothing below. (`log` stands at the bottom; `lib.rs` sees everything.)
const RUNTIME: &[&[&str]] = &[
    &["log", "panic_hook", "slab", "budget", "pulse"],
    &["executor", "reactor", "timer", "thread_pool"],
    &["task", "io_loop", "fd"],
    &["net", "signal", "periodic", "file"],
    &["process"],
    &["testing", "performance"],
];

const WEB: &[&[&str]] = &[
    &["http", "text", "content", "pool", "local_future", "shield", "drop_each"],
    &["http1", "routing", "chunk"],
    &["proxy"],
    &["error", "settings", "file"],
    &["urlencoded"],
    &["scoreboard"],
    &["connection"],
    &["body"],
    &["context"],
    &["answer"],
    &["endpoint", "respond"],
    &["handler", "function"],
    &["websocket"],
    &["route"],
    &["application"],
    &["metrics", "health"],
    &["control"],
    &["server"],
    &["testing", "fuzzing", "internals"],
];

#[test]
fn the_modules_of_the_runtime_depend_one_way() {
    check("runtime/src", RUNTIME);
}

#[test]
fn the_modules_of_the_framework_depend_one_way() {
    check("web/src", WEB);
}

#[test]
fn what_is_pure_does_no_io() {
    let websocket = ["web/src/websocket/codec", "web/src/websocket/handshake"];
    for module in ["web/src/http1", "web/src/routing", "web/src/proxy"].into_iter().chain(websocket)
    {
        for (file, text) in sources(Path::new(module)) {
            for word in ["squall_runtime", "TcpStream", "std::fs", "crate::connection"] {
                assert!(!text.contains(word), "{file} uses {word}");
            }
        }
    }
}

fn check(source: &str, layers: &[&[&str]]) {
    let layer = |module: &str| layers.iter().position(|layer| layer.contains(&module));
    for (file, text) in sources(Path::new(source)) {
        let module = file.trim_start_matches(source).trim_start_matches('/');
        let module = module.split(['/', '.']).next().unwrap();
        if module == "lib" {
            continue;
        }
        let own = layer(module).unwrap_or_else(|| panic!("{file} stands in no layer"));
        for used in used_modules(&text) {
            let Some(other) = layer(&used) else { continue };
            assert!(other <= own, "{file} uses {used}, which is above it");
        }
    }
}

/// The modules of the crate that stand behind a `crate::`, outside of tests and comments.
fn used_modules(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let mut used = Vec::new();
    for line in code {
        for rest in line.split("crate::").skip(1) {
            let name: String =
                rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if name.chars().next().is_some_and(char::is_lowercase) {
                used.push(name);
            }
        }
    }
    used
}

fn sources(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(ROOT).join(folder)];
    let file = folders[0].with_extension("rs");
    if file.exists() {
        found.push((
            folder.with_extension("rs").display().to_string(),
            fs::read_to_string(file).unwrap(),
        ));
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
