use std::cell::Cell;

use crate::http::Method;

/// Methods that an endpoint was asked about: to ask again takes code of the user, and to look
/// through what it says. Those of extensions are not among them.
#[derive(Debug, Default)]
pub(super) struct KnownMethods(Cell<u16>);

impl KnownMethods {
    #[inline]
    pub(super) fn has(&self, method: &Method) -> bool {
        self.0.get() & bit(method) != 0
    }

    pub(super) fn add(&self, method: &Method) {
        self.0.set(self.0.get() | bit(method));
    }
}

#[inline]
fn bit(method: &Method) -> u16 {
    match *method {
        Method::GET => 1,
        Method::HEAD => 1 << 1,
        Method::POST => 1 << 2,
        Method::PUT => 1 << 3,
        Method::DELETE => 1 << 4,
        Method::CONNECT => 1 << 5,
        Method::OPTIONS => 1 << 6,
        Method::TRACE => 1 << 7,
        Method::PATCH => 1 << 8,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_added_is_known() {
        let names = "GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH PURGE";
        let methods: Vec<Method> =
            names.split(' ').map(|name| Method::from_bytes(name.as_bytes()).unwrap()).collect();
        for added in &methods {
            let known = KnownMethods::default();
            known.add(added);
            for method in &methods {
                let expected = method == added && method.as_str() != "PURGE";
                assert_eq!(known.has(method), expected, "{added}, {method}");
            }
        }
    }
}
