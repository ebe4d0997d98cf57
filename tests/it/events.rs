//! Handlers report events to the test, so that it waits for events and never for time.

use std::future::poll_fn;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use crate::wire::DEADLINE;

/// The two ends of a channel of events.
pub fn events() -> (Teller, Events) {
    let (sender, receiver) = mpsc::channel();
    (Teller(sender), Events(receiver))
}

/// Tells what happens.
#[derive(Clone)]
pub struct Teller(Sender<&'static str>);

impl Teller {
    pub fn tell(&self, event: &'static str) {
        // It fails once the test has ended.
        let _ = self.0.send(event);
    }

    /// Tells `event` when what this returns is dropped.
    pub fn at_drop(&self, event: &'static str) -> AtDrop {
        AtDrop { teller: self.clone(), event }
    }
}

/// See [`Teller::at_drop`].
pub struct AtDrop {
    teller: Teller,
    event: &'static str,
}

impl Drop for AtDrop {
    fn drop(&mut self) {
        self.teller.tell(self.event);
    }
}

/// Hears what happens.
pub struct Events(Receiver<&'static str>);

impl Events {
    /// Waits for what happens next, which must be `event`.
    #[track_caller]
    pub fn expect(&self, event: &str) {
        match self.0.recv_timeout(DEADLINE) {
            Ok(told) => assert_eq!(told, event),
            Err(error) => panic!("{event:?} did not happen: {error}"),
        }
    }

    /// The events that have happened by now and were not waited for.
    pub fn so_far(&self) -> Vec<&'static str> {
        self.0.try_iter().collect()
    }
}

/// Holds handlers up until the test opens it.
#[derive(Clone, Default)]
pub struct Gate(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    open: bool,
    waiting: Vec<Waker>,
}

impl Gate {
    pub fn open(&self) {
        let mut state = self.0.lock().unwrap();
        state.open = true;
        state.waiting.drain(..).for_each(Waker::wake);
    }

    pub async fn passed(&self) {
        poll_fn(|task| {
            let mut state = self.0.lock().unwrap();
            if state.open {
                return Poll::Ready(());
            }
            state.waiting.push(task.waker().clone());
            Poll::Pending
        })
        .await;
    }
}
