//! The lines at which tasks were spawned, as numbers. A task then stores two bytes instead of
//! eight.

use std::panic::Location;
use std::ptr;

/// The number of a line. The last number means all lines after the first 65,535.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Site(u16);

impl Site {
    pub(super) const NONE: Self = Self(u16::MAX);
}

/// The spawn sites of a program. They are few, so a linear search finds them, starting with the
/// last one.
#[derive(Debug)]
pub(super) struct Sites {
    known: Vec<&'static Location<'static>>,
    last: Site,
}

impl Sites {
    pub(super) const fn new() -> Self {
        Self { known: Vec::new(), last: Site::NONE }
    }

    #[inline]
    pub(super) fn at(&self, site: Site) -> Option<&'static Location<'static>> {
        self.known.get(usize::from(site.0)).copied()
    }

    pub(super) fn number(&mut self, location: &'static Location<'static>) -> Site {
        if !self.at(self.last).is_some_and(|last| ptr::eq(last, location)) {
            self.last = self.find_or_add(location);
        }
        self.last
    }

    /// Returns for how many lines there is memory.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.known.capacity()
    }

    fn find_or_add(&mut self, location: &'static Location<'static>) -> Site {
        let found = self.known.iter().position(|known| ptr::eq(*known, location));
        let index = found.unwrap_or(self.known.len());
        let Ok(number) = u16::try_from(index) else { return Site::NONE };
        if found.is_none() && number < u16::MAX {
            self.known.push(location);
        }
        Site(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_spawn_line_has_one_number_up_to_the_limit() {
        let (first, second) = (Location::caller(), here());
        let mut sites = Sites::new();
        let numbers = [first, second, second, first].map(|site| sites.number(site));
        assert_eq!((numbers[0], numbers[1]), (numbers[3], numbers[2]));
        assert_ne!(numbers[0], numbers[1]);
        assert_eq!(sites.at(numbers[1]), Some(second));
        assert_eq!(sites.at(Site::NONE), None);

        sites.known = vec![first; usize::from(u16::MAX)];
        assert_eq!(sites.number(second), Site::NONE);
        assert_eq!(sites.number(second), Site::NONE);
        assert_eq!(sites.known.len(), usize::from(u16::MAX));
        let number = sites.number(first);
        assert_eq!(sites.at(number), Some(first));
    }

    fn here() -> &'static Location<'static> {
        Location::caller()
    }
}
