//! A vector whose free places are used again, for tasks, timers and sources.
//!
//! Indexes are `u32`, which halves the size of the links. Four billion entries would not fit into
//! memory anyway.

/// The index that no entry has.
pub(crate) const NONE: u32 = u32::MAX;

/// Values at stable indexes. A new value takes the place of a removed one.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    slots: Vec<Slot<T>>,
    /// The head of a list of all vacant slots, the last one first. `NONE` if there is none.
    vacant: u32,
    len: usize,
}

#[derive(Debug)]
enum Slot<T> {
    /// Contains the index of the next vacant slot, or `NONE`.
    Vacant(u32),
    Occupied(T),
}

impl<T> Slab<T> {
    pub(crate) const fn new() -> Self {
        Self { slots: Vec::new(), vacant: NONE, len: 0 }
    }

    pub(crate) fn insert(&mut self, value: T) -> u32 {
        self.len += 1;
        let index = self.vacant;
        match self.slots.get_mut(index as usize) {
            Some(slot) => {
                if let Slot::Vacant(next) = std::mem::replace(slot, Slot::Occupied(value)) {
                    self.vacant = next;
                }
                index
            }
            None => self.grow(value),
        }
    }

    fn grow(&mut self, value: T) -> u32 {
        let index = u32::try_from(self.slots.len()).ok().filter(|index| *index != NONE);
        let index = index.unwrap_or_else(|| panic!("more than {NONE} entries in a slab"));
        self.slots.push(Slot::Occupied(value));
        index
    }

    /// Takes out the value at `index`, or returns `None` if there is none.
    pub(crate) fn remove(&mut self, index: u32) -> Option<T> {
        let slot = self.slots.get_mut(index as usize)?;
        if let Slot::Vacant(_) = slot {
            return None;
        }
        let Slot::Occupied(value) = std::mem::replace(slot, Slot::Vacant(self.vacant)) else {
            return None;
        };
        self.vacant = index;
        self.len -= 1;
        Some(value)
    }

    #[inline]
    pub(crate) fn at(&self, index: u32) -> Option<&T> {
        match self.slots.get(index as usize) {
            Some(Slot::Occupied(value)) => Some(value),
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn at_mut(&mut self, index: u32) -> Option<&mut T> {
        match self.slots.get_mut(index as usize) {
            Some(Slot::Occupied(value)) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().filter_map(|slot| match slot {
            Slot::Vacant(_) => None,
            Slot::Occupied(value) => Some(value),
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the highest index ever used, plus one.
    pub(crate) fn end(&self) -> u32 {
        self.slots.len() as u32
    }

    /// Returns the size of an entry in bytes.
    #[cfg(test)]
    pub(crate) fn slot_size(&self) -> usize {
        size_of::<Slot<T>>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removed_place_is_used_again() {
        let mut slab = Slab::new();
        let (a, b) = (slab.insert("a"), slab.insert("b"));
        assert_eq!(slab.remove(a), Some("a"));
        assert_eq!(slab.remove(a), None, "removed already");
        assert_eq!(slab.insert("c"), a);
        assert_eq!((slab.at(a), slab.at(b)), (Some(&"c"), Some(&"b")));
        assert_eq!(slab.end(), 2);
    }

    #[test]
    fn a_waker_needs_no_more_room_in_a_slab_than_outside() {
        assert_eq!(size_of::<Slot<std::task::Waker>>(), size_of::<std::task::Waker>());
    }
}
