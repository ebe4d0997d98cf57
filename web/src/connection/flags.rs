use super::Connection;

/// What is so or not, a bit each.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flags(u8);

impl Flags {
    /// A handler waits in `flush`: it does the sending.
    pub(super) const FLUSHING: u8 = 1;
    /// A handler waits for the body: it does the receiving.
    pub(super) const RECEIVING: u8 = 2;
    /// A client that has sent all it will does not cancel the handler.
    pub(super) const HALF_CLOSE: u8 = 4;
    /// The client may still be sending when the connection ends.
    pub(super) const LINGER: u8 = 8;
    /// The client did not take what was sent in time.
    pub(super) const TOO_SLOW: u8 = 32;
    /// Another protocol has it, and decides when it ends.
    pub(super) const HANDED_OVER: u8 = 16;
    /// The time for a last request is over, and the system was asked once more.
    pub(super) const LOOKED: u8 = 64;
}

/// The flags, by their meaning.
impl Connection {
    pub(super) fn has(&self, flag: u8) -> bool {
        self.flags.get().0 & flag != 0
    }

    pub(super) fn set(&self, flags: u8, to: bool) {
        let others = self.flags.get().0 & !flags;
        self.flags.set(Flags(if to { others | flags } else { others }));
    }

    pub(super) fn is_flushing(&self) -> bool {
        self.has(Flags::FLUSHING)
    }

    pub(crate) fn set_receiving(&self, receiving: bool) {
        self.set(Flags::RECEIVING, receiving);
    }

    /// Notes that nobody waits any more for the body of `request`.
    pub(crate) fn stop_receiving(&self, request: u32) {
        if request == self.request() {
            self.set_receiving(false);
            self.end_wait_for_body();
        }
    }

    pub(super) fn is_receiving(&self) -> bool {
        self.has(Flags::RECEIVING)
    }

    pub(crate) fn set_half_close(&self, half_close: bool) {
        self.set(Flags::HALF_CLOSE, half_close);
    }

    pub(super) fn allows_half_close(&self) -> bool {
        self.has(Flags::HALF_CLOSE)
    }

    pub(crate) fn is_handed_over(&self) -> bool {
        self.has(Flags::HANDED_OVER)
    }

    pub(crate) fn set_handed_over(&self) {
        self.set(Flags::HANDED_OVER, true);
    }

    /// Whether the client did not take what was sent in time: what the system holds for it is to
    /// go with the connection.
    pub(crate) fn is_too_slow(&self) -> bool {
        self.has(Flags::TOO_SLOW)
    }

    /// Notes that the client may not have sent all it is about to send.
    pub(crate) fn set_linger(&self) {
        self.set(Flags::LINGER, true);
    }

    pub(super) fn must_linger(&self) -> bool {
        self.has(Flags::LINGER) || self.backlog().received
    }
}
