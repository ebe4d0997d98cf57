//! Files among the queued bytes.

use std::io;
use std::path::Path;
use std::task::{Context as TaskContext, Poll, ready};

use squall_runtime::{FilePart, log};

use super::{Large, Output, Piece};
use crate::connection::stream::Stream;

impl Output {
    /// Appends a part of a file. An empty part is left out.
    pub(crate) fn push_file(&mut self, part: FilePart) {
        if part.left() > 0 {
            self.large_len += part.left();
            self.push_large(Piece::File(Box::new(part)));
        }
    }

    pub(super) fn is_at_file(&self) -> bool {
        let first = self.large.front();
        first.is_some_and(|large| large.at == self.taken && matches!(large.piece, Piece::File(_)))
    }

    /// Sends some of the file in front.
    pub(super) fn poll_sendfile(
        &mut self,
        stream: &Stream,
        task: &mut TaskContext<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(Large { piece: Piece::File(part), .. }) = self.large.front_mut() else {
            return Poll::Ready(Ok(()));
        };
        let had_failed = part.has_failed();
        match ready!(stream.poll_sendfile(task, part)) {
            Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Ok(sent) => self.large_len -= sent,
            Err(error) => {
                if part.has_failed() && !had_failed {
                    log_failure(part, &error);
                }
                return Poll::Ready(Err(error));
            }
        }
        if part.left() == 0 {
            self.large.pop_front();
        }
        self.consume(0);
        Poll::Ready(Ok(()))
    }

    /// Whether the file in front is still being read. The client is not slow then.
    pub(crate) fn waits_for_file(&self) -> bool {
        let first = self.large.front();
        first.is_some_and(|large| {
            matches!(&large.piece, Piece::File(part) if large.at == self.taken && part.waits_for_file())
        })
    }
}

/// Logs that a file became shorter while it was being sent, or that its disk failed. The client
/// learns only that the connection is cut.
fn log_failure(part: &FilePart, error: &io::Error) {
    let path = part.file().path().map(Path::display);
    let left = part.left();
    match path {
        Some(path) => log::error(
            log::APPLICATION,
            format_args!("sending {path} ends {left} bytes early: {error}"),
        ),
        None => log::error(
            log::APPLICATION,
            format_args!("sending an open file ends {left} bytes early: {error}"),
        ),
    }
}
