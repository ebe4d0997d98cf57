//! [`StateMap`]: one value of each type.

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::drop_each::DropEach;

/// The state of an application: one shared value of each type.
#[derive(Default)]
pub(crate) struct StateMap(RefCell<HashMap<TypeId, Rc<dyn Any>>>);

impl StateMap {
    /// Adds a value. Returns `false` if there is one of this type already.
    pub(crate) fn add<T: 'static>(&self, value: T) -> bool {
        self.0.borrow_mut().insert(TypeId::of::<T>(), Rc::new(value)).is_none()
    }

    pub(crate) fn get<T: 'static>(&self) -> Option<Rc<T>> {
        let value = self.0.borrow().get(&TypeId::of::<T>())?.clone();
        value.downcast().ok()
    }

    pub(crate) fn has(&self, id: TypeId) -> bool {
        self.0.borrow().contains_key(&id)
    }

    /// Drops all values, although the destructors of some panic.
    pub(crate) fn clear(&self, each: &mut DropEach) {
        let values = self.0.take();
        values.into_values().for_each(|value| each.drop(value));
    }
}
