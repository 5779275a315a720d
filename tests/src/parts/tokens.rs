//! Resume tokens of a hub (clause B23): what looks like one comes back from its bytes and its text
//! as it was, one that the hub gave out is good for its bearer alone, and one in which anything
//! was changed is void.

use crate::violation::{Check, Law, same};
use roomcast::event::StartPosition;
use roomcast::internals::by_hand;
use roomcast::session::ResumeToken;
use roomcast::{Hub, Join, Publish, Room, RoomConfig, RoomId, Source, UserId};

/// What is tried with tokens.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct Sequence {
    /// Whose token it is: a guest's from 128 on, or that of one of four users.
    pub user: u8,
    /// How often the session has come back before: 0 to 7.
    pub returns: u8,
    /// Anything, as bytes.
    pub bytes: Vec<u8>,
    /// Anything, as text.
    pub text: String,
    /// How the token is changed.
    pub edits: Vec<Edit>,
}

/// One change of a token.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Edit {
    /// A byte is another one.
    Change {
        /// Which.
        at: u16,
        /// In which bits.
        bits: u8,
    },
    /// The eight bytes of a number stand elsewhere.
    Swap {
        /// From there.
        from: u16,
        /// To there.
        to: u16,
    },
    /// So many bytes are left out.
    Cut {
        /// From where.
        at: u16,
        /// How many.
        count: u8,
    },
    /// So many bytes are put in.
    Insert {
        /// Where.
        at: u16,
        /// How many.
        count: u8,
        /// Of what.
        byte: u8,
    },
}

fn edited(token: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut bytes = token.to_vec();
    for edit in edits {
        let place = |at: u16| usize::from(at) % (bytes.len() + 1);
        match *edit {
            Edit::Change { at, bits } => {
                let at = place(at);
                bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= bits);
            }
            Edit::Swap { from, to } => {
                let (from, to) = (place(from), place(to));
                if from.max(to) + 8 <= bytes.len() && from.abs_diff(to) >= 8 {
                    for byte in 0..8 {
                        bytes.swap(from + byte, to + byte);
                    }
                }
            }
            Edit::Cut { at, count } => {
                let at = place(at);
                let end = (at + usize::from(count)).min(bytes.len());
                drop(bytes.drain(at..end));
            }
            Edit::Insert { at, count, byte } => {
                let at = place(at);
                let more = std::iter::repeat_n(byte, usize::from(count));
                drop(bytes.splice(at..at, more));
            }
        }
    }
    bytes
}

/// What looks like a token comes back from its bytes and from its text, and neither has a second
/// form.
fn round_trips(token: &ResumeToken) -> Check {
    let by_bytes = ResumeToken::try_from(token.as_bytes());
    same(Law::L8NothingLost, "a token by its bytes", Ok(token.clone()), by_bytes)?;
    let by_text = token.to_string().parse();
    same(Law::L8NothingLost, "a token by its text", Ok(token.clone()), by_text)?;
    let bytes = token.as_bytes().len();
    let is_a_length = bytes >= 73 && (bytes - 73).is_multiple_of(8) && bytes <= 73 + 64 * 8;
    same(Law::L7Bounded, format_args!("whether a token has {bytes} bytes"), true, is_a_length)
}

fn parse(bytes: &[u8], text: &str) -> Check {
    if let Ok(token) = ResumeToken::try_from(bytes) {
        same(Law::L8NothingLost, "the bytes of a token", bytes, token.as_bytes())?;
        round_trips(&token)?;
    }
    if let Ok(token) = text.parse::<ResumeToken>() {
        same(Law::L8NothingLost, "the text of a token", text, token.to_string().as_str())?;
        round_trips(&token)?;
    }
    Ok(())
}

/// Where somebody starts who comes with a token; nowhere, if a token makes a join fail.
fn start(
    room: &Room<&'static str>,
    user: Option<UserId>,
    token: ResumeToken,
) -> Option<StartPosition> {
    let join = user.map_or(Join::guest(), Join::user).resume(token);
    room.join(join).ok().map(|joined| joined.start())
}

/// Tries what there is to try.
pub fn run(sequence: &Sequence) -> Check {
    let Sequence { user, returns, bytes, text, edits } = sequence;
    parse(bytes, text)?;
    let user = (*user < 128).then(|| UserId(u64::from(user % 4)));
    let (hub, _workers) = by_hand(Hub::<&'static str>::builder().workers(1).seed(7), 1);
    let [room, other] = [1, 2].map(|id| {
        let room = hub.open_room(RoomId(id), &RoomConfig::default());
        room.unwrap_or_else(|error| unreachable!("a room of a fresh hub: {error}"))
    });
    let join = || user.map_or(Join::guest(), Join::user);
    let missing = || crate::violation::Violation::new(Law::Members, "a token", "one", "none");
    let mut session = room.join(join()).map_err(|_| missing())?;
    for _ in 0..returns % 8 {
        // What it has said makes the token name it.
        let said = Publish::new(Source::Session(session.session()), "text");
        drop(room.try_publish(said));
        let token = session.resume_token().ok_or_else(missing)?;
        drop(session);
        session = room.join(join().resume(token)).map_err(|_| missing())?;
        let start = session.start();
        same(Law::Members, "where one who comes back starts", StartPosition::Resumed, start)?;
    }
    let token = session.resume_token().ok_or_else(missing)?;
    round_trips(&token)?;
    // Whatever was changed: it is void, while the session is in and when it has gone.
    let changed = edited(token.as_bytes(), edits);
    let forged = ResumeToken::try_from(&changed[..]).ok().filter(|forged| *forged != token);
    parse(&changed, &String::from_utf8_lossy(&changed))?;
    let is_void = |forged: &Option<ResumeToken>| {
        forged.iter().try_for_each(|forged| {
            let what = "where one with a forged token starts";
            let start = start(&room, user, forged.clone());
            same(Law::Members, what, Some(StartPosition::Unknown), start)
        })
    };
    is_void(&forged)?;
    drop(session);
    is_void(&forged)?;
    // In another room, and for another user, it is none.
    let elsewhere = start(&other, user, token.clone());
    same(Law::Members, "in another room", Some(StartPosition::Unknown), elsewhere)?;
    if user.is_some() {
        let stranger = start(&room, Some(UserId(99)), token.clone());
        same(Law::Members, "for another user", Some(StartPosition::Unknown), stranger)?;
        let guest = start(&room, None, token.clone());
        same(Law::Members, "for a guest", Some(StartPosition::Unknown), guest)?;
    }
    let own = start(&room, user, token);
    same(Law::Members, "for its bearer", Some(StartPosition::Resumed), own)
}
