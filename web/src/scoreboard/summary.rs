//! All pages of a server, added up.

use std::collections::BTreeMap;
use std::fs;

use squall_runtime::IOLoop;
use squall_runtime::process::{SlotPage, State};

use super::Page;
use super::page_of_thread::pages;
use super::reading::{Reading, Requests, RouteName, SeriesReading, Totals, Value};
use super::series::family;

/// A server at one moment: the state of its workers, and the counts of all of them, including those
/// that have ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct Summary {
    /// In the order of their numbers. During a replacement, the old and the new worker have the
    /// same number.
    pub(crate) workers: Vec<WorkerState>,
    pub(crate) totals: Totals,
    pub(crate) routes: BTreeMap<RouteName, Requests>,
    /// The series of a family are next to each other. The families are in the order of their
    /// registration.
    pub(crate) series: Vec<SeriesReading>,
}

/// A worker process, or a slot without one.
#[derive(Clone, Debug)]
pub(crate) struct WorkerState {
    pub(crate) number: usize,
    pub(crate) state: State,
    pub(crate) pid: Option<u32>,
    pub(crate) generation: u64,
    pub(crate) uptime_ms: u64,
    /// How many processes of this slot have ended unexpectedly.
    pub(crate) restarts: u64,
    /// The requests of all processes that have used this page.
    pub(crate) requests: u64,
    pub(crate) in_flight: u64,
    pub(crate) connections: u64,
    /// Resident memory, in bytes.
    pub(crate) memory: Option<u64>,
    /// The duration of the current turn of its loop. `None` while the loop waits.
    pub(crate) busy_ms: Option<u64>,
    /// The request whose handler is running, and since when.
    pub(crate) serving: Option<(RouteName, u64)>,
}

impl Summary {
    /// Reads all pages.
    pub(crate) fn gather() -> Self {
        // Counts the requests that have ended in the calling task.
        IOLoop::lap();
        Self::of(pages())
    }

    fn of(pages: Vec<(SlotPage, Page)>) -> Self {
        let mut summary = Self::default();
        let now = SlotPage::now();
        for (slot, page) in pages {
            let mut reading = page.read();
            // A state ends with its process, even before the next process has taken over the page.
            let is_alive = slot.pid().is_some() && reading.lost.is_of(slot.generation());
            if !is_alive {
                reading.end_process();
            }
            summary.workers.push(WorkerState::of(slot, &reading, now));
            summary.add(reading);
        }
        summary.workers.sort_by_key(|worker| (worker.number, worker.generation));
        summary.forget_empty_pages();
        summary
    }

    fn add(&mut self, reading: Reading) {
        self.totals.add(&reading.totals);
        for (name, requests) in reading.routes {
            self.routes.entry(name).or_insert_with(Requests::none).add(&requests);
        }
        for series in reading.series {
            self.add_series(series);
        }
    }

    fn add_series(&mut self, new: SeriesReading) {
        if let Some(sum) = self.series.iter_mut().find(|sum| sum.name == new.name) {
            return sum.value.add(&new.value);
        }
        let is_relative = |other: &SeriesReading| family(&other.name) == family(&new.name);
        let after = self.series.iter().rposition(is_relative).map(|last| last + 1);
        self.series.insert(after.unwrap_or(self.series.len()), new);
    }

    /// Removes the page without a process from each slot whose other page has one.
    fn forget_empty_pages(&mut self) {
        let restarts = self.workers.iter().map(|worker| (worker.number, worker.restarts));
        let mut of_slot = BTreeMap::new();
        restarts.for_each(|(number, count)| *of_slot.entry(number).or_insert(0) += count);
        let workers = std::mem::take(&mut self.workers);
        for mut worker in workers {
            worker.restarts = of_slot[&worker.number];
            let before = self.workers.pop_if(|before| {
                before.number == worker.number && (before.pid.is_none() || worker.pid.is_none())
            });
            self.workers.push(match before {
                Some(before) if before.pid.is_some() => before,
                _ => worker,
            });
        }
    }

    /// Returns the requests of all routes together.
    pub(crate) fn requests(&self) -> Requests {
        let mut all = Requests::none();
        self.routes.values().for_each(|requests| all.add(requests));
        all
    }

    /// Returns how many workers are in `state`.
    pub(crate) fn count(&self, state: State) -> usize {
        self.workers.iter().filter(|worker| worker.state == state).count()
    }
}

impl Reading {
    /// Ends everything that describes a state, because the process has ended. Its requests in
    /// flight are lost.
    fn end_process(&mut self) {
        self.serving = None;
        self.totals.lost += std::mem::take(&mut self.totals.in_flight);
        self.totals.connections = 0;
        self.totals.websockets.open = 0;
        self.totals.topics.end_process();
        for series in &mut self.series {
            if let Value::Gauge(value) = &mut series.value {
                *value = 0.0;
            }
        }
    }
}

impl WorkerState {
    fn of(slot: SlotPage, reading: &Reading, now: u64) -> Self {
        let pid = slot.pid();
        let serving = reading.serving.and_then(|request| {
            let (name, _) = reading.routes.get(usize::from(request.series()))?;
            Some((name.clone(), now.saturating_sub(request.since_ms())))
        });
        Self {
            number: slot.slot(),
            state: slot.state(),
            pid,
            generation: slot.generation(),
            uptime_ms: pid.map_or(0, |_| now.saturating_sub(slot.started())),
            restarts: slot.restarts(),
            requests: reading.routes.iter().map(|(_, requests)| requests.count()).sum(),
            in_flight: reading.totals.in_flight,
            connections: reading.totals.connections,
            memory: pid.and_then(resident_memory),
            busy_ms: pid.and(slot.turn()).map(|turn| now.saturating_sub(turn)),
            serving,
        }
    }
}

impl Value {
    /// Adds `other`, unless it is of another kind. Only a broken worker writes such a value.
    fn add(&mut self, other: &Self) {
        match (self, other) {
            (Self::Counter(sum), Self::Counter(count)) => *sum = sum.wrapping_add(*count),
            // NaN is left out of the sum.
            (Self::Gauge(sum), Self::Gauge(value)) if sum.is_nan() => *sum = *value,
            (Self::Gauge(_), Self::Gauge(value)) if value.is_nan() => {}
            (Self::Gauge(sum), Self::Gauge(value)) => *sum += value,
            (Self::Histogram(sum), Self::Histogram(counts)) => sum.add(counts),
            _ => {}
        }
    }
}

/// Returns the resident memory of a process in bytes, where the system supports it.
fn resident_memory(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
