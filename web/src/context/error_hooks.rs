//! The application's own responses to errors.

use std::rc::Rc;

use crate::context::Context;
use crate::error::panic::{guard, panic_error};
use crate::error::{Error, KnownFailures, Result};
use crate::types::drop_each::DropEach;

/// Writes the response to an error.
pub(crate) type ErrorHook = dyn Fn(&mut Context, &Error) -> Result;

/// Writes the response to an error of one type. Returns `None` for other errors.
pub(crate) type TypedErrorHook = dyn Fn(&mut Context, &Error) -> Option<Result>;

/// What an application knows about errors.
#[derive(Default)]
pub(crate) struct ErrorHooks {
    /// The statuses of the failures that its functions return.
    pub(crate) failures: KnownFailures,
    /// The hooks for one type of error each. The first that fits writes the response.
    pub(crate) of_types: Vec<Box<TypedErrorHook>>,
    /// The hook for all other errors.
    pub(crate) of_all: Option<Box<ErrorHook>>,
}

impl ErrorHooks {
    /// Drops each hook, although the destructors of some panic.
    pub(crate) fn clear(self, each: &mut DropEach) {
        self.of_types.into_iter().for_each(|hook| each.drop(hook));
        each.drop(self.of_all);
    }

    fn write(&self, cx: &mut Context, error: &Error) -> Result {
        match self.of_types.iter().find_map(|hook| hook(cx, error)) {
            Some(result) => result,
            None => match &self.of_all {
                Some(hook) => hook(cx, error),
                None => cx.write_error_page(),
            },
        }
    }
}

impl Context {
    /// Writes the response to `error`: with the hooks of
    /// [`Application::on_error`](crate::Application::on_error) and
    /// [`on_error_of`](crate::Application::on_error_of), or else the [standard
    /// page](Self::write_error_page). The status and the headers of the error have been set.
    ///
    /// The default [`write_error`](crate::RequestHandler::write_error) of a handler calls this.
    ///
    /// # Errors
    ///
    /// Like [`write`](Self::write), and the error of a hook. A hook that panics has failed as well.
    pub fn write_error(&mut self, error: &Error) -> Result {
        // A hook that sends an error itself must not run again.
        if std::mem::replace(&mut self.exchange.rare_mut().is_in_error_hook, true) {
            return self.write_error_page();
        }
        let hooks = Rc::clone(&self.exchange.policies.errors.borrow());
        let written = guard(|| hooks.write(self, error));
        if let Some(rare) = &mut self.exchange.rare {
            rare.is_in_error_hook = false;
        }
        written.unwrap_or_else(|panic| Err(panic_error(&*panic)))
    }

    /// Gives `error` its status, if it is a failure that the application knows.
    pub(crate) fn apply_known_status(&self, error: &Error) {
        self.exchange.policies.errors.borrow().failures.apply(error);
    }
}
