//! The picture: bars of CPU time per request, in panels that have a scale of their own.

use std::fmt::Write as _;

use crate::report::figure;
use crate::results::Results;
use crate::scenarios::ALL;
use crate::servers;
use crate::statistics::Median;

/// The scenarios that are shown.
const PANELS: [&str; 6] = ["alone", "plaintext", "pipelined", "json", "arguments", "connections"];

/// Bars that are so many times as long as the floor's are cut, and say how long they would be.
const LONGEST: f64 = 4.0;

const COLUMNS: usize = 2;
const PANEL: f64 = 440.0;
const NAMES: f64 = 104.0;
const FIGURES: f64 = 76.0;
const BAR: f64 = 20.0;
const HEAD: f64 = 40.0;

/// Readable on white and on black.
const STYLE: &str = "text{font:13px system-ui,sans-serif;fill:#808080}\
    .title{font-weight:600}.bar{fill:#9aa5b1}.floor{fill:#c9ced6}.ours{fill:#e4572e}\
    .spread{stroke:#555;stroke-width:1.5}";

/// An SVG document.
pub(crate) fn draw(results: &Results) -> String {
    let names = servers::all().map(|server| server.name);
    let panels: Vec<_> = PANELS.iter().filter(|name| results.runs.contains_key(**name)).collect();
    let height = HEAD + BAR * names.len() as f64;
    let rows = panels.len().div_ceil(COLUMNS) as f64;
    let (width, total) = (PANEL * COLUMNS as f64, height * rows + BAR);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {total}\" \
         role=\"img\" aria-label=\"CPU time per request\">\n<style>{STYLE}</style>\n"
    );
    for (number, scenario) in panels.into_iter().enumerate() {
        let (column, row) = (number % COLUMNS, number / COLUMNS);
        let (x, y) = (column as f64 * PANEL, row as f64 * height);
        let _ = writeln!(svg, "<g transform=\"translate({x} {y})\">");
        panel(&mut svg, results, scenario, &names);
        svg += "</g>\n";
    }
    let _ = writeln!(
        svg,
        "<text x=\"0\" y=\"{}\">Microseconds of CPU time per request, median and its 95 % interval; \
         {} rounds, {}. Less is better. A bar with » would go on.</text>\n</svg>",
        total - 5.0,
        results.round_count(),
        results.date,
    );
    svg
}

fn panel(svg: &mut String, results: &Results, scenario: &str, names: &[&str]) {
    let title = ALL.iter().find(|known| known.name == scenario).map_or(scenario, |s| s.title);
    let _ = writeln!(svg, "<text class=\"title\" x=\"0\" y=\"24\">{title}</text>");
    let time = |name: &str| {
        let times: Vec<f64> = results.rounds(scenario, name).iter().map(|run| run.cpu_us).collect();
        Median::of(&times)
    };
    let all: Vec<_> = names.iter().filter_map(|&name| Some((name, time(name)?))).collect();
    let floor = all.first().map_or(0.0, |(_, floor)| floor.value);
    let longest = all.iter().map(|(_, time)| time.value).fold(0.0, f64::max);
    let longest = longest.min(floor * LONGEST);
    let scale = (PANEL - NAMES - FIGURES) / longest;
    for (place, (name, time)) in (0_u8..).zip(all) {
        let y = HEAD - 4.0 + BAR * f64::from(place);
        let class = match name {
            "Squall" => "ours",
            "bare" => "floor",
            _ => "bar",
        };
        let [length, low, high] = [time.value, time.low, time.high].map(|t| t.min(longest) * scale);
        let middle = y + BAR / 2.0 - 2.0;
        let mark = if time.value > longest { " »" } else { "" };
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{name}</text>\
             <rect class=\"{class}\" x=\"{NAMES}\" y=\"{y}\" width=\"{length:.1}\" height=\"{}\"/>",
            NAMES - 6.0,
            middle + 4.5,
            BAR - 4.0,
        );
        if high > low {
            let _ = writeln!(
                svg,
                "<line class=\"spread\" x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{middle}\" y2=\"{middle}\"/>",
                NAMES + low,
                NAMES + high,
            );
        }
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{}\">{}{mark}</text>",
            NAMES + length.max(high) + 6.0,
            middle + 4.5,
            figure(time.value),
        );
    }
}
