//! The wheel by itself, and compared with a map.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::clock;
use super::*;

/// Returns all timers that are due at `now`, in the order of their expiry.
fn expired(wheel: &mut Wheel, now: u64) -> Vec<u32> {
    std::iter::from_fn(|| wheel.expire(now)).collect()
}

fn armed(wheel: &mut Wheel, due: u64) -> u32 {
    let timer = wheel.insert();
    wheel.arm(timer, due);
    timer
}

impl Wheel {
    /// Makes a timer due at a tick, without advancing the wheel.
    fn arm(&mut self, index: u32, due: u64) {
        self.arm_at(index, due, 0);
    }

    /// Makes a timer due at a tick. `now` is the present tick.
    fn arm_at(&mut self, index: u32, due: u64, now: u64) {
        if !self.set(index, clock::begin(due)) {
            self.move_earlier(index, now);
        }
    }
}

#[test]
fn a_timer_expires_at_its_tick_and_not_before() {
    for due in [1, 63, 64, 65, 4095, 4096, 262_144, 1 << 36, END] {
        let mut wheel = Wheel::new();
        let timer = armed(&mut wheel, due);
        assert_eq!(expired(&mut wheel, due - 1), [], "before {due}");
        assert_eq!(expired(&mut wheel, due), [timer], "at {due}");
        assert_eq!(expired(&mut wheel, due), [], "once");
    }
}

#[test]
fn a_timer_beyond_the_end_of_the_wheel_never_expires() {
    let mut wheel = Wheel::new();
    armed(&mut wheel, END + 1);
    armed(&mut wheel, u64::MAX);
    assert_eq!(wheel.next(), NEVER);
    assert_eq!(expired(&mut wheel, END), []);
}

#[test]
fn timers_of_one_tick_expire_in_the_order_in_which_they_were_armed() {
    let mut wheel = Wheel::new();
    let early = armed(&mut wheel, 1000);
    expired(&mut wheel, 980);
    let late = armed(&mut wheel, 1000);
    assert_eq!(expired(&mut wheel, 2000), [early, late]);
}

#[test]
fn an_overdue_timer_expires_at_once() {
    let mut wheel = Wheel::new();
    expired(&mut wheel, 500);
    let timer = armed(&mut wheel, 7);
    assert_eq!(wheel.next(), 500);
    assert_eq!(expired(&mut wheel, 500), [timer]);
}

#[test]
fn putting_a_timer_off_leaves_it_in_its_slot() {
    let mut wheel = Wheel::new();
    let timer = armed(&mut wheel, 100);
    let slot = wheel.next();
    wheel.arm(timer, 60_000);
    assert_eq!(wheel.next(), slot, "still where it was");
    assert_eq!(expired(&mut wheel, 59_999), []);
    assert_eq!(expired(&mut wheel, 60_000), [timer]);
}

#[test]
fn an_extended_timer_can_be_set_earlier_again() {
    let mut wheel = Wheel::new();
    let timer = armed(&mut wheel, 60_000);
    wheel.arm(timer, 70_000);
    wheel.arm(timer, 10);
    assert_eq!(expired(&mut wheel, 10), [timer]);
    assert_eq!(wheel.next(), NEVER);
}

#[test]
fn a_disarmed_timer_does_not_expire_and_does_not_count_as_next() {
    let mut wheel = Wheel::new();
    let timer = armed(&mut wheel, 100);
    wheel.disarm(timer);
    assert_eq!(wheel.next_due(), None);
    assert_eq!(expired(&mut wheel, 1000), []);
    wheel.arm(timer, 1001);
    assert_eq!(wheel.next_due(), Some(1001));
    assert_eq!(expired(&mut wheel, 1001), [timer]);
}

#[test]
fn a_hundred_thousand_timers_armed_and_removed_leave_room_for_as_many() {
    let mut wheel = Wheel::new();
    let mut highest = 0;
    for round in 0..3 {
        let timers: Vec<u32> = (0..100_000).map(|n| armed(&mut wheel, round + n % 977)).collect();
        highest = highest.max(wheel.timers.end());
        for timer in timers {
            wheel.remove(timer);
        }
        assert_eq!(wheel.next(), NEVER);
    }
    assert_eq!(highest, 100_000);
}

#[test]
fn a_timer_is_small() {
    assert_eq!(size_of::<Timer>(), 24);
    let slab = Slab::<Timer>::new();
    assert_eq!(slab.slot_size(), 24, "a slot of the slab costs nothing more");
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Makes a timer due this many ticks from now.
    Insert(u64),
    /// Sets one of the timers again, to this many ticks from now.
    Arm(usize, u64),
    Disarm(usize),
    Remove(usize),
    /// Lets this many ticks pass.
    Pass(u64),
    /// Lets time pass until the wheel has work.
    PassToNext,
}

fn ticks() -> impl Strategy<Value = u64> {
    prop_oneof![0..5_u64, 0..100_u64, 0..10_000_u64, 0..1_000_000_u64, 0..END]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => ticks().prop_map(Step::Insert),
        3 => (any::<usize>(), ticks()).prop_map(|(which, ticks)| Step::Arm(which, ticks)),
        1 => any::<usize>().prop_map(Step::Disarm),
        1 => any::<usize>().prop_map(Step::Remove),
        2 => ticks().prop_map(Step::Pass),
        2 => Just(Step::PassToNext),
    ]
}

/// The wheel, and a simple map to compare it with.
struct Pair {
    wheel: Wheel,
    /// The due time of each timer. `None` if it is not armed or has expired.
    truth: BTreeMap<u32, Option<u64>>,
    now: u64,
}

impl Pair {
    fn pick(&self, which: usize) -> Option<u32> {
        let count = self.truth.len();
        (count > 0).then(|| *self.truth.keys().nth(which % count).unwrap())
    }

    fn apply(&mut self, step: Step) {
        match step {
            Step::Insert(ticks) => {
                let timer = self.wheel.insert();
                self.wheel.arm_at(timer, self.now + ticks, self.now);
                assert_eq!(self.truth.insert(timer, Some(self.now + ticks)), None);
            }
            Step::Arm(which, ticks) => {
                if let Some(timer) = self.pick(which) {
                    self.wheel.arm_at(timer, self.now + ticks, self.now);
                    self.truth.insert(timer, Some(self.now + ticks));
                }
            }
            Step::Disarm(which) => {
                if let Some(timer) = self.pick(which) {
                    self.wheel.disarm(timer);
                    self.truth.insert(timer, None);
                }
            }
            Step::Remove(which) => {
                if let Some(timer) = self.pick(which) {
                    self.wheel.remove(timer);
                    self.truth.remove(&timer);
                }
            }
            Step::Pass(ticks) => self.pass_to(self.now + ticks),
            Step::PassToNext => {
                if self.wheel.next() != NEVER {
                    self.pass_to(self.wheel.next());
                }
            }
        }
        self.check_next();
    }

    fn pass_to(&mut self, now: u64) {
        self.now = now.max(self.now);
        if self.wheel.next() > self.now {
            // The loop skips the wheel in a turn without a due timer.
            assert_eq!(self.truth.values().flatten().find(|due| **due <= self.now.min(END)), None);
            return;
        }
        let begin = self.wheel.now;
        let mut previous = 0;
        while let Some(timer) = self.wheel.expire(self.now) {
            let due = self.truth.insert(timer, None).unwrap();
            let due = due.expect("only armed timers expire");
            assert!(due <= self.now, "expired early");
            assert!(due >= begin.min(previous), "expired out of order");
            previous = due;
        }
        let late = self.truth.values().flatten().find(|due| **due <= self.now.min(END));
        assert_eq!(late, None, "not expired at {}", self.now);
    }

    fn check_next(&self) {
        let truth = self.truth.values().flatten().filter(|due| **due <= END).min().copied();
        assert_eq!(self.wheel.next_due(), truth);
        if let Some(due) = truth {
            let next = self.wheel.next();
            assert!(next <= due.max(self.now), "would sleep until {next}, beyond {due}");
        }
    }
}

proptest! {
    #[test]
    fn the_wheel_agrees_with_a_sorted_map(
        steps in proptest::collection::vec(step(), 1..200),
        begin in prop_oneof![Just(0), 0..(1_u64 << 40)],
    ) {
        let mut pair = Pair { wheel: Wheel::new(), truth: BTreeMap::new(), now: 0 };
        pair.pass_to(begin);
        for step in steps {
            pair.apply(step);
        }
        pair.pass_to(END);
    }
}

#[test]
fn the_fast_path_of_extending_agrees_with_setting_and_waiting() {
    let waiter = || Waiter::new(std::task::Waker::noop());
    for (before, due) in [(10, 10), (10, 5000), (5000, 10), (70, 69), (END, END + 1)] {
        let mut wheel = Wheel::new();
        let (fast, slow) = (armed(&mut wheel, before), armed(&mut wheel, before));
        let due = clock::begin(due);
        match wheel.extend_fast(fast, due, waiter()) {
            Extended::Done(replaced) => {
                assert!(replaced.is_none());
                assert!(wheel.set(slow, due), "the slot comes in time");
                let wait = wheel.wait(slow, waiter());
                assert!(wait.replaced.is_none());
                assert_eq!((wheel.due(fast), wheel.due(slow)), (Some(due), Some(wait.due)));
                assert!(
                    [fast, slow].map(|timer| wheel.take_waiter(timer)).iter().all(Option::is_some)
                );
            }
            Extended::NotPossible(_waiter) => {
                assert_eq!(wheel.due(fast), Some(clock::begin(before)), "unchanged");
                assert!(wheel.take_waiter(fast).is_none(), "unchanged");
                assert!(!wheel.set(slow, due), "the slot comes too late");
            }
        }
    }
}
