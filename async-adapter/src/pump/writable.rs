//! The connections whose transport says that it can take more.

use crate::drive::called::Called;
use crate::room::pump_notify::PumpNotify;
use crate::sync::{Arc, Mutex};
use roomcast_core::SessionId;
use std::collections::VecDeque;
use std::task::Wake;

/// Where transports that may take more are listed.
#[derive(Debug)]
pub(crate) struct Writable {
    places: Mutex<Vec<(u32, SessionId)>>,
    pump_notify: Arc<PumpNotify>,
}

impl Writable {
    pub(crate) fn new(pump_notify: Arc<PumpNotify>) -> Self {
        Self { places: Mutex::default(), pump_notify }
    }

    pub(crate) fn take(&self, into: &mut VecDeque<(u32, SessionId)>) {
        let places = std::mem::take(&mut *self.places.lock());
        into.extend(places);
    }
}

/// The waker of one blocked connection.
#[derive(Debug)]
pub(crate) struct Unblock {
    writable: Arc<Writable>,
    place: u32,
    session: SessionId,
    /// It is listed once, however often a transport wakes it, until it is looked at.
    listed: Called,
}

impl Unblock {
    pub(crate) fn new(writable: Arc<Writable>, place: u32, session: SessionId) -> Self {
        Self { writable, place, session, listed: Called::default() }
    }

    /// The task is about to ask the transport: a wake from here on is another one.
    pub(crate) fn answer(&self) {
        self.listed.answer();
    }
}

impl Wake for Unblock {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.listed.call() {
            self.writable.places.lock().push((self.place, self.session));
            self.writable.pump_notify.notify_command();
        }
    }
}
