//! The user's own metrics, as this thread knows them: before there is a page, and after.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use squall_runtime::log;

use super::series::{Description, Values};
use super::{Page, own};

thread_local! {
    static REGISTERED: RefCell<Vec<Rc<Entry>>> = const { RefCell::new(Vec::new()) };
}

/// A metric that was registered.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) description: Description,
    /// Where it is counted; nowhere before there is a page.
    values: Cell<Values>,
}

impl Entry {
    #[inline]
    pub(crate) fn values(&self) -> Values {
        self.values.get()
    }
}

/// Why a metric is not registered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Refusal {
    /// There is one of the name that is of another kind.
    OtherKind,
    /// There is one of the name that is said to tell something else.
    OtherHelp,
    NoRoom,
}

/// Registers a metric; the one that there is, if it was registered before.
pub(crate) fn register(description: Description) -> Result<Rc<Entry>, Refusal> {
    let known = REGISTERED.with_borrow(|registered| find(registered, &description))?;
    if let Some(entry) = known {
        return Ok(entry);
    }
    let values = match own::existing() {
        Some(page) => page.series(&description).ok_or(Refusal::NoRoom)?,
        None => Values::NOWHERE,
    };
    let entry = Rc::new(Entry { description, values: Cell::new(values) });
    REGISTERED.with_borrow_mut(|registered| registered.push(Rc::clone(&entry)));
    Ok(entry)
}

/// Whether one is registered that `fits`.
pub(crate) fn any(fits: impl Fn(&Description) -> bool) -> bool {
    REGISTERED.with_borrow(|registered| registered.iter().any(|entry| fits(&entry.description)))
}

/// The one that is the same. It must be of the kind of its family, and tell the same.
fn find(entries: &[Rc<Entry>], new: &Description) -> Result<Option<Rc<Entry>>, Refusal> {
    let mut family =
        entries.iter().filter(|entry| entry.description.family() == new.family()).peekable();
    if family.peek().is_some_and(|entry| entry.description.kind != new.kind) {
        return Err(Refusal::OtherKind);
    }
    if family.peek().is_some_and(|entry| entry.description.help != new.help) {
        return Err(Refusal::OtherHelp);
    }
    Ok(family.find(|entry| entry.description.name == new.name).cloned())
}

/// Has what was registered counted in `page` from now on.
pub(super) fn attach(page: Page) {
    let entries = REGISTERED.with_borrow(Clone::clone);
    for entry in entries {
        match page.series(&entry.description) {
            Some(values) => entry.values.set(values),
            None => {
                let name = &entry.description.name;
                let text =
                    format_args!("there is no room for the metric {name}: it is not counted");
                log::error(log::GENERAL, text);
            }
        }
    }
}
