//! The loop as other threads see it.

use std::error::Error;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use crate::executor::{self, Message, Remote};

/// A loop to which callbacks can be sent from any thread.
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
    /// Its count tells the loop whether there are handles.
    pub(super) _counted: Arc<()>,
}

impl IOLoopHandle {
    /// Has the loop call `callback` on its own thread, on its next turn. If it sleeps, it is woken.
    ///
    /// # Errors
    ///
    /// Fails if the loop's thread has ended, or is about to. A callback that comes while it ends may be dropped
    /// without this error.
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

/// The loop is gone, and its thread with it.
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
