//! A payload that can be watched: who still holds it, and whether what came back is the very thing
//! that was offered.

use roomcast_core::Payload;
use roomcast_core::system_messages::SystemMessage;
use std::sync::{Arc, Weak};

/// A payload with a number and a size. A copy is another thing, and a test would see that it is not
/// the very payload.
#[derive(Debug)]
pub struct Probe(Arc<Mark>);

#[derive(Debug)]
struct Mark {
    id: u64,
    size: usize,
}

impl Probe {
    /// A payload of this size under this number.
    pub fn new(id: u64, size: usize) -> Self {
        Self(Arc::new(Mark { id, size }))
    }

    /// Its number.
    pub fn id(&self) -> u64 {
        self.0.id
    }

    /// Something that sees whether the payload still exists, without keeping it.
    pub fn watch(&self) -> Watch {
        Watch(Arc::downgrade(&self.0))
    }

    /// Whether this is the very payload that `watch` was made from.
    pub fn is(&self, watch: &Watch) -> bool {
        Weak::ptr_eq(&Arc::downgrade(&self.0), &watch.0)
    }
}

impl Clone for Probe {
    /// A payload of its own, under the same number: who watches the one sees nothing of the other.
    /// Only what is broadcast is ever cloned.
    fn clone(&self) -> Self {
        Self::new(self.id(), self.0.size)
    }
}

/// The numbers of tips: apart from those of all that is offered.
const TIPS: u64 = 1 << 63;

impl Payload for Probe {
    fn size(&self) -> usize {
        self.0.size
    }

    /// By its size, as if those of every eighth size said the same; of every fifth size, nothing to
    /// compare.
    fn content_key(&self) -> Option<u64> {
        (!self.0.size.is_multiple_of(5)).then_some(self.0.size as u64 % 8)
    }

    /// Numbered by what it says. Of every eighth kind of storm nothing is made, and some are too
    /// large for the rooms of the law tests.
    fn system_message(tip: &SystemMessage<'_>) -> Option<Self> {
        let said = format!("{tip:?}");
        let number = said.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let size = usize::try_from(number >> 32 & 31).unwrap_or(0) + said.len() / 8 + 20;
        (number >> 40 & 7 != 0).then(|| Self::new(TIPS | number, size))
    }
}

/// Sees whether a payload still exists.
#[derive(Clone, Debug)]
pub struct Watch(Weak<Mark>);

impl Watch {
    /// Whether somebody still holds the payload.
    pub fn is_held(&self) -> bool {
        self.0.strong_count() > 0
    }
}
