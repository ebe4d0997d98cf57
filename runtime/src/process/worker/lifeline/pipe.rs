//! A thread of the worker reads from a pipe until it ends.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::thread;

use crate::log;

/// Ties workers to the process that holds `writer`.
#[derive(Debug)]
pub(crate) struct Lifeline {
    reader: OwnedFd,
    /// The supervisor's; `None` in a worker.
    writer: Option<OwnedFd>,
}

impl Lifeline {
    pub(crate) fn new() -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        Ok(Self { reader: reader.into(), writer: Some(writer.into()) })
    }

    /// Called in the worker: `die` is called when no process has the writing end any more. All
    /// signals are blocked at this time, and stay so in the thread.
    pub(crate) fn hold(&mut self, die: impl FnOnce() + Send + 'static) {
        self.writer = None;
        if let Err(error) = self.watch(die) {
            let text = format_args!("a worker may outlive its supervisor: {error}");
            log::warn(log::GENERAL, text);
        }
    }

    fn watch(&self, die: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let mut pipe = File::from(self.reader.try_clone()?);
        let wait = move || {
            let _ = pipe.read(&mut [0]);
            die();
        };
        thread::Builder::new().name("lifeline".to_owned()).spawn(wait).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_worker_notices_the_end_of_its_supervisor() {
        let mut lifeline = Lifeline::new().unwrap();
        let supervisors = lifeline.writer.as_ref().unwrap().try_clone().unwrap();
        let (sender, receiver) = mpsc::channel();
        lifeline.hold(move || sender.send(()).unwrap());
        assert!(receiver.try_recv().is_err());
        drop(supervisors);
        receiver.recv_timeout(Duration::from_secs(60)).unwrap();
    }
}
