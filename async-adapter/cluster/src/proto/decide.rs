//! What an owner does with what edges forward, and what becomes of it.

use super::owner::{Offered, Owner};
use crate::wire::{
    Command, Decided, EncodedDirect, Fate, Forward, NotDone, Origin, ToUser, What, Wire, payload_of,
};
use roomcast_core::admission::RoomStatus;
use roomcast_core::data::DataError;
use roomcast_core::dedup::SaidKey;
use roomcast_core::error::{CloseError, ModerationError, ReconfigureError};
use roomcast_core::ids::CorrelationId;
use roomcast_core::message::{EdgeMessage, OutcomeSink, Payload};
use roomcast_core::pins::PinReason;
use roomcast_core::timed::Until;
use roomcast_core::{Actor, Event, Instant, Outcome, RoomConfig};

impl<M: Payload + Wire + Clone> Owner<M> {
    /// A forward has come, in its turn.
    pub(super) fn accept(&mut self, now: Instant, edge: u64, forward: Forward<M>) {
        let Forward { number, what } = forward;
        let decided = match what {
            What::Message(message) => {
                self.offer(now, edge, number, message);
                self.pick_up();
                return;
            }
            What::Count { key, gained } => self.count(&key, gained),
            What::Command { actor, command: Command::SendDirect(user, direct) } => {
                match self.may_send(actor, &direct) {
                    Ok(()) => {
                        // It is done when the log has it.
                        let fate = Fate { edge, number, decided: Decided::Done };
                        self.directs.push_back((fate, ToUser { user, direct }));
                        return;
                    }
                    refused => refused,
                }
            }
            What::Command { actor, command: Command::Retract(what) } => {
                let fate = Fate { edge, number, decided: Decided::Done };
                self.take_back(now, actor, fate, what);
                return;
            }
            What::Command { actor, command } => {
                let done = self.carry_out(now, actor, command);
                self.pick_up();
                done
            }
            What::Unknown => Err(NotDone::Unknown),
        };
        let decided = decided.map_or_else(Decided::NotDone, |()| Decided::Done);
        self.fates.push_back((Fate { edge, number, decided }, None));
    }

    fn offer(&mut self, now: Instant, edge: u64, number: u64, mut message: EdgeMessage<M>) {
        self.tags += 1;
        let tag = self.tags;
        // The key of a session says something at its own edge only.
        let session = message.session.take();
        let offered = Offered {
            edge,
            number,
            origin: session.map(|session| Origin { edge, session: session.key().to_bits() }),
            key: message.dedup_key,
            sender: message.sender,
            priority: message.priority,
            id: None,
            admitted_at: message.admitted_at,
        };
        message.outcome_sink = OutcomeSink::Event(CorrelationId(tag));
        self.offered.insert(tag, offered);
        match self.admission.publish(now, message.into_publish()) {
            Ok(receipt) => {
                if let Some(outcome) = receipt.outcome {
                    self.decide(tag, outcome);
                } else if let Some(offered) = self.offered.get_mut(&tag) {
                    offered.id = Some(receipt.id);
                    self.by_id.insert(receipt.id, tag);
                }
            }
            Err(refused) => {
                let (reason, retry_at) = (Some(refused.reason), refused.retry_at);
                self.have_decided(tag, Decided::Refused { reason, retry_at });
            }
        }
    }

    /// An event of the admission. Nobody is in here, so there is nothing else to be heard.
    pub(super) fn hear_outcome(&mut self, event: &Event) {
        if let Event::Outcome {
            outcome_sink: OutcomeSink::Event(CorrelationId(tag)),
            outcome,
            ..
        } = event
        {
            self.decide(*tag, *outcome);
        }
    }

    fn decide(&mut self, tag: u64, outcome: Outcome) {
        let decided = match outcome {
            Outcome::Dispatched { seq, .. } => Decided::Dispatched { seq },
            Outcome::Dropped { reason, retry_at, .. } => {
                Decided::Dropped { reason: Some(reason), retry_at }
            }
            Outcome::Merged { carrier } => {
                let carrier = self.by_id.get(&carrier).and_then(|tag| self.offered.get(tag));
                let edge = self.offered.get(&tag).map(|offered| offered.edge);
                let carrier = carrier.filter(|carrier| Some(carrier.edge) == edge);
                Decided::Merged { carrier: carrier.map(|carrier| carrier.number) }
            }
            // One that this version has not heard of.
            _ => Decided::Dropped { reason: None, retry_at: None },
        };
        self.have_decided(tag, decided);
    }

    fn have_decided(&mut self, tag: u64, decided: Decided) {
        let Some(offered) = self.offered.remove(&tag) else { return };
        let Offered { edge, number, origin, key, sender, priority, id, admitted_at } = offered;
        if let Some(id) = id {
            self.by_id.remove(&id);
        }
        match decided {
            Decided::Dispatched { seq } => {
                self.origins.insert(seq, (origin, key));
            }
            // It is said again by no one, whatever becomes of what carries it.
            Decided::Merged { .. } => {
                let said = key.map(|key| SaidKey { key, priority, said_at: admitted_at });
                self.change.said.extend(said.map(|said| (sender, said)));
            }
            _ => {}
        }
        self.fates.push_back((Fate { edge, number, decided }, Some(priority)));
    }

    /// Whether a direct message may go to whoever it is for.
    fn may_send(&self, actor: Actor, direct: &EncodedDirect) -> Result<(), NotDone> {
        if self.admission.state() == RoomStatus::Closed {
            return Err(NotDone::RoomClosed);
        }
        if actor != Actor::Host {
            return Err(NotDone::NotAllowed);
        }
        let payload: M = payload_of(&direct.payload).map_err(|_| NotDone::Unknown)?;
        let max = self.config.payload_bytes();
        if payload.size() > max as usize { Err(NotDone::Limit) } else { Ok(()) }
    }

    /// Goes on under another configuration.
    fn reconfigure(&mut self, now: Instant, actor: Actor, text: Box<str>) -> Result<(), NotDone> {
        if actor != Actor::Host {
            return Err(NotDone::NotAllowed);
        }
        let config: RoomConfig = serde_json::from_str(&text).map_err(|_| NotDone::Unknown)?;
        let config = config.with_owner(self.admission.owner());
        self.admission.reconfigure(now, &config).map_err(|error| match error {
            ReconfigureError::RoomClosed => NotDone::RoomClosed,
            _ => NotDone::Fixed,
        })?;
        self.config = config;
        self.lasting.config = Some(text.clone());
        self.change.config = Some(text);
        Ok(())
    }

    fn count(&mut self, key: &str, gained: i64) -> Result<(), NotDone> {
        let sum = self.admission.add_counter(key, gained).map_err(not_done_data)?;
        self.change.counters.push((key.into(), Some(sum)));
        Ok(())
    }

    fn carry_out(&mut self, now: Instant, actor: Actor, command: Command) -> Result<(), NotDone> {
        let room = &mut self.admission;
        let (change, wrong) = (&mut self.change, not_done);
        match command {
            Command::Mute(user, time) => {
                room.mute(now, actor, &[user], time).map_err(wrong)?;
                let until = room.muted_until(now, user);
                change.unmuted.retain(|other| *other != user);
                change.muted.extend(until.map(|until| (user, until)));
            }
            Command::Unmute(user) => {
                room.unmute(now, actor, &[user]).map_err(wrong)?;
                change.muted.retain(|(other, _)| *other != user);
                change.unmuted.push(user);
            }
            Command::Ban(user, time) => {
                room.ban(now, actor, &[user], time).map_err(wrong)?;
                let until = room.banned_until(now, user).unwrap_or(Until::Forever);
                change.unbanned.retain(|other| *other != user);
                change.banned.push((user, until));
            }
            Command::Unban(user) => {
                room.unban(now, actor, &[user]).map_err(wrong)?;
                change.banned.retain(|(other, _)| *other != user);
                change.unbanned.push(user);
            }
            Command::Kick(user) => {
                room.kick(now, actor, &[user]).map_err(wrong)?;
                change.kicked.push(user);
            }
            Command::AddAdmin(user) => {
                room.add_admin(now, actor, user).map_err(wrong)?;
                change.no_admins.retain(|other| *other != user);
                change.admins.push(user);
            }
            Command::RemoveAdmin(user) => {
                room.remove_admin(now, actor, user).map_err(wrong)?;
                change.admins.retain(|other| *other != user);
                change.no_admins.push(user);
            }
            Command::MuteRoom(true) => {
                room.mute_room(now, actor).map_err(wrong)?;
                change.room_muted = Some(true);
            }
            Command::MuteRoom(false) => {
                room.unmute_room(now, actor).map_err(wrong)?;
                change.room_muted = Some(false);
            }
            Command::SetSpeakMode(mode) => {
                room.set_speak_mode(now, actor, mode).map_err(wrong)?;
                change.speak_mode = Some(mode);
            }
            Command::Mark(user) => {
                room.mark(now, actor, &[user]).map_err(wrong)?;
                change.unmarked.retain(|other| *other != user);
                change.marked.push(user);
            }
            Command::Unmark(user) => {
                room.unmark(now, actor, &[user]).map_err(wrong)?;
                change.marked.retain(|other| *other != user);
                change.unmarked.push(user);
            }
            Command::WriteAttribute { key, value, based_on } => {
                let written = room.write_attributes(now, based_on, &[(&*key, value.as_deref())]);
                change.attributes_version = Some(written.map_err(not_done_data)?);
                change.attributes.push((key, value));
            }
            Command::SetOwner(user) => {
                room.set_owner(now, actor, user).map_err(wrong)?;
                // Who was an admin is none any more.
                change.admins.retain(|other| *other != user);
                change.no_admins.push(user);
                change.owner = Some(user);
                self.lasting.owner = Some(user);
                self.config = self.config.clone().with_owner(Some(user));
            }
            Command::SetCounter { key, value } => {
                match value {
                    Some(value) => room.set_counter(&key, value).map_err(not_done_data)?,
                    None => room.remove_counter(&key).map_err(not_done_data)?,
                };
                change.counters.push((key, value));
            }
            Command::AddCounter { key, delta } => return self.count(&key, delta),
            Command::Reconfigure(config) => return self.reconfigure(now, actor, config),
            Command::Close => room.close(now, actor).map_err(|error| match error {
                CloseError::NotAllowed(_) => NotDone::NotAllowed,
                _ => NotDone::RoomClosed,
            })?,
            Command::Pin(id, pin) => {
                let direct = pin.decode().map_err(|_| NotDone::Unknown)?;
                room.pin(now, actor, id, direct).map_err(|refused| match refused.reason {
                    PinReason::Moderation(error) => not_done(error),
                    _ => NotDone::Limit,
                })?;
                self.lasting.pin((id, Some(pin.clone())));
                change.pins.push((id, Some(pin)));
            }
            Command::Unpin(id) => {
                if room.unpin(now, actor, id).map_err(wrong)? {
                    self.lasting.pin((id, None));
                    change.pins.push((id, None));
                }
            }
            // They have a fate of their own.
            Command::SendDirect(..) | Command::Retract(_) => return Err(NotDone::Unknown),
        }
        Ok(())
    }
}

pub(super) fn not_done(error: ModerationError) -> NotDone {
    match error {
        ModerationError::RoomClosed => NotDone::RoomClosed,
        ModerationError::NotAllowed(_) => NotDone::NotAllowed,
        ModerationError::Banned { .. } => NotDone::Banned,
        _ => NotDone::Limit,
    }
}

fn not_done_data(error: DataError) -> NotDone {
    match error {
        DataError::RoomClosed => NotDone::RoomClosed,
        DataError::Conflict { .. } => NotDone::Conflict,
        _ => NotDone::Limit,
    }
}
