//! What names of users and of rooms have in common: what they may be, and how their numbers are
//! drawn.

use crate::room::mentions::FIRST_NAMED;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Locks that the users are spread over; the last bits of a number tell which.
pub(super) const STRIPES: usize = 16;
const STRIPE_BITS: u32 = STRIPES.trailing_zeros();

/// What a host may call its users and rooms by: anything that can be a key and goes from thread to
/// thread. Implemented for all such types.
///
/// Of a user's name `Eq` and `Clone` run under a lock of the hub's and so should be short, and call
/// no hub.
pub trait Name: Eq + Hash + Clone + Send + Sync + 'static {}

impl<U: Eq + Hash + Clone + Send + Sync + 'static> Name for U {}

/// Takes a hash for what it is.
#[derive(Default)]
pub(super) struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// A number that was never drawn before, with this one in its last bits.
pub(super) fn draw(stripe: usize) -> u64 {
    static START: OnceLock<u64> = OnceLock::new();
    static DRAWN: AtomicU64 = AtomicU64::new(0);
    let start = *START.get_or_init(|| RandomState::new().hash_one(0));
    let number = start.wrapping_add(DRAWN.fetch_add(1, Ordering::Relaxed));
    FIRST_NAMED | number << STRIPE_BITS | stripe as u64
}
