//! Checks what rustc prints for a user's mistake: the messages are part of the interface.
//!
//! Each file of `tests/messages` is a program with one mistake, and says in its first lines
//! what rustc must say of it:
//!
//! ```text
//! //~ ERROR 14: a part of the headline
//! //~ NOTE: a part of a label, a note or a help below it
//! ```
//!
//! The number is that of the line; a `WARNING` is written in the same way. Nothing else is
//! compared, so another rustc may draw its messages differently. No other error may occur, and a
//! program that expects nothing must compile without a warning.
//!
//! `cargo test --test messages -- --nocapture` shows the headlines of all of them.

use std::collections::BTreeSet;
use std::env;
use std::fmt::{self, Write as _};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use serde_json::Value;

/// The root of the repository.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

#[test]
fn compiler_messages_name_the_mistake() {
    let framework = Framework::find();
    let cases = Mutex::new(cases().into_iter());
    let told = Mutex::new(Vec::new());
    let work = || {
        while let Some(case) = next(&cases) {
            let messages = framework.compile(&case);
            told.lock().unwrap().push((case, messages));
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(work);
        }
    });
    let mut told = told.into_inner().unwrap();
    told.sort_by(|(one, _), (other, _)| one.cmp(other));
    assert!(told.len() > 20, "the cases are gone");

    let mut faults = String::new();
    for (case, messages) in &told {
        for message in messages {
            println!("{}: {message}", case.display());
        }
        let expected = expectations(&fs::read_to_string(Path::new(ROOT).join(case)).unwrap());
        if let Err(fault) = compare(&expected, messages) {
            write!(faults, "\n== {}: {fault}", case.display()).unwrap();
        }
    }
    assert!(faults.is_empty(), "{faults}");
}

fn next(cases: &Mutex<impl Iterator<Item = PathBuf>>) -> Option<PathBuf> {
    cases.lock().unwrap().next()
}

fn cases() -> Vec<PathBuf> {
    let files = fs::read_dir(Path::new(ROOT).join("tests/messages")).unwrap();
    let files = files.map(|file| Path::new("tests/messages").join(file.unwrap().file_name()));
    files.filter(|file| file.extension().is_some_and(|extension| extension == "rs")).collect()
}

/// The compiled framework, which the cases are compiled against.
struct Framework {
    library: PathBuf,
    /// Where it and all that it depends on lie.
    folders: BTreeSet<PathBuf>,
    output: PathBuf,
}

impl Framework {
    /// Asks cargo where it has put the framework. It was built for this very test, so that
    /// there is nothing to be done but to ask.
    fn find() -> Self {
        let output = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--package", "squall", "--offline", "--message-format", "json"]);
        cargo.arg("--target-dir").arg(output.parent().unwrap());
        cargo.current_dir(ROOT);
        if !cfg!(debug_assertions) {
            cargo.arg("--release");
        }
        // The variables that cargo sets for this test would make some build scripts run again.
        for (name, _) in env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_")) {
                cargo.env_remove(name);
            }
        }
        let built = cargo.output().expect("cargo can be run");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let (mut library, mut folders) = (None, BTreeSet::new());
        for artifact in json_lines(&built.stdout) {
            for file in artifact["filenames"].as_array().into_iter().flatten() {
                let file = PathBuf::from(file.as_str().unwrap());
                folders.extend(file.parent().map(Path::to_owned));
                if artifact["target"]["name"] == "squall" && file.extension().unwrap() == "rmeta" {
                    library = Some(file);
                }
            }
        }
        let library = library.expect("cargo names the metadata of what it builds");
        Self { library, folders, output: output.join("messages") }
    }

    /// The messages of rustc for `case`.
    fn compile(&self, case: &Path) -> Vec<Message> {
        let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        rustc.args(["--edition", "2024", "--crate-type", "bin", "--error-format", "json"]);
        rustc.args(["--emit", "metadata", "--out-dir"]).arg(&self.output);
        rustc.arg("--extern").arg(format!("squall={}", self.library.display()));
        for folder in &self.folders {
            rustc.arg("-L").arg(format!("dependency={}", folder.display()));
        }
        let done = rustc.arg(case).current_dir(ROOT).output();
        let done = done.expect("rustc can be run");
        let messages: Vec<_> = json_lines(&done.stderr).filter_map(Message::read).collect();
        let is_told = done.status.success() || messages.iter().any(|message| message.is_error);
        assert!(is_told, "{}: {}", case.display(), String::from_utf8_lossy(&done.stderr));
        messages
    }
}

fn json_lines(text: &[u8]) -> impl Iterator<Item = Value> {
    text.split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok())
}

/// The messages of rustc at one place.
struct Message {
    is_error: bool,
    line: u64,
    headline: String,
    /// All of it, as a user sees it.
    rendered: String,
}

impl Message {
    /// `None` for what has no place, the sum at the end for example.
    fn read(message: Value) -> Option<Self> {
        let spans = message["spans"].as_array()?;
        let primary = spans.iter().find(|span| span["is_primary"] == true)?;
        Some(Self {
            is_error: message["level"] == "error",
            // A message that points into the library is not for its users.
            line: if primary["file_name"].as_str()?.starts_with("tests/messages") {
                primary["line_start"].as_u64()?
            } else {
                0
            },
            headline: message["message"].as_str()?.to_owned(),
            rendered: message["rendered"].as_str()?.to_owned(),
        })
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = if self.is_error { "ERROR" } else { "WARNING" };
        write!(f, "{level} {}: {}", self.line, self.headline)
    }
}

/// The messages that a case expects from rustc.
struct Expectation {
    /// `ERROR 14: ` and a part of the headline.
    text: String,
    notes: Vec<String>,
}

impl Expectation {
    fn is_met(&self, message: &Message) -> bool {
        let Some((place, headline)) = self.text.split_once(": ") else { return false };
        let told = message.to_string();
        told.split_once(": ").is_some_and(|(at, whole)| at == place && whole.contains(headline))
            && self.notes.iter().all(|note| message.rendered.contains(note))
    }
}

fn expectations(case: &str) -> Vec<Expectation> {
    let mut expected: Vec<Expectation> = Vec::new();
    for line in case.lines().filter_map(|line| line.strip_prefix("//~ ")) {
        match line.strip_prefix("NOTE: ") {
            Some(note) => expected.last_mut().expect("a headline").notes.push(note.to_owned()),
            None => expected.push(Expectation { text: line.to_owned(), notes: Vec::new() }),
        }
    }
    expected
}

/// Every expectation must be met by a message, and every error be expected; where nothing is
/// expected, there may be no warning either.
fn compare(expected: &[Expectation], messages: &[Message]) -> Result<(), String> {
    let mut fault = String::new();
    for expectation in expected {
        if !messages.iter().any(|message| expectation.is_met(message)) {
            let Expectation { text, notes } = expectation;
            write!(fault, "\nrustc should say\n    {text}\n").unwrap();
            notes.iter().for_each(|note| writeln!(fault, "        {note}").unwrap());
        }
    }
    for message in messages.iter().filter(|message| message.is_error || expected.is_empty()) {
        if !expected.iter().any(|expectation| expectation.is_met(message)) {
            write!(fault, "\nrustc should not say\n    {message}\n").unwrap();
        }
    }
    if fault.is_empty() {
        return Ok(());
    }
    write!(fault, "\nrustc says").unwrap();
    messages.iter().for_each(|message| write!(fault, "\n{}", message.rendered).unwrap());
    Err(fault)
}

#[test]
fn a_message_that_is_not_as_expected_is_noticed() {
    let case = "//~ ERROR 3: not a response\n//~ NOTE: return text\n//~ WARNING 1: unused\n";
    let told = |is_error, line, headline: &str, note: &str| Message {
        is_error,
        line,
        headline: headline.to_owned(),
        rendered: format!("{headline}: {note}"),
    };
    let error = || told(true, 3, "`u64` is not a response", "return text, or bytes");
    let warning = || told(false, 1, "unused import", "");
    let agree = |case, messages: &[Message]| compare(&expectations(case), messages).is_ok();

    assert!(agree(case, &[warning(), error()]));
    assert!(!agree(case, &[error()]), "a message is missing");
    assert!(!agree(case, &[told(true, 1, "unused import", ""), error()]), "another level");
    assert!(!agree(case, &[warning(), Message { line: 4, ..error() }]), "another line");
    assert!(!agree(case, &[warning(), Message { headline: "no".into(), ..error() }]));
    assert!(!agree(case, &[warning(), told(true, 3, "`u64` is not a response", "")]), "no note");
    assert!(!agree(case, &[warning(), error(), told(true, 3, "more", "")]), "one more error");
    assert!(agree(case, &[warning(), error(), told(false, 3, "more", "")]), "one more warning");
    assert!(!agree("fn main() {}", &[warning()]), "a warning where nothing is expected");
}
