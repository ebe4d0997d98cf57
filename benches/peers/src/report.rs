//! The tables.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use crate::picture;
use crate::results::{Results, Run};
use crate::scenarios::{ALL, Scenario};
use crate::servers;
use crate::statistics::Median;

/// Between these lines of the README stands what is written here.
const BEGIN: &str = "<!-- Written by benches/peers: begin -->\n";
const END: &str = "<!-- Written by benches/peers: end -->\n";

/// Writes the tables and the picture to where they are shown.
pub(crate) fn publish(results: &Results, here: &Path) -> io::Result<()> {
    let folder = here.join("results");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("RESULTS.md"), full(results))?;
    fs::write(folder.join("cpu.svg"), picture::draw(results))?;
    let path = here.join("../../README.md");
    let readme = fs::read_to_string(&path)?;
    let parts = readme
        .split_once(BEGIN)
        .and_then(|(before, rest)| rest.split_once(END).map(|(_, after)| (before, after)));
    let Some((before, after)) = parts else {
        return Err(io::Error::other("the README has no place for the figures"));
    };
    fs::write(path, format!("{before}{BEGIN}{}{END}{after}", summary(results)))
}

/// For the README.
fn summary(results: &Results) -> String {
    let mut text = String::from(
        "![CPU time per request, beside that of other servers](benches/peers/results/cpu.svg)\n\n",
    );
    text += &ratios(results);
    text += "\n";
    text += &servers_table(results);
    text += "\n";
    text += &how(results);
    text
}

/// Everything.
pub(crate) fn full(results: &Results) -> String {
    let mut text = String::from("# Squall beside its peers\n\n");
    text += "Written by `cargo run --release -- --publish` in `benches/peers`.\n\n";
    text += &how(results);
    let _ = write!(text, "\n## CPU time per request\n\n{}", ratios(results));
    let _ = write!(text, "\n## Each server\n\n{}", servers_table(results));
    for scenario in &ALL {
        if results.runs.contains_key(scenario.name) {
            let _ = write!(text, "\n## {}\n\n{}", scenario.title, details(results, scenario));
        }
    }
    text
}

fn how(results: &Results) -> String {
    format!(
        "{}, {}. One worker each; client and server take turns on one processor. CPU time is that \
         of all threads of the server, in user space and in the kernel. Medians of {} rounds of \
         {} s, interleaved; in brackets where the median lies with 95 % probability. `bare` is a \
         loop on epoll that parses nothing and has its answers ready; `threads` blocks, with a \
         thread for each connection. `axum`, `actix-web` and `may_minihttp` have mimalloc, the others \
         the allocator of the system. A multiple is the median of those of the rounds, which is \
         not that of the medians of the times. Memory is that of user space, for each of 10,000 \
         connections that do nothing.\n",
        results.date,
        results.machine,
        results.round_count(),
        results.seconds,
    )
}

/// Scenarios by servers: the multiple of `bare`.
fn ratios(results: &Results) -> String {
    let servers: Vec<_> = shown(results).into_iter().filter(|&name| name != "bare").collect();
    let mut text = String::from("| CPU time, as a multiple of that of `bare` | bare |");
    for name in &servers {
        let _ = write!(text, " {name} |");
    }
    text += "\n|---|---:|";
    text += &"---:|".repeat(servers.len());
    text += "\n";
    for scenario in ALL.iter().filter(|scenario| results.runs.contains_key(scenario.name)) {
        let bare = median(&results.rounds(scenario.name, "bare"), |run| run.cpu_us);
        let bare = bare.map_or("–".to_owned(), |bare| format!("{} µs", figure(bare.value)));
        let _ = write!(text, "| {} | {bare} |", scenario.title);
        for &server in &servers {
            let cell = match Median::of(&results.ratios(scenario.name, server)) {
                None => "–".to_owned(),
                Some(ratio) if server == "Squall" => format!(
                    "**{}** ({}–{})",
                    figure(ratio.value),
                    figure(ratio.low),
                    figure(ratio.high)
                ),
                Some(ratio) => figure(ratio.value),
            };
            let _ = write!(text, " {cell} |");
        }
        text += "\n";
    }
    text
}

fn servers_table(results: &Results) -> String {
    let mut text = String::from(
        "| | version | plaintext, 64 connections: CPU | requests/s | p50 | p99 | an idle connection |\n\
         |---|---|---:|---:|---:|---:|---:|\n",
    );
    for server in shown(results) {
        let rounds = results.rounds("plaintext", server);
        let cell = |value: Option<Median>, unit| match value {
            Some(median) => format!("{} {unit}", figure(median.value)),
            None => "–".to_owned(),
        };
        let rate = median(&rounds, |run| run.requests_per_second);
        let rate = rate.map_or("–".to_owned(), |rate| thousands(rate.value));
        let memory: Vec<f64> =
            results.rounds("idle", server).iter().filter_map(|run| run.memory).collect();
        let memory = Median::of(&memory);
        let _ = writeln!(
            text,
            "| {server} | {} | {} | {rate} | {} | {} | {} |",
            results.versions.get(server).map_or("", String::as_str),
            cell(median(&rounds, |run| run.cpu_us), "µs"),
            cell(median(&rounds, |run| run.p50_us), "µs"),
            cell(median(&rounds, |run| run.p99_us), "µs"),
            memory.map_or("–".to_owned(), |memory| format!("{} B", thousands(memory.value))),
        );
    }
    text
}

fn details(results: &Results, scenario: &Scenario) -> String {
    let mut text = String::from(
        "| | CPU µs per request | ratio to bare | requests/s | p50 µs | p99 µs |\n\
         |---|---:|---:|---:|---:|---:|\n",
    );
    let spread = |median: Option<Median>| match median {
        None => "–".to_owned(),
        Some(Median { value, low, high }) => {
            format!("{} ({}–{})", figure(value), figure(low), figure(high))
        }
    };
    for server in shown(results) {
        let rounds = results.rounds(scenario.name, server);
        let Some(rate) = median(&rounds, |run| run.requests_per_second) else { continue };
        let _ = writeln!(
            text,
            "| {server} | {} | {} | {} | {} | {} |",
            spread(median(&rounds, |run| run.cpu_us)),
            spread(Median::of(&results.ratios(scenario.name, server))),
            thousands(rate.value),
            median(&rounds, |run| run.p50_us).map_or(String::new(), |m| figure(m.value)),
            median(&rounds, |run| run.p99_us).map_or(String::new(), |m| figure(m.value)),
        );
    }
    text
}

/// The names of the servers that were measured, in the order of the tables.
fn shown(results: &Results) -> Vec<&'static str> {
    let names = servers::all().map(|server| server.name);
    names.into_iter().filter(|&name| results.versions.contains_key(name)).collect()
}

fn median(rounds: &[Run], of: impl Fn(&Run) -> f64) -> Option<Median> {
    Median::of(&rounds.iter().map(of).collect::<Vec<_>>())
}

/// With three digits or so.
pub(crate) fn figure(value: f64) -> String {
    match value {
        100.0.. => thousands(value),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// Without a fraction, but with commas.
fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        let figures = [0.239, 1.146, 12.34, 155.4, 77_638.0, 1_234_567.0].map(figure);
        assert_eq!(figures, ["0.24", "1.15", "12.3", "155", "77,638", "1,234,567"]);
    }
}
