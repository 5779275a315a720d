//! What a node knows of a room, as the room of its hub takes it over.

use crate::wire::{EncodedDirect, Lasting, Wire};
use roomcast::{Actor, Payload, Room, UserId};
use roomcast_core::Instant;
use roomcast_core::admission::PersistedState;
use roomcast_core::pins::PinId;
use roomcast_core::timed::Until;

/// What is known of people and data, as [`Output::Known`](crate::proto::Output::Known) says it.
pub(super) struct Known {
    pub(super) state: PersistedState,
    pub(super) lasting: Option<Box<Lasting>>,
    pub(super) kicked: Vec<UserId>,
    pub(super) banned: Vec<UserId>,
}

impl Known {
    /// The room of this node takes it over. One that is closed has nobody to take out, and more than a
    /// call takes are not named at once.
    pub(super) fn take_over<M: Payload + Wire + Send + Sync + 'static>(
        self,
        room: &Room<M>,
        pins: &mut Vec<(PinId, EncodedDirect)>,
        now: Instant,
    ) {
        let host = room.moderation(Actor::Host);
        let has_changed = self.lasting.is_some();
        let lasting = self.lasting.unwrap_or_default();
        if let Some(config) = lasting.reconfigured() {
            // Where this node opened it otherwise in what is fixed, it goes on as it is.
            let _ = room.reconfigure(&config.with_owner(room.owner()));
        }
        let owner = lasting.owner;
        if has_changed {
            take_over_pins(room, pins, &lasting);
        }
        let owner = owner.filter(|&owner| room.owner() != Some(owner));
        let _ = room.data().import(self.state.clone());
        if let Some(owner) = owner {
            let _ = host.set_owner(owner);
            // Whoever was the owner may be an admin now, or banned.
            let _ = room.data().import(self.state);
        }
        for &user in &self.kicked {
            let _ = host.kick(&[user]);
        }
        for &user in &self.banned {
            let left = match room.banned_until(user) {
                Some(Until::At(end)) => Some(end.saturating_since(now)),
                Some(Until::Forever) => None,
                None => continue,
            };
            let _ = host.ban(&[user], left);
        }
    }
}

/// What is pinned is so in the room of this node: whoever joins here gets it first. `before` is what was
/// pinned here by now; what has not changed since keeps its time.
pub(super) fn take_over_pins<M: Payload + Wire + Send + Sync + 'static>(
    room: &Room<M>,
    before: &mut Vec<(PinId, EncodedDirect)>,
    lasting: &Lasting,
) {
    let host = room.moderation(Actor::Host);
    // What stays stands before the others in the same order; what was unpinned and pinned again comes last.
    let mut stays = lasting.pins.iter().peekable();
    for id in room.pinned() {
        if stays.next_if(|(next, _)| *next == id).is_none() {
            let _ = host.unpin(id);
            before.retain(|(its, _)| *its != id);
        }
    }
    for pin in lasting.pins.iter().filter(|pin| !before.contains(pin)) {
        // One that another version has written is passed over; it has passed the limits of the room.
        let _ = pin.1.decode().map(|direct| host.pin(pin.0, direct));
    }
    before.clone_from(&lasting.pins);
}
