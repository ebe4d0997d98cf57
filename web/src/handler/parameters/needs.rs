//! [`Needs`]: the state that functions need.

use std::any::{TypeId, type_name};

/// The types of state that the parameters of functions need.
///
/// [`FromRequest::needs`](crate::FromRequest::needs) fills it, and
/// [`Application::check`](crate::Application::check) compares it with the state of the application.
#[derive(Debug, Default)]
pub struct Needs(Vec<(TypeId, &'static str)>);

impl Needs {
    /// Adds the state of type `T`.
    pub fn state<T: 'static>(&mut self) {
        self.0.push((TypeId::of::<T>(), type_name::<T>()));
    }

    /// Returns the types, and their names.
    pub(crate) fn types(&self) -> impl Iterator<Item = (TypeId, &'static str)> {
        self.0.iter().copied()
    }
}
