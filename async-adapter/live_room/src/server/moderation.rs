//! Carries out what the owner and the admins want. Who may do what to whom is the engine's to say: this asks it in the actor's name.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use roomcast::error::{ModerationError, NotAllowed};
use roomcast::message::Seq;
use roomcast::moderation::{PinId, PinReason, Retraction, Role};
use roomcast::{Actor, Direct, Room, Source, UserId};

use super::nicks::Nicks;
use crate::message::What;
use crate::protocol::{Act, Order};
use crate::room::{OWNER, Said, offer};
use crate::tip::{Speak, Tip};

/// Someone who wants something done.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moderator<'a> {
    /// The room.
    pub(super) room: &'a Room<Said>,
    /// Whose nick it is.
    pub(super) nicks: &'a Nicks,
    /// Who wants it; `None` for a guest.
    pub(super) user: Option<UserId>,
    /// Their nick.
    pub(super) nick: &'a Arc<str>,
}

impl Moderator<'_> {
    /// Does something to someone and tells everyone. The error is a line for the one who wanted it.
    pub(super) fn carry_out(self, order: Order) -> Result<(), String> {
        let Order { act, name, seconds, .. } = order;
        let actor = self.actor()?;
        let user = self
            .nicks
            .user(self.room, &name)
            .ok_or_else(|| format!("nobody called {name:?} has been here"))?;
        let (room, users) = (self.room, &[user][..]);
        let time = seconds.map(|seconds| Duration::from_secs(seconds.into()));
        let done = match act {
            Act::Mute => room
                .moderation(actor)
                .mute(users, time)
                .map(|()| Some(Tip::Muted { name: name.clone(), seconds })),
            Act::Unmute => room
                .moderation(actor)
                .unmute(users)
                .map(|()| Some(Tip::Unmuted { name: name.clone() })),
            Act::Kick => room
                .moderation(actor)
                .kick(users)
                .map(|()| Some(Tip::Kicked { name: name.clone() })),
            Act::Ban => room
                .moderation(actor)
                .ban(users, time)
                .map(|()| Some(Tip::Banned { name: name.clone(), seconds })),
            Act::Unban => room
                .moderation(actor)
                .unban(users)
                .map(|()| Some(Tip::Unbanned { name: name.clone() })),
            Act::SetAdmin => room
                .moderation(actor)
                .add_admin(user)
                .map(|changed| changed.then(|| Tip::AdminSet { name: name.clone() })),
            // The engine tells the pages.
            Act::Retract => room.moderation(actor).retract(Retraction::AllOf(user)).map(|_| None),
            Act::Mark => room
                .moderation(actor)
                .mark(users)
                .map(|()| Some(Tip::Marked { name: name.clone() })),
            Act::Unmark => room
                .moderation(actor)
                .unmark(users)
                .map(|()| Some(Tip::Unmarked { name: name.clone() })),
            Act::RemoveAdmin => room
                .moderation(actor)
                .remove_admin(user)
                .map(|changed| changed.then(|| Tip::AdminRemoved { name: name.clone() })),
        };
        let tip = done.map_err(|error| self.words(&error, &name))?;
        if let Some(tip) = tip {
            self.tell(tip);
        }
        Ok(())
    }

    /// Takes a message back, if they may, and it is still there. The engine tells the pages.
    pub(super) fn retract(self, seq: Seq) -> Result<(), String> {
        let retracted = self.room.moderation(self.actor()?).retract(Retraction::Sent(seq));
        let retracted = retracted.map_err(|error| match error {
            ModerationError::NotAllowed(NotAllowed { target: Some(user), .. }) => {
                let name =
                    if user == OWNER { self.nicks.owner() } else { self.room.user_name(user) };
                self.words(&error, name.as_deref().unwrap_or("somebody"))
            }
            other => self.words(&other, "the host"),
        })?;
        if retracted.is_empty() { Err("it is not there any more".to_owned()) } else { Ok(()) }
    }

    /// Mutes the room, or no longer, and tells everyone.
    pub(super) fn mute_room(self, muted: bool) -> Result<(), String> {
        let moderation = self.room.moderation(self.actor()?);
        let done = if muted { moderation.mute_room() } else { moderation.unmute_room() };
        done.map_err(|error| self.words(&error, "the room"))?;
        self.tell(if muted { Tip::RoomMuted } else { Tip::RoomUnmuted });
        Ok(())
    }

    /// Says who may speak, and tells everyone, if that is news.
    pub(super) fn set_speak_mode(self, mode: Speak) -> Result<(), String> {
        let changed = self.room.moderation(self.actor()?).set_speak_mode(mode.into());
        if changed.map_err(|error| self.words(&error, "the room"))? {
            self.tell(Tip::SpeakMode(mode));
        }
        Ok(())
    }

    /// Pins words above the chat: whoever comes gets them from the engine, those who are here from this.
    pub(super) fn pin(self, text: String) -> Result<(), String> {
        /// Each pin has a number of its own, so that two at once are two.
        static PINNED: AtomicU64 = AtomicU64::new(0);

        let actor = self.actor()?;
        let pin = PINNED.fetch_add(1, Ordering::Relaxed) + 1;
        let said = offer(Source::Host, Arc::clone(self.nick), What::Pinned { pin, text });
        let (nick, what) = (Arc::clone(&said.payload.nick), said.payload.what.clone());
        let direct = Direct::new(Said { nick, what, encoded: OnceLock::new() });
        let pinned = self.room.moderation(actor).pin(PinId(pin), direct.kind(said.kind));
        pinned.map_err(|refused| match refused.reason {
            PinReason::Moderation(error) => self.words(&error, "the room"),
            other => other.to_string(),
        })?;
        let _ = self.room.try_publish(said);
        Ok(())
    }

    /// Unpins what has this number. The engine tells the pages.
    pub(super) fn unpin(self, pin: PinId) -> Result<(), String> {
        let unpinned = self.room.moderation(self.actor()?).unpin(pin);
        let was_there = unpinned.map_err(|error| self.words(&error, "the room"))?;
        if was_there { Ok(()) } else { Err("it is not pinned any more".to_owned()) }
    }

    /// Whether they may speak in the host's name. The engine knows no such action of a user: a notice is the host's, and this host lends
    /// its voice to those whom the engine calls owner or admin.
    pub(super) fn may_give_notice(self) -> Result<(), String> {
        let allowed = self.user.is_some_and(|user| self.room.role_of(user) >= Role::Admin);
        allowed
            .then_some(())
            .ok_or_else(|| "only the owner and the admins may give notice".to_owned())
    }

    fn actor(self) -> Result<Actor, String> {
        self.user.map(Actor::User).ok_or_else(|| "guests may not do that: join by name".to_owned())
    }

    /// Offers the tip. If the room is too hot even for this, the ledger says so; what was done is done.
    fn tell(self, tip: Tip) {
        let _ = self.room.try_publish(offer(Source::Host, Arc::clone(self.nick), What::Tip(tip)));
    }

    /// The engine's words, with names for numbers.
    fn words(self, error: &ModerationError, target: &str) -> String {
        match error {
            ModerationError::NotAllowed(not) => {
                format!("{} may not {} {target}: {}", self.nick, not.action, not.rule)
            }
            other => other.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use roomcast::time::Instant;
    use roomcast::{Clock, Hub, Item, Join, RoomConfig, RoomId};

    use super::*;
    use crate::tip::Speakers;

    struct Still;

    impl Clock for Still {
        fn now(&self) -> Instant {
            Instant::ZERO
        }
    }

    #[tokio::test]
    async fn the_engine_decides_and_everyone_is_told() {
        let hub = Hub::<Said>::builder().clock(Still).spawn();
        let room =
            hub.create_room(RoomId(1), &RoomConfig::builder(OWNER).build().unwrap()).unwrap();
        let nicks = Arc::new(Nicks::default());
        let held = ["kim", "ann", "bob"].map(|nick| nicks.hold(nick, "").unwrap());
        let [kim, ann, bob] = held.each_ref().map(|held| Moderator {
            room: &room,
            nicks: &nicks,
            user: nicks.user(&room, held.nick()),
            nick: held.nick(),
        });
        let mut witness = room.join(Join::guest()).unwrap();
        let order = |act, name: &str| Order { id: 1, act, name: name.to_owned(), seconds: None };

        kim.carry_out(order(Act::SetAdmin, "ann")).unwrap();
        kim.carry_out(order(Act::SetAdmin, "ann")).unwrap();
        ann.carry_out(order(Act::Ban, "bob")).unwrap();
        ann.mute_room(true).unwrap();
        assert!(room.join(Join::user(bob.user.unwrap())).is_err());
        let refused = |result: Result<(), String>| result.unwrap_err();
        assert_eq!(
            refused(ann.carry_out(order(Act::Mute, "ann"))),
            "ann may not mute ann: an admin may not do that to an admin"
        );
        assert_eq!(
            refused(ann.carry_out(order(Act::Kick, "kim"))),
            "ann may not kick kim: nobody may do that to the owner"
        );
        assert_eq!(
            refused(bob.mute_room(false)),
            "bob may not unmute the room: only the host, the owner and the admins may"
        );
        assert_eq!(
            refused(kim.carry_out(order(Act::Kick, "eve"))),
            r#"nobody called "eve" has been here"#
        );
        assert_eq!((kim.may_give_notice(), ann.may_give_notice()), (Ok(()), Ok(())));
        assert_eq!(refused(bob.may_give_notice()), "only the owner and the admins may give notice");
        // Who may speak, and what stays above the chat.
        let mode = Speak { who: Speakers::Marked, seconds: None, unique: true };
        ann.set_speak_mode(mode).unwrap();
        ann.set_speak_mode(mode).unwrap();
        assert_eq!(Speak::from(room.speak_mode()), mode);
        assert!(refused(bob.set_speak_mode(mode)).starts_with("bob may not "));
        assert!(refused(bob.pin("me".to_owned())).starts_with("bob may not"));
        ann.pin("welcome".to_owned()).unwrap();
        let pins = room.pinned();
        let mut late = room.join(Join::guest()).unwrap();
        let first = late.next_batch().await.unwrap();
        let Some(Item::Direct(pinned)) = first.items().next() else { panic!("{first:?}") };
        assert_eq!((pinned.pin, &*pinned.payload.nick), (Some(pins[0]), "ann"));
        assert_eq!(
            pinned.payload.what,
            What::Pinned { pin: pins[0].0, text: "welcome".to_owned() }
        );
        assert!(refused(bob.unpin(pins[0])).starts_with("bob may not"));
        ann.unpin(pins[0]).unwrap();
        assert_eq!(refused(ann.unpin(pins[0])), "it is not pinned any more");
        for text in ["1", "2", "3"] {
            kim.pin(text.to_owned()).unwrap();
        }
        assert_eq!(
            refused(kim.pin("4".to_owned())),
            "too many pinned messages (limit 3); replace or unpin one"
        );
        let guest = Moderator { user: None, ..bob };
        assert_eq!(refused(guest.mute_room(true)), "guests may not do that: join by name");

        let mut told = Vec::new();
        while told.len() < 8 {
            for item in witness.next_batch().await.unwrap().items() {
                let Item::Message(message) = item else { continue };
                told.push((message.payload.nick.to_string(), message.payload.what.clone()));
            }
        }
        let tip = |nick: &str, tip| (nick.to_owned(), What::Tip(tip));
        let expected = [
            tip("kim", Tip::AdminSet { name: "ann".to_owned() }),
            tip("ann", Tip::Banned { name: "bob".to_owned(), seconds: None }),
            tip("ann", Tip::RoomMuted),
            tip("ann", Tip::SpeakMode(mode)),
        ];
        let pinned = told.split_off(4);
        assert!(matches!(&pinned[0], (nick, What::Pinned { .. }) if nick == "ann"));
        assert_eq!(told, expected, "what changes nothing is not told");
    }
}
