//! Records of every kind, for the tests of the wire.

use roomcast_cluster::wire::{
    Books, Change, Command, Decided, EdgeBooks, EdgeMessages, EdgeSeen, EncodedDirect, Fate,
    Flight, Forward, Forwards, NodeBooks, NotDone, Origin, Sent, ToUser, What, Withdrawn,
};
use roomcast_core::admission::Continued;
use roomcast_core::dedup::SaidKey;
use roomcast_core::ids::{MessageId, PinId, Seq, SessionKey};
use roomcast_core::ledger::{DropReason, RefusalReason};
use roomcast_core::message::{
    DedupKey, EdgeMessage, MergeKey, MessageParts, Reviewed, Sender, Urgency,
};
use roomcast_core::quota::LimitLeft;
use roomcast_core::speak_mode::{MaySpeak, SpeakMode};
use roomcast_core::time::Duration;
use roomcast_core::timed::Until;
use roomcast_core::{Actor, Direct, Instant, Kind, PerLevel, Priority, UserId};
use std::sync::Arc;

pub(crate) type Text = Arc<str>;

/// When the records are made, by the clock of whoever makes them.
pub(crate) const NOW: Instant = Instant::from_millis(1_700_000_000_123);

fn message(seq: u64, position: u64, priority: Priority) -> MessageParts<Text> {
    MessageParts {
        seq: Seq(seq),
        position,
        priority,
        kind: Kind::Text,
        sender: Sender::User(UserId(7)),
        session: None,
        units: 1,
        messages: 1,
        admitted_at: NOW.saturating_sub(Duration::from_millis(40)),
        dispatched_at: NOW,
        profile: None,
        payload: "hello".into(),
    }
}

/// One with something in every field.
pub(crate) fn full_flight() -> Flight<Text> {
    let mut continued = Continued::default();
    continued.life = 0xfeed;
    continued.heads = PerLevel([3, 12, 0, 1]);
    continued.rate = Some(LimitLeft::FullAt(NOW + Duration::from_millis(700)));
    continued.level_quotas =
        PerLevel([None, Some(LimitLeft::Passed { count: 3, at: NOW }), None, None]);
    continued.notices = Some(LimitLeft::FullAt(NOW));
    continued.heard = 4;
    let gift = MessageParts {
        kind: Kind::Custom,
        sender: Sender::Host,
        units: 99,
        messages: 3,
        profile: Some(Arc::new("profile".into())),
        payload: "rocket".into(),
        ..message(15, 2, Priority::High)
    };
    let messages = vec![
        Sent {
            parts: message(14, 10, Priority::Normal),
            origin: Some(Origin { edge: 900, session: 5 << 32 | 1 }),
            dedup_key: Some(DedupKey(77)),
        },
        Sent { parts: gift, origin: None, dedup_key: None },
        Sent { parts: message(16, 11, Priority::Normal), origin: None, dedup_key: None },
    ];
    let retry_at = Some(NOW + Duration::from_secs(1));
    let decided = [
        Decided::Dispatched { seq: Seq(14) },
        Decided::Dropped { reason: Some(DropReason::Expired), retry_at: None },
        Decided::Refused { reason: Some(RefusalReason::Muted), retry_at },
        Decided::Merged { carrier: Some(40) },
        Decided::Done,
        Decided::NotDone(NotDone::NotAllowed),
    ];
    let fate = |(number, decided)| Fate { edge: 900, number, decided };
    let said = SaidKey { key: DedupKey(5), priority: Priority::Low, said_at: NOW };
    let change = Change {
        admins: vec![UserId(1)],
        no_admins: vec![UserId(2)],
        muted: vec![(UserId(3), Until::At(NOW + Duration::from_secs(60)))],
        unmuted: vec![UserId(4)],
        banned: vec![(UserId(5), Until::Forever)],
        unbanned: vec![UserId(6)],
        kicked: vec![UserId(8)],
        room_muted: Some(true),
        attributes: vec![("topic".into(), Some(Arc::from(*b"\x00\xff"))), ("old".into(), None)],
        attributes_version: Some(9),
        counters: vec![("likes".into(), Some(-3)), ("old".into(), None)],
        said: vec![(Sender::Host, said), (Sender::User(UserId(9)), said)],
        ..Change::default()
    };
    Flight {
        incarnation: 1_700_000_000_000_000,
        epoch: 31,
        owner: 900,
        number: 12,
        sent_at: NOW,
        continued,
        messages,
        fates: (41..).zip(decided).map(fate).collect(),
        edges: vec![
            EdgeSeen { edge: 901, seen: 3, settled_below: 4 },
            EdgeSeen { edge: 900, seen: 46, settled_below: 44 },
        ],
        state: Some(Change { kicked: vec![], ..change.clone() }),
        change,
        checkpoint: 1_700_000_000_000_040,
        books: Books {
            dropped: PerLevel([1, 2, 3, 4]),
            refused: PerLevel([0, 1, 0, 0]),
            merged: PerLevel([0, 0, 900, 0]),
        },
        handed_to: Some(3),
        gathering: true,
        rows: Vec::new(),
        withdrawn: Vec::new(),
        directs: Vec::new(),
        closed: false,
    }
}

/// What came to the wire with speak modes.
pub(crate) fn flight_with_speech() -> Flight<Text> {
    let mut flight = empty_flight();
    let mode = SpeakMode::new(MaySpeak::MembersFor(Duration::from_secs(600)));
    flight.change = Change {
        marked: vec![UserId(1), UserId(2)],
        unmarked: vec![UserId(3)],
        speak_mode: Some(mode.unique_within(Duration::from_secs(30))),
        ..Change::default()
    };
    let speak_mode = Some(SpeakMode::new(MaySpeak::Marked));
    flight.state = Some(Change { speak_mode, ..Change::default() });
    flight
}

/// Commands that came to the wire with speak modes.
pub(crate) fn forwards_with_speech() -> Forwards<Text> {
    let commands = [
        Command::SetSpeakMode(SpeakMode::new(MaySpeak::Admins)),
        Command::SetSpeakMode(SpeakMode::EVERYONE.unique_within(Duration::from_secs(30))),
        Command::Mark(UserId(8)),
        Command::Unmark(UserId(8)),
    ];
    let commands = commands.map(|command| What::Command { actor: Actor::Host, command });
    let numbered = (42..).zip(commands).map(|(number, what)| Forward { number, what });
    Forwards { forwards: numbered.collect(), ..forwards() }
}

/// What an owner sends each second where nothing happens.
pub(crate) fn empty_flight() -> Flight<Text> {
    let mut continued = Continued::default();
    continued.heads = PerLevel([0, 7, 0, 0]);
    Flight {
        incarnation: 5,
        epoch: 1,
        owner: 900,
        number: 2,
        sent_at: NOW,
        continued,
        messages: vec![],
        fates: vec![],
        edges: vec![],
        change: Change::default(),
        state: None,
        checkpoint: 5,
        books: Books::default(),
        handed_to: None,
        gathering: false,
        rows: Vec::new(),
        withdrawn: Vec::new(),
        directs: Vec::new(),
        closed: false,
    }
}

/// One of every kind.
pub(crate) fn forwards() -> Forwards<Text> {
    let sender = Sender::User(UserId(7));
    let mut full = EdgeMessage::new(
        MessageId(3),
        sender,
        NOW.saturating_sub(Duration::from_secs(1)),
        "hi".into(),
    );
    full.session = Some(SessionKey::from_bits(5 << 32 | 1).in_life(0));
    full.priority = Priority::Low;
    full.kind = Kind::Custom;
    full.urgency = Urgency::Urgent;
    full.units = 12;
    full.dedup_key = Some(DedupKey(77));
    full.merge_key = Some(MergeKey::Combo { user: UserId(7), gift: 2 });
    full.reviewed = Reviewed::AtEdge;
    full.profile = Some(Arc::new("profile".into()));
    let plain = EdgeMessage::new(MessageId(4), Sender::Host, NOW, "plain".into());
    let merging = [MergeKey::Likes, MergeKey::Follows, MergeKey::Number(3)].map(|key| {
        let mut message = plain.clone();
        message.merge_key = Some(key);
        What::Message(message)
    });
    let (user, minute) = (UserId(8), Some(Duration::from_secs(60)));
    let attribute = |value: Option<&[u8]>, based_on| Command::WriteAttribute {
        key: "topic".into(),
        value: value.map(Arc::from),
        based_on,
    };
    let commands = [
        Command::Mute(user, minute),
        Command::Unmute(user),
        Command::Ban(user, None),
        Command::Unban(user),
        Command::Kick(user),
        Command::AddAdmin(user),
        Command::RemoveAdmin(user),
        Command::MuteRoom(true),
        Command::MuteRoom(false),
        attribute(Some(b"x"), Some(3)),
        attribute(None, None),
    ];
    let commands = commands.map(|command| What::Command { actor: Actor::User(UserId(1)), command });
    let count = What::Count { key: "likes".into(), gained: 5 };
    let all = [What::Message(full), What::Message(plain), count].into_iter();
    let all = all.chain(merging).chain(commands);
    let all = all.chain([What::Command { actor: Actor::Host, command: Command::Kick(user) }]);
    Forwards {
        edge: 900,
        epoch: 31,
        after: 40,
        heads: PerLevel([3, 12, 0, 1]),
        forwards: (42..).zip(all).map(|(number, what)| Forward { number, what }).collect(),
        books: None,
    }
}

/// The books of an edge.
pub(crate) fn node_books() -> NodeBooks {
    let mut books = EdgeBooks::default();
    (books.sessions, books.users) = (1_002, 950);
    books.messages[Priority::Normal] =
        EdgeMessages { submitted: 100, forwarded: 80, merged: 2, waiting: 3 };
    books.refused.insert("queue_full".into(), PerLevel([0, 10, 0, 0]));
    books.dropped.insert("expired".into(), PerLevel([0, 5, 0, 0]));
    let due = &mut books.deliveries[Priority::High];
    (due.due, due.delivered, due.skipped) = (60, 40, 10);
    (due.pending, due.excluded, due.abandoned) = (7, 2, 1);
    assert!(books.balances());
    NodeBooks { edge: 900, node: 7, as_of: NOW.saturating_sub(Duration::from_millis(300)), books }
}

/// A flight that tells of nothing but the books of edges.
pub(crate) fn flight_with_books() -> Flight<Text> {
    Flight { rows: vec![node_books()], ..empty_flight() }
}

/// An edge's books, and nothing else.
pub(crate) fn forwards_with_books() -> Forwards<Text> {
    Forwards { books: Some(node_books()), forwards: Vec::new(), ..forwards() }
}

/// What came to the wire with owners that change and counters that are set.
pub(crate) fn flight_with_owner() -> Flight<Text> {
    let mut flight = empty_flight();
    flight.change.owner = Some(UserId(7));
    flight.state = Some(flight.change.clone());
    flight
}

/// Commands that came to the wire with them.
pub(crate) fn forwards_with_owner() -> Forwards<Text> {
    let counter = |value| Command::SetCounter { key: "votes".into(), value };
    let add = Command::AddCounter { key: "votes".into(), delta: -2 };
    let commands = [Command::SetOwner(UserId(8)), counter(Some(5)), counter(None), add];
    let commands = commands.map(|command| What::Command { actor: Actor::User(UserId(1)), command });
    let numbered = (42..).zip(commands).map(|(number, what)| Forward { number, what });
    Forwards { forwards: numbered.collect(), ..forwards() }
}

/// What a direct message is on the wire.
fn direct() -> EncodedDirect {
    let direct = Direct::new(Text::from("warned")).priority(Priority::High).kind(Kind::Custom);
    EncodedDirect::new(&direct.sender(Sender::User(UserId(7))))
}

/// What came to the wire with rooms that are reconfigured and closed, and with direct messages.
pub(crate) fn flight_with_end() -> Flight<Text> {
    let mut flight = empty_flight();
    flight.change.config = Some(r#"{"rate":"60/s"}"#.into());
    flight.state = Some(flight.change.clone());
    let plain = EncodedDirect::new(&Direct::new(Text::from("hello")));
    flight.directs = vec![
        ToUser { user: UserId(8), direct: direct() },
        ToUser { user: UserId(9), direct: plain },
    ];
    flight.closed = true;
    flight
}

/// What came to the wire with pins.
pub(crate) fn flight_with_pins() -> Flight<Text> {
    let mut flight = empty_flight();
    flight.change.pins = vec![(PinId(1), Some(direct())), (PinId(2), None)];
    flight.state = Some(flight.change.clone());
    flight
}

/// Commands that came to the wire with them.
pub(crate) fn forwards_with_pins() -> Forwards<Text> {
    let commands = [Command::Pin(PinId(1), direct()), Command::Unpin(PinId(2))];
    let commands = commands.map(|command| What::Command { actor: Actor::Host, command });
    let numbered = (42..).zip(commands).map(|(number, what)| Forward { number, what });
    Forwards { forwards: numbered.collect(), ..forwards() }
}

/// What came to the wire with messages that are taken back.
pub(crate) fn flight_with_withdrawn() -> Flight<Text> {
    let withdrawn = vec![Withdrawn::Sent(Seq(3)), Withdrawn::AllOf(UserId(8))];
    Flight { withdrawn, ..empty_flight() }
}

/// Commands that came to the wire with them.
pub(crate) fn forwards_with_withdrawn() -> Forwards<Text> {
    let commands = [Withdrawn::Sent(Seq(3)), Withdrawn::AllOf(UserId(8))].map(Command::Retract);
    let commands = commands.map(|command| What::Command { actor: Actor::Host, command });
    let numbered = (42..).zip(commands).map(|(number, what)| Forward { number, what });
    Forwards { forwards: numbered.collect(), ..forwards() }
}

/// Commands that came to the wire with them.
pub(crate) fn forwards_with_end() -> Forwards<Text> {
    let config = Command::Reconfigure(r#"{"rate":"60/s"}"#.into());
    let commands = [config, Command::SendDirect(UserId(8), direct()), Command::Close];
    let commands = commands.map(|command| What::Command { actor: Actor::Host, command });
    let numbered = (42..).zip(commands).map(|(number, what)| Forward { number, what });
    Forwards { forwards: numbered.collect(), ..forwards() }
}
