//! How a room under watch is run: its rights, its data, its settings, its end.

use super::Checked;
use crate::moderation::Act;
use crate::oracle::data::{Change, Count};
use crate::payload::Probe;
use crate::rules::Rules;
use crate::violation::{Check, Law, Violation, same};
use roomcast_core::pins::{PinId, PinRefused};
use roomcast_core::retraction::Retraction;
use roomcast_core::{Actor, Direct, Instant, Memory, RoomState, UserId};

impl Checked {
    /// `RoomState::close`.
    pub fn close(&mut self, room: &mut RoomState<Probe>, now: Instant, actor: Actor) -> Check {
        let waiting = |room: &RoomState<Probe>| {
            let books = room.snapshot(now).admission.ledger.total();
            books.queued + books.under_review
        };
        let mut waited = waiting(room);
        let answer = room.close(now, actor);
        self.on_hub("close", &answer, |hub| hub.close(now, actor))?;
        self.mirrored(room, "close", answer, |twin| twin.close(now, actor))?;
        // One call drops 1,024 of those that wait; the next ones drop the rest, and do what else is
        // due.
        let mut is_due = false;
        while answer.is_ok() && waiting(room) > 0 {
            let rest = waited.saturating_sub(1_024);
            same(Law::L7Bounded, "what one call leaves", rest, waiting(room))?;
            waited = rest;
            room.handle_timeout(now);
            self.twin.handle_timeout(now);
            is_due = true;
        }
        self.oracle.closed(now, actor, answer)?;
        if is_due {
            self.oracle.timed_out(now, &self.twin.take_dispatches())?;
        }
        self.inspect(room)
    }

    /// `RoomState::retract`.
    pub fn retract(
        &mut self,
        room: &mut RoomState<Probe>,
        now: Instant,
        actor: Actor,
        what: Retraction,
    ) -> Check {
        let answer = room.retract(now, actor, what);
        self.on_hub("retract", &answer, |hub| hub.retract(now, actor, what))?;
        self.mirrored(room, "retract", answer.clone(), |twin| twin.retract(now, actor, what))?;
        self.oracle.retracted(now, actor, what, &answer)?;
        self.inspect(room)
    }

    /// `RoomState::pin`, of a new payload of this size, or with none `RoomState::unpin`.
    pub fn pin(
        &mut self,
        room: &mut RoomState<Probe>,
        now: Instant,
        actor: Actor,
        id: PinId,
        size: Option<usize>,
    ) -> Check {
        let Some(size) = size else {
            let answer = room.unpin(now, actor, id);
            self.on_hub("unpin", &answer, |hub| hub.unpin(now, actor, id))?;
            self.mirrored(room, "unpin", answer, |twin| twin.unpin(now, actor, id))?;
            self.oracle.unpinned(now, actor, id, answer)?;
            return self.inspect(room);
        };
        self.payloads += 1;
        let payload = self.payloads;
        let direct = || Direct::new(Probe::new(payload, size));
        let bare = |answer: Result<(), PinRefused<Probe>>| {
            answer.map_err(|refused| (refused.reason, refused.payload.id()))
        };
        let answer = bare(room.pin(now, actor, id, direct()));
        self.on_hub("pin", &answer, |hub| bare(hub.pin(now, actor, id, direct())))?;
        self.mirrored(room, "pin", answer, |twin| bare(twin.pin(now, actor, id, direct())))?;
        let back = answer.err().map_or(payload, |(_, payload)| payload);
        same(Law::L8NothingLost, "the payload that was not pinned", payload, back)?;
        let answer = answer.map_err(|(reason, _)| reason);
        self.oracle.pinned(now, actor, id, (payload, size), answer)?;
        self.inspect(room)
    }

    /// `RoomState::set_memory`.
    pub fn set_memory(&mut self, room: &mut RoomState<Probe>, memory: Memory) {
        room.set_memory(memory);
        self.twin.set_memory(memory);
        self.oracle.told_memory(memory);
    }

    /// `RoomState::trim`.
    pub fn trim(&mut self, room: &mut RoomState<Probe>, bytes: u64, limit: u64) -> Check {
        let answer = room.trim(bytes, limit);
        same(Law::L9Deterministic, "trim", answer, self.twin.trim(bytes, limit))?;
        self.oracle.trimmed(bytes, limit, answer)?;
        self.inspect(room)
    }

    /// `RoomState::reconfigure`.
    pub fn reconfigure(
        &mut self,
        room: &mut RoomState<Probe>,
        now: Instant,
        rules: &Rules,
    ) -> Check {
        let config = rules
            .config()
            .map_err(|error| Violation::new(Law::Members, "the new rules", "valid ones", error))?;
        let answer = room.reconfigure(now, &config);
        self.on_hub("reconfigure", &answer, |hub| hub.reconfigure(now, &config))?;
        self.mirrored(room, "reconfigure", answer, |twin| twin.reconfigure(now, &config))?;
        self.oracle.reconfigured(now, rules.clone(), answer, &self.twin.take_dispatches())?;
        self.inspect(room)
    }

    /// A call that deals with users.
    pub fn moderate(
        &mut self,
        room: &mut RoomState<Probe>,
        now: Instant,
        actor: Actor,
        act: &Act,
    ) -> Check {
        let answer = act.on(room, now, actor);
        self.on_hub("moderation", &answer, |hub| hub.moderate(now, actor, act))?;
        self.mirrored(room, "moderation", answer, |twin| act.on(twin, now, actor))?;
        self.oracle.moderated(now, actor, act, answer)?;
        self.inspect(room)
    }

    /// `RoomState::write_attributes`, or `write_attributes_of` an owner, each value filled with `fill`.
    pub fn write_attributes(
        &mut self,
        room: &mut RoomState<Probe>,
        now: Instant,
        (owner, based_on): (Option<UserId>, Option<u64>),
        changes: &[Change],
        fill: u8,
    ) -> Check {
        let values: Vec<_> =
            changes.iter().map(|(_, size)| size.map(|size| vec![fill; size])).collect();
        let borrowed: Vec<_> = changes
            .iter()
            .zip(&values)
            .map(|((key, _), value)| (key.as_str(), value.as_deref()))
            .collect();
        let call = |room: &mut RoomState<Probe>| match owner {
            Some(owner) => room.write_attributes_of(now, owner, based_on, &borrowed),
            None => room.write_attributes(now, based_on, &borrowed),
        };
        let answer = call(room);
        self.on_hub("write_attributes", &answer, |hub| {
            hub.write_attributes(now, owner, based_on, &borrowed)
        })?;
        self.mirrored(room, "write_attributes", answer, call)?;
        self.oracle.attributes_written(now, (owner, based_on), changes, fill, answer)?;
        self.inspect(room)
    }

    /// `RoomState::export`, and `RoomState::import` of the same: what lasts comes back as it was.
    pub fn restart(&mut self, room: &mut RoomState<Probe>, now: Instant) -> Check {
        let carried = room.export(now);
        same(Law::L9Deterministic, "export", &carried, &self.twin.export(now))?;
        let said = carried.said.clone();
        let answer = room.import(now, carried.clone());
        self.on_hub("import", &answer, |hub| hub.restart(now))?;
        self.mirrored(room, "import", answer, |twin| twin.import(now, carried))?;
        self.oracle.restarted(now, &said, answer.is_ok())?;
        self.inspect(room)?;
        self.oracle.inspect_sessions(room)
    }

    /// A call of a counter.
    pub fn count(&mut self, room: &mut RoomState<Probe>, key: &str, count: Count) -> Check {
        let call = |room: &mut RoomState<Probe>| match count {
            Count::Set(value) => room.set_counter(key, value),
            Count::Add(delta) => room.add_counter(key, delta).map(Some),
            Count::Remove => room.remove_counter(key),
        };
        let answer = call(room);
        self.on_hub("a counter", &answer, |hub| hub.count(key, count))?;
        self.mirrored(room, "a counter", answer, call)?;
        self.oracle.counted(key, count, answer)?;
        self.inspect(room)
    }

    /// `RoomState::set_profile`, with a new profile of this size.
    pub fn set_profile(
        &mut self,
        room: &mut RoomState<Probe>,
        user: UserId,
        size: Option<usize>,
    ) -> Check {
        self.payloads += 1;
        let id = self.payloads;
        let profile = || size.map(|size| Probe::new(id, size));
        let answer = room.set_profile(user, profile());
        let is_set = answer.as_ref().copied().map_err(|_| ());
        self.on_hub("set_profile", &is_set.is_ok(), |hub| hub.set_profile(user, profile()))?;
        self.mirrored(room, "set_profile", is_set, |twin| {
            twin.set_profile(user, profile()).map_err(|_| ())
        })?;
        self.oracle.profile_set(user, size.map(|size| (id, size)), &answer)?;
        self.inspect(room)
    }
}
