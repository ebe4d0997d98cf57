//! All pages of a server, added up.

use std::collections::BTreeMap;
use std::fs;

use squall_runtime::IOLoop;
use squall_runtime::process::{SlotPage, State};

use super::histogram::Counts;
use super::own;
use super::reading::{Reading, RouteName, RouteReading, SeriesReading, Value, WebSockets};
use super::series::family;
use super::{CLASSES, Page};

/// A server at one moment: what its workers do, and what they have counted together, those that
/// have ended included.
#[derive(Clone, Debug)]
pub(crate) struct Summary {
    /// By number. A worker and the one that replaces it are both here while they both are.
    pub(crate) workers: Vec<Worker>,
    pub(crate) in_flight: u64,
    pub(crate) accepted: u64,
    pub(crate) connections: u64,
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) refused: u64,
    /// Requests that have ended with their worker.
    pub(crate) lost: u64,
    pub(crate) websockets: WebSockets,
    pub(crate) routes: BTreeMap<RouteName, Requests>,
    /// Those of a family stand together, in the order in which the first of each came.
    pub(crate) series: Vec<SeriesReading>,
}

/// One process, or a place where there is none.
#[derive(Clone, Debug)]
pub(crate) struct Worker {
    pub(crate) number: usize,
    pub(crate) state: State,
    pub(crate) pid: Option<u32>,
    pub(crate) generation: u64,
    pub(crate) uptime_ms: u64,
    /// How many processes of this page have ended other than they should.
    pub(crate) restarts: u64,
    /// Counted on this page, by the processes before this one as well.
    pub(crate) requests: u64,
    pub(crate) in_flight: u64,
    pub(crate) connections: u64,
    /// Resident memory, in bytes.
    pub(crate) memory: Option<u64>,
    /// For how long its loop has been in the turn it is in. `None`: it waits.
    pub(crate) busy_ms: Option<u64>,
    /// What its handler answers that runs right now, and since when.
    pub(crate) serving: Option<(RouteName, u64)>,
}

/// Requests that were counted together.
#[derive(Clone, Debug)]
pub(crate) struct Requests {
    pub(crate) classes: [u64; CLASSES],
    pub(crate) times: Counts,
}

impl Summary {
    /// Reads all pages.
    pub(crate) fn gather() -> Self {
        // What has ended in the task that asks is to be among it.
        IOLoop::lap();
        Self::of(own::pages())
    }

    fn of(pages: Vec<(SlotPage, Page)>) -> Self {
        let mut summary = Self::empty();
        let now = SlotPage::now();
        for (slot, page) in pages {
            let reading = page.read();
            // What tells of a state is over once its process has ended, also while the next one
            // has not begun to write.
            let is_alive = slot.pid().is_some() && reading.lost.is_of(slot.generation());
            summary.workers.push(Worker::of(slot, &reading, is_alive, now));
            summary.add(reading, is_alive);
        }
        summary.workers.sort_by_key(|worker| (worker.number, worker.generation));
        summary.forget_empty_pages();
        summary
    }

    pub(crate) fn empty() -> Self {
        Self {
            workers: Vec::new(),
            in_flight: 0,
            accepted: 0,
            connections: 0,
            received: 0,
            sent: 0,
            refused: 0,
            lost: 0,
            websockets: WebSockets::default(),
            routes: BTreeMap::new(),
            series: Vec::new(),
        }
    }

    fn add(&mut self, reading: Reading, is_alive: bool) {
        if is_alive {
            self.in_flight += reading.in_flight;
            self.connections += reading.connections;
            self.lost += reading.lost.count();
        } else {
            self.lost += reading.lost.count() + reading.in_flight;
        }
        self.accepted += reading.accepted;
        self.received += reading.received;
        self.sent += reading.sent;
        self.refused += reading.refused;
        self.websockets.add(&reading.websockets, is_alive);
        for RouteReading { name, classes, times } in reading.routes {
            self.routes.entry(name).or_insert_with(Requests::none).add(&classes, &times);
        }
        for series in reading.series {
            self.add_series(series, is_alive);
        }
    }

    fn add_series(&mut self, mut new: SeriesReading, is_alive: bool) {
        if let Value::Gauge(value) = &mut new.value
            && !is_alive
        {
            *value = 0.0;
        }
        if let Some(sum) = self.series.iter_mut().find(|sum| sum.name == new.name) {
            return sum.value.add(&new.value);
        }
        let is_relative = |other: &SeriesReading| family(&other.name) == family(&new.name);
        let after = self.series.iter().rposition(is_relative).map(|last| last + 1);
        self.series.insert(after.unwrap_or(self.series.len()), new);
    }

    /// A slot has two pages. One without a process says nothing where the other has one.
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

    /// All requests together.
    pub(crate) fn requests(&self) -> Requests {
        let mut all = Requests::none();
        self.routes.values().for_each(|requests| all.add(&requests.classes, &requests.times));
        all
    }

    /// How many workers are in this state.
    pub(crate) fn count(&self, state: State) -> usize {
        self.workers.iter().filter(|worker| worker.state == state).count()
    }
}

impl Worker {
    fn of(slot: SlotPage, reading: &Reading, is_alive: bool, now: u64) -> Self {
        let pid = slot.pid();
        let alive = |count| if is_alive { count } else { 0 };
        let serving = reading.serving.filter(|_| is_alive).and_then(|served| {
            let route = reading.routes.get(usize::from(served.row()))?;
            Some((route.name.clone(), now.saturating_sub(served.since_ms())))
        });
        Self {
            number: slot.slot(),
            state: slot.state(),
            pid,
            generation: slot.generation(),
            uptime_ms: pid.map_or(0, |_| now.saturating_sub(slot.started())),
            restarts: slot.restarts(),
            requests: reading.routes.iter().map(RouteReading::count).sum(),
            in_flight: alive(reading.in_flight),
            connections: alive(reading.connections),
            memory: pid.and_then(resident_memory),
            busy_ms: pid.and(slot.turn()).map(|turn| now.saturating_sub(turn)),
            serving,
        }
    }
}

impl Requests {
    fn none() -> Self {
        Self { classes: [0; CLASSES], times: Counts::new() }
    }

    fn add(&mut self, classes: &[u64; CLASSES], times: &Counts) {
        self.classes.iter_mut().zip(classes).for_each(|(sum, count)| *sum += count);
        self.times.add(times);
    }

    pub(crate) fn count(&self) -> u64 {
        self.classes.iter().sum()
    }
}

impl Value {
    /// Two of one name that are of different kinds are none that this process has registered.
    fn add(&mut self, other: &Self) {
        match (self, other) {
            (Self::Counter(sum), Self::Counter(count)) => *sum = sum.wrapping_add(*count),
            // Who has nothing to tell is left out.
            (Self::Gauge(sum), Self::Gauge(value)) if sum.is_nan() => *sum = *value,
            (Self::Gauge(_), Self::Gauge(value)) if value.is_nan() => {}
            (Self::Gauge(sum), Self::Gauge(value)) => *sum += value,
            (Self::Histogram(sum), Self::Histogram(counts)) => sum.add(counts),
            _ => {}
        }
    }
}

/// The memory of a process that is not swapped out, in bytes, where the system tells.
fn resident_memory(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
