//! Proof that `roomcast-core` needs no std: a binary without one links it and runs a room.
//!
//! Were std linked anywhere below, the two panic handlers would collide (`E0152`). It exits 0 only if a message went through a room and
//! the books balance.

#![no_std]
#![no_main]

use core::alloc::{GlobalAlloc, Layout};
use core::ffi::{c_int, c_void};
use core::panic::PanicInfo;
use roomcast_core::{
    Budget, Instant, Join, Priority, Publish, RoomConfig, RoomState, Source, UserId,
};

#[link(name = "c")]
unsafe extern "C" {
    fn aligned_alloc(align: usize, size: usize) -> *mut c_void;
    fn free(at: *mut c_void);
    fn abort() -> !;
}

struct Libc;

unsafe impl GlobalAlloc for Libc {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let align = layout.align().max(size_of::<usize>());
        // `aligned_alloc` wants a multiple of the alignment.
        let Some(size) = layout.size().checked_next_multiple_of(align) else {
            return core::ptr::null_mut();
        };
        unsafe { aligned_alloc(align, size) }.cast()
    }

    unsafe fn dealloc(&self, at: *mut u8, _: Layout) {
        unsafe { free(at.cast()) }
    }
}

#[global_allocator]
static ALLOCATOR: Libc = Libc;

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    unsafe { abort() }
}

/// The precompiled `core` and `alloc` name it, though nothing unwinds here.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

/// A message goes through a room; `None` when anything is not as it should be.
fn evening() -> Option<()> {
    let config = RoomConfig::builder(UserId(1)).rate(1).burst(1).build().ok()?;
    let mut room = RoomState::new(&config);
    let now = Instant::from_secs(1);
    let ann = room.join(now, Join::user(UserId(7))).ok()?.session;
    let guest = room.join(now, Join::guest()).ok()?.session;
    let sent = room.publish(now, Publish::new(Source::Session(ann), "hello")).ok()?;
    let waits =
        room.publish(now, Publish::new(Source::Host, "gift").priority(Priority::High)).ok()?;
    if sent.outcome.is_none() || waits.outcome.is_some() {
        return None;
    }
    let due = room.poll_timeout()?;
    room.handle_timeout(due);
    let batch = room.next_batch(due, guest, Budget::default()).ok()??;
    let heard = batch.messages().iter().map(|message| message.payload);
    let is_right =
        heard.eq(["gift", "hello"]) && room.snapshot(due).balances() && room.poll_event().is_some();
    is_right.then_some(())
}

#[unsafe(no_mangle)]
extern "C" fn main(_: c_int, _: *const *const u8) -> c_int {
    c_int::from(evening().is_none())
}
