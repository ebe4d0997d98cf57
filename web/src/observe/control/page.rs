//! A [`Summary`] as a page of HTML.

use std::fmt::Write;
use std::time::Duration;

use squall_runtime::process::State;

use crate::observe::metrics::state_name;
use crate::scoreboard::histogram::Counts;
use crate::scoreboard::summary::{Summary, WorkerState};

use super::rates::Since;

/// The number of routes on the page.
const ROUTES: usize = 50;

const HEAD: &str = "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
<meta http-equiv=\"refresh\" content=\"2\"><title>Status</title><style>\
body{font:14px system-ui,sans-serif;margin:2em;color:#222;background:#fff}\
table{border-collapse:collapse;margin:1em 0}\
th,td{padding:.2em .8em;text-align:right;border-bottom:1px solid #ddd}\
th{color:#666;font-weight:normal}.t{text-align:left}.bad{color:#b00}\
@media(prefers-color-scheme:dark){body{color:#ddd;background:#111}th,td{border-color:#333}}\
</style></head><body>\n";

/// Renders the page that shows `summary`, with the rates `since` an earlier moment.
pub(super) fn show(summary: &Summary, since: Option<&Since<'_>>) -> String {
    let mut html = HEAD.to_owned();
    totals(&mut html, summary, since);
    workers(&mut html, &summary.workers);
    routes(&mut html, summary, since);
    html.push_str("</body></html>\n");
    html
}

fn totals(html: &mut String, summary: &Summary, since: Option<&Since<'_>>) {
    let all = summary.requests();
    let window = since.map_or_else(String::new, |since| {
        format!(" (in the last {:.1} s)", since.time.as_secs_f64())
    });
    let rate = rate(since.map(|since| since.of_all(all.count())));
    let ready = summary.count(State::Ready);
    let lost = match summary.totals.lost {
        0 => String::new(),
        lost => format!(", <span class=bad>{lost} lost with their worker</span>"),
    };
    // Writing to a string cannot fail.
    let _ = writeln!(
        html,
        "<h1>{} requests</h1><p>{rate} per second{window}, {} in flight, {} connections, {ready} workers \
         ready, {} received, {} sent{lost}; {}</p>",
        all.count(),
        summary.totals.in_flight,
        summary.totals.connections,
        bytes(summary.totals.received),
        bytes(summary.totals.sent),
        times(&all.times),
    );
    let sockets = &summary.totals.websockets;
    if sockets.opened > 0 {
        let _ = writeln!(
            html,
            "<p>{} WebSockets of {}, {} messages received, {} sent</p>",
            sockets.open, sockets.opened, sockets.messages_received, sockets.messages_sent,
        );
    }
    let topics = &summary.totals.topics;
    if topics.published > 0 || topics.subscriptions > 0 {
        let _ = writeln!(
            html,
            "<p>{} subscriptions to topics, {} messages published, {} delivered, {} waiting, \
             <span{}>{} lost</span></p>",
            topics.subscriptions,
            topics.published,
            topics.delivered,
            topics.queued,
            bad(topics.lost),
            topics.lost,
        );
    }
}

fn workers(html: &mut String, workers: &[WorkerState]) {
    html.push_str(
        "<table><tr><th>worker<th>pid<th class=t>state<th>up<th>restarts<th>memory<th>connections\
         <th>in flight<th>requests<th class=t>serving</tr>\n",
    );
    for worker in workers {
        let memory = worker.memory.map_or_else(String::new, bytes);
        let pid = worker.pid.map_or_else(String::new, |pid| pid.to_string());
        let serving = worker.serving.as_ref().map_or_else(String::new, |(name, millis)| {
            format!("{} {} ({millis} ms)", name.method, escape(&name.route))
        });
        let _ = writeln!(
            html,
            "<tr><td>{}<td>{pid}<td class=t>{}<td>{} s<td{}>{}<td>{memory}<td>{}<td>{}<td>{}\
             <td class=t>{serving}</tr>",
            worker.number,
            state_name(worker.state),
            worker.uptime_ms / 1000,
            bad(worker.restarts),
            worker.restarts,
            worker.connections,
            worker.in_flight,
            worker.requests,
        );
    }
    html.push_str("</table>\n");
}

/// The routes that take the most time come first.
fn routes(html: &mut String, summary: &Summary, since: Option<&Since<'_>>) {
    html.push_str(
        "<table><tr><th class=t>method<th class=t>route<th>requests<th>per second<th>4xx<th>5xx\
         <th>499<th>incomplete<th>mean<th>p50<th>p99<th>longest</tr>\n",
    );
    let mut routes: Vec<_> = summary.routes.iter().filter(|(_, all)| all.count() > 0).collect();
    routes.sort_by_key(|(_, all)| std::cmp::Reverse(all.times.sum_nanos));
    for (name, all) in routes.into_iter().take(ROUTES) {
        let recent = since.map(|since| since.of_route(name, all.count()));
        let [incomplete, _, _, _, client, server, disconnected] = all.classes;
        let quantile = |share| all.times.quantile(share);
        let longest = all.times.mean().and(Some(Duration::from_nanos(all.times.max_nanos)));
        let _ = writeln!(
            html,
            "<tr><td class=t>{}<td class=t>{}<td>{}<td>{}<td>{client}<td{}>{server}<td>{disconnected}\
             <td>{incomplete}<td>{}<td>{}<td>{}<td>{}</tr>",
            name.method,
            escape(if name.route.is_empty() { "(no route)" } else { &name.route }),
            all.count(),
            rate(recent),
            bad(server),
            time(all.times.mean()),
            time(quantile(0.5)),
            time(quantile(0.99)),
            time(longest),
        );
    }
    html.push_str("</table>\n");
}

fn rate(rate: Option<f64>) -> String {
    rate.map_or_else(|| "–".to_owned(), |rate| format!("{rate:.1}"))
}

fn times(times: &Counts) -> String {
    let quantile = |share| time(times.quantile(share));
    format!("half within {}, 99 % within {}", quantile(0.5), quantile(0.99))
}

fn time(duration: Option<Duration>) -> String {
    duration.map_or_else(|| "–".to_owned(), |duration| format!("{duration:.1?}"))
}

fn bytes(count: u64) -> String {
    match count {
        0..10_240 => format!("{count} B"),
        10_240..10_485_760 => format!("{} KiB", count >> 10),
        _ => format!("{} MiB", count >> 20),
    }
}

fn bad(count: u64) -> &'static str {
    if count > 0 { " class=bad" } else { "" }
}

/// Patterns come from the program, but may have any characters.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
