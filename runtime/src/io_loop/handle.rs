//! The handle of a loop for other threads.

use std::error::Error;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use crate::executor::{self, Message, Remote};

/// Sends callbacks to a loop from any thread.
///
/// # Examples
///
/// ```
/// use std::thread;
/// use squall_runtime::IOLoop;
///
/// let io_loop = IOLoop::current();
/// let handle = io_loop.handle();
/// let thread = thread::spawn(move || handle.add_callback(|| IOLoop::current().stop()));
/// io_loop.start()?;
/// thread.join().unwrap()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct IOLoopHandle {
    pub(super) remote: Arc<Remote>,
    /// Its reference count shows the loop whether there are handles.
    pub(super) _counted: Arc<()>,
}

impl IOLoopHandle {
    /// Makes the loop call `callback` on its own thread, in its next turn. Wakes the loop if it
    /// sleeps.
    ///
    /// # Errors
    ///
    /// Fails if the loop's thread has ended or is about to end. A callback that is added while the
    /// thread ends may be dropped without an error.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::IOLoop;
    ///
    /// let io_loop = IOLoop::current();
    /// io_loop.handle().add_callback(|| IOLoop::current().stop())?;
    /// io_loop.start()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn add_callback(&self, callback: impl FnOnce() + Send + 'static) -> Result<(), LoopClosed> {
        if self.remote.refuses_callbacks() {
            executor::drop_late(callback);
            return Err(LoopClosed(()));
        }
        self.remote.send(Message::Call(Box::new(callback), Location::caller()));
        Ok(())
    }
}

/// The error of a handle whose loop has ended with its thread.
///
/// # Examples
///
/// ```
/// use std::thread;
/// use squall_runtime::IOLoop;
///
/// let handle = thread::spawn(|| IOLoop::current().handle()).join().unwrap();
/// assert!(handle.add_callback(|| ()).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoopClosed(());

impl fmt::Display for LoopClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the event loop has ended")
    }
}

impl Error for LoopClosed {}
