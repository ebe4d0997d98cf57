//! The user's metrics of this thread. They can be registered before the thread has a page.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use squall_runtime::log;

use super::series::{Description, Values};
use super::{Page, page_of_thread};

thread_local! {
    static REGISTERED: RefCell<Vec<Rc<Entry>>> = const { RefCell::new(Vec::new()) };
}

/// A registered metric.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) description: Description,
    /// The words of its value: none until the thread has a page.
    values: Cell<Values>,
}

impl Entry {
    #[inline]
    pub(crate) fn values(&self) -> Values {
        self.values.get()
    }
}

/// Why a metric cannot be registered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum RegisterError {
    /// A metric of the same name has another kind.
    OtherKind,
    /// A metric of the same name has another help text.
    OtherHelp,
    /// The page is full.
    NoRoom,
}

/// Registers a metric, or returns the one that was registered before.
pub(crate) fn register(description: Description) -> Result<Rc<Entry>, RegisterError> {
    let known = REGISTERED.with_borrow(|registered| find(registered, &description))?;
    if let Some(entry) = known {
        return Ok(entry);
    }
    let values = match page_of_thread::existing() {
        Some(page) => page.series(&description).ok_or(RegisterError::NoRoom)?,
        None => Values::NOWHERE,
    };
    let entry = Rc::new(Entry { description, values: Cell::new(values) });
    REGISTERED.with_borrow_mut(|registered| registered.push(Rc::clone(&entry)));
    Ok(entry)
}

/// Whether some registered metric `fits`.
pub(crate) fn any(fits: impl Fn(&Description) -> bool) -> bool {
    REGISTERED.with_borrow(|registered| registered.iter().any(|entry| fits(&entry.description)))
}

/// Finds the same metric among `entries`. All metrics of a family must have the same kind and help.
fn find(entries: &[Rc<Entry>], new: &Description) -> Result<Option<Rc<Entry>>, RegisterError> {
    let mut family =
        entries.iter().filter(|entry| entry.description.family() == new.family()).peekable();
    if family.peek().is_some_and(|entry| entry.description.kind != new.kind) {
        return Err(RegisterError::OtherKind);
    }
    if family.peek().is_some_and(|entry| entry.description.help != new.help) {
        return Err(RegisterError::OtherHelp);
    }
    Ok(family.find(|entry| entry.description.name == new.name).cloned())
}

/// Counts the registered metrics in `page` from now on.
pub(super) fn attach(page: Page) {
    let entries = REGISTERED.with_borrow(Clone::clone);
    for entry in entries {
        match page.series(&entry.description) {
            Some(values) => entry.values.set(values),
            None => {
                let name = &entry.description.name;
                let text = format_args!("no room for the metric {name}: it is not counted");
                log::error(log::GENERAL, text);
            }
        }
    }
}
