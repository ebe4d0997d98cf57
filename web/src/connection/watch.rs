use std::task::{Context as TaskContext, Poll};

use squall_runtime::PeerClosed;

use super::{Connection, Phase};

impl Connection {
    /// Does what a waiting handler leaves to be done; ready when there is nobody to answer.
    pub(crate) fn poll_meanwhile(&self, task: &mut TaskContext<'_>) -> Poll<()> {
        if !self.is_flushing() {
            match self.poll_output(task) {
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(())) if !self.is_receiving() => self.enter(Phase::Handler),
                Poll::Ready(Ok(())) | Poll::Pending => {}
            }
        }
        if self.is_receiving() {
            return Poll::Pending; // The end of the connection shows as the end of the body.
        }
        self.save_memory();
        match self.stream.poll_peer_closed(task) {
            Poll::Ready(PeerClosed::Finished) if self.allows_half_close() => Poll::Pending,
            closed => closed.map(|_| ()),
        }
    }
}
