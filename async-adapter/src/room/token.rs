//! Resume tokens as clients hold them: opaque, and authenticated with a key of the hub's.
//! [Clause B23](roomcast_core::rulebook#b23-lives-of-a-room).

use super::SharedRoom;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use roomcast_core::ids::SessionKey;
use roomcast_core::resume::{self, MAX_FORMERS};
use roomcast_core::{Instant, Join, Payload, PerLevel, SessionId, UserId};
use sha2::Sha256;
use std::fmt;
use std::str::FromStr;

/// The version that this one writes, and the only one that it reads.
const VERSION: u8 = 1;
/// Version, life, session, four positions, instant.
const FIXED: usize = 1 + 8 + 8 + 32 + 8;
/// A former session.
const FORMER: usize = 8;
/// The authentication tag: half of what SHA-256 gives, as is usual.
const TAG: usize = 16;
const SHORTEST: usize = FIXED + TAG;
const LONGEST: usize = SHORTEST + MAX_FORMERS * FORMER;
/// Tells these tags from those of anything else that the host may authenticate with the same key.
const DOMAIN: &[u8] = b"roomcast resume token";

/// Where a session stood, for its client to keep and to come back with: opaque bytes, or URL-safe
/// text, that only the hub can make.
///
/// A client that was given a token ([`Subscription::resume_token`], [`Session::resume_token`],
/// ...) comes back with [`Join::resume`](crate::Join::resume), in time:
/// [`resume_within`](crate::config::RoomConfigBuilder::resume_within). What it had not got is due
/// to it then, and what cannot be had any more is a gap.
///
/// A token is good for the room and the user that it was given to, or where it was a guest's for
/// whoever has it. One that was made up or changed, that another hub or another key made, that is
/// of another room, of another life of this one or of another user is void: the session starts as
/// if it had none and is told so, by [`StartPosition::Unknown`], and nothing is said of any
/// session. What does not look like a token at all, or is of another version, is refused when it is
/// parsed.
///
/// ```
/// use roomcast::event::StartPosition;
/// use roomcast::session::ResumeToken;
/// use roomcast::{Hub, Join, RoomConfig, RoomId, UserId};
///
/// let hub = Hub::<&str>::builder().spawn_threads()?;
/// let room = hub.open_room(RoomId(42), &RoomConfig::default())?;
/// let ann = room.join(Join::user(UserId(7)))?;
/// // The client keeps it, as text or as bytes.
/// let kept = ann.resume_token().expect("she is in").to_string();
/// drop(ann);
///
/// let token: ResumeToken = kept.parse()?;
/// let ann = room.join(Join::user(UserId(7)).resume(token.clone()))?;
/// assert_eq!(ann.start(), StartPosition::Resumed);
///
/// let mut bytes = token.to_vec();
/// bytes[20] ^= 1;
/// let forged = ResumeToken::try_from(&bytes[..])?;
/// let eve = room.join(Join::user(UserId(8)).resume(forged))?;
/// assert_eq!(eve.start(), StartPosition::Unknown);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// [`Subscription::resume_token`]: crate::Subscription::resume_token
/// [`Session::resume_token`]: crate::session::Session::resume_token
/// [`StartPosition::Unknown`]: crate::event::StartPosition::Unknown
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ResumeToken(Box<[u8]>);

impl ResumeToken {
    /// Returns the bytes: 73, and 8 more for each of at most 64 former sessions of the client whose
    /// messages it is not to be echoed.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns a copy of the bytes.
    pub fn to_vec(&self) -> Vec<u8> {
        self.0.to_vec()
    }
}

/// Tells the version and the length, and nothing of what is in it.
impl fmt::Debug for ResumeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResumeToken")
            .field("version", &self.0[0])
            .field("bytes", &self.0.len())
            .finish_non_exhaustive()
    }
}

/// URL-safe base64 without padding: fit for an address, a header or JSON as it is.
impl fmt::Display for ResumeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(&self.0))
    }
}

/// Why bytes or a text are no resume token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseTokenError {
    /// The text is no base64 of the URL-safe alphabet without padding.
    #[error("a resume token is URL-safe base64 without padding, and this is not")]
    NotBase64,
    /// No token has such a length.
    #[error(
        "a resume token has {SHORTEST} bytes, or 8 more for each of at most {MAX_FORMERS} former \
         sessions, and this has {bytes}"
    )]
    Length {
        /// The bytes that there are.
        bytes: usize,
    },
    /// It is of a version that this crate does not read.
    #[error("a resume token of version {version}; want version {VERSION}")]
    Version {
        /// Its version.
        version: u8,
    },
}

impl TryFrom<&[u8]> for ResumeToken {
    type Error = ParseTokenError;

    /// # Errors
    /// The bytes do not look like a token of this version. Whether they are one is found out when
    /// somebody joins with it.
    fn try_from(bytes: &[u8]) -> Result<Self, ParseTokenError> {
        match bytes.first() {
            Some(&version) if version != VERSION => Err(ParseTokenError::Version { version }),
            Some(_)
                if (SHORTEST..=LONGEST).contains(&bytes.len())
                    && (bytes.len() - SHORTEST).is_multiple_of(FORMER) =>
            {
                Ok(Self(bytes.into()))
            }
            _ => Err(ParseTokenError::Length { bytes: bytes.len() }),
        }
    }
}

impl FromStr for ResumeToken {
    type Err = ParseTokenError;

    /// # Errors
    /// As of bytes; or the text is no base64. One that is far too long is not looked at.
    fn from_str(text: &str) -> Result<Self, ParseTokenError> {
        let most = base64::encoded_len(LONGEST, false).unwrap_or(usize::MAX);
        if text.len() > most {
            return Err(ParseTokenError::Length { bytes: text.len() / 4 * 3 });
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| ParseTokenError::NotBase64)?;
        Self::try_from(&bytes[..])
    }
}

/// Whom a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bearer {
    /// Whoever has it: it was a guest's.
    Anyone,
    /// A user, by what stays the same of him or her as long as the hub lives.
    User(u64),
}

/// The key that a hub authenticates its tokens with.
pub(crate) struct TokenKey(Hmac<Sha256>);

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenKey").finish_non_exhaustive()
    }
}

impl TokenKey {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        // A key of any length will do.
        Self(Hmac::new_from_slice(key).unwrap_or_else(|_| unreachable!("HMAC takes any key")))
    }

    /// One that nobody can guess.
    ///
    /// # Errors
    /// The operating system gives no randomness.
    pub(crate) fn random() -> std::io::Result<Self> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        Ok(Self::new(&key))
    }

    fn mac(&self, bytes: &[u8], log_life: u64, bearer: Bearer) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        mac.update(DOMAIN);
        mac.update(&log_life.to_le_bytes());
        match bearer {
            Bearer::Anyone => mac.update(&[0]),
            Bearer::User(user) => {
                mac.update(&[1]);
                mac.update(&user.to_le_bytes());
            }
        }
        mac.update(bytes);
        mac
    }

    /// Seals a token of a log in this life for a bearer.
    fn seal(&self, token: &resume::ResumeToken, log_life: u64, bearer: Bearer) -> ResumeToken {
        let mut bytes = Vec::with_capacity(SHORTEST + token.formers.len() * FORMER);
        bytes.push(VERSION);
        let numbers = [token.session.life(), token.session.key().to_bits()];
        let positions = token.positions.values().copied();
        let formers = token.formers.iter().map(|former| former.to_bits());
        let all = numbers.into_iter().chain(positions).chain([token.taken_at.as_nanos()]);
        for number in all.chain(formers) {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        let tag = self.mac(&bytes, log_life, bearer).finalize().into_bytes();
        bytes.extend_from_slice(&tag[..TAG]);
        ResumeToken(bytes.into())
    }

    /// Returns what a token says, if this key sealed it for a log in this life and for whoever has it
    /// now.
    fn open(
        &self,
        token: &ResumeToken,
        log_life: u64,
        bearer: impl FnOnce() -> Bearer,
    ) -> Option<resume::ResumeToken> {
        let (bytes, tag) = token.0.split_at_checked(token.0.len().checked_sub(TAG)?)?;
        let mut numbers = bytes[1..].chunks_exact(8).map(|chunk| {
            let mut number = [0; 8];
            number.copy_from_slice(chunk);
            u64::from_le_bytes(number)
        });
        let mut next = || numbers.next().unwrap_or_default();
        let (life, session) = (next(), SessionKey::from_bits(next()));
        let bearer = if session.is_guest() { Bearer::Anyone } else { bearer() };
        self.mac(bytes, log_life, bearer).verify_truncated_left(tag).ok()?;
        let positions = PerLevel([(); 4].map(|()| next()));
        let taken_at = Instant::from_nanos(next());
        let formers = numbers.map(SessionKey::from_bits).collect();
        let session = session.in_life(life);
        Some(resume::ResumeToken { session, formers, positions, taken_at })
    }
}

/// A join whose token was looked at.
#[derive(Debug)]
pub(crate) struct Unsealed<M> {
    pub(crate) join: Join<M>,
    /// It had a token, which is void.
    pub(crate) has_void_token: bool,
}

impl<M: Payload + Send + Sync + 'static> SharedRoom<M> {
    /// Looks at the token that somebody joins with. Locks a leaf for a moment.
    pub(crate) fn unseal(&self, join: Join<M, ResumeToken>) -> Unsealed<M> {
        let bearer = || join.as_user().map_or(Bearer::Anyone, |user| self.bearer(user));
        let opened = join.token().map(|token| self.token_key.open(token, self.log_life, bearer));
        let has_void_token = opened == Some(None);
        let token = opened.flatten().map(|token| self.at_this_edge(token));
        Unsealed { join: join.with_token(token), has_void_token }
    }

    /// Makes a token for the client of a session. Nothing is locked.
    pub(super) fn seal(&self, token: &resume::ResumeToken, user: Option<UserId>) -> ResumeToken {
        let bearer = user.map_or(Bearer::Anyone, |user| self.bearer(user));
        self.token_key.seal(token, self.log_life, bearer)
    }

    /// One that another edge of the room gave names sessions that nobody here had.
    fn at_this_edge(&self, token: resume::ResumeToken) -> resume::ResumeToken {
        if token.session.life() == self.life {
            return token;
        }
        // Generations begin at 1.
        let session = SessionKey::from_bits(0).in_life(self.life);
        resume::ResumeToken { session, formers: Vec::new(), ..token }
    }

    fn bearer(&self, user: UserId) -> Bearer {
        Bearer::User(self.mentions.lasting(user))
    }

    /// Returns the user of a session of this room, if it is one's.
    pub(super) fn user_of(&self, session: SessionId) -> Option<UserId> {
        self.peek(|admission| admission.user_of(session))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: u64 = 5;

    const USER: Bearer = Bearer::User(7);

    fn token(is_guest: bool, formers: usize) -> resume::ResumeToken {
        let key = |slot: u64| SessionKey::from_bits(slot << 32 | u64::from(is_guest) << 31 | 1);
        assert_eq!(key(1).is_guest(), is_guest);
        resume::ResumeToken {
            session: key(1).in_life(u64::MAX - 1),
            formers: (2..).take(formers).map(key).collect(),
            positions: PerLevel([0, 1, u64::MAX, 3]),
            taken_at: Instant::from_nanos(5),
        }
    }

    #[test]
    fn what_is_sealed_can_be_opened_by_its_bearer_alone() {
        let key = TokenKey::new(&[1; 32]);
        for formers in [0, 1, MAX_FORMERS] {
            let (users, guests) = (token(false, formers), token(true, formers));
            let sealed = key.seal(&users, LIFE, USER);
            assert_eq!(key.open(&sealed, LIFE, || USER).as_ref(), Some(&users));
            assert_eq!(key.open(&sealed, LIFE, || Bearer::User(8)), None);
            assert_eq!(key.open(&sealed, LIFE + 1, || USER), None);
            assert_eq!(key.open(&sealed, LIFE, || Bearer::Anyone), None);
            assert_eq!(TokenKey::new(&[2; 32]).open(&sealed, LIFE, || USER), None);
            assert_eq!(TokenKey::random().unwrap().open(&sealed, LIFE, || USER), None);
            let sealed = key.seal(&guests, LIFE, Bearer::Anyone);
            assert_eq!(
                key.open(&sealed, LIFE, || USER).as_ref(),
                Some(&guests),
                "she has logged in"
            );
            // By bytes and by text, it comes back as it was.
            assert_eq!(ResumeToken::try_from(sealed.as_bytes()), Ok(sealed.clone()));
            assert_eq!(sealed.to_string().parse(), Ok(sealed.clone()));
            assert_eq!(sealed.to_vec().len(), 73 + 8 * formers);
            let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            assert!(sealed.to_string().chars().all(is_plain));
        }
    }

    #[test]
    fn no_byte_of_a_token_can_be_changed_added_or_left_out() {
        let key = TokenKey::new(&[1; 32]);
        for is_guest in [false, true] {
            let bearer = if is_guest { Bearer::Anyone } else { USER };
            let sealed = key.seal(&token(is_guest, 2), LIFE, bearer).to_vec();
            let opens = |bytes: &[u8]| {
                ResumeToken::try_from(bytes)
                    .is_ok_and(|token| key.open(&token, LIFE, || USER).is_some())
            };
            assert!(opens(&sealed));
            for at in 0..sealed.len() {
                for bit in 0..8 {
                    let mut changed = sealed.clone();
                    changed[at] ^= 1 << bit;
                    assert!(!opens(&changed), "bit {bit} of byte {at}");
                }
                assert!(!opens(&sealed[..at]) && !opens(&sealed[at + 1..]));
                let mut longer = sealed.clone();
                longer.splice(at..at, [0; 8]);
                assert!(!opens(&longer));
            }
        }
    }

    #[test]
    fn what_is_no_token_is_refused_with_the_reason() {
        let parse = |bytes: &[u8]| ResumeToken::try_from(bytes);
        let of_length = |bytes: usize| {
            let mut token = vec![0; bytes];
            token.iter_mut().take(1).for_each(|version| *version = VERSION);
            token
        };
        for bytes in [0, 1, 72, 74, 80, 82, LONGEST - 1, LONGEST + 1, LONGEST + 8, 1 << 20] {
            assert_eq!(parse(&of_length(bytes)), Err(ParseTokenError::Length { bytes }));
        }
        for bytes in [73, 81, LONGEST] {
            assert!(parse(&of_length(bytes)).is_ok());
        }
        for version in [0, 2, 255] {
            assert_eq!(parse(&[version; 73]), Err(ParseTokenError::Version { version }));
        }
        assert_eq!("a token?".parse::<ResumeToken>(), Err(ParseTokenError::NotBase64));
        assert_eq!("".parse::<ResumeToken>(), Err(ParseTokenError::Length { bytes: 0 }));
        let endless = "A".repeat(1 << 20).parse::<ResumeToken>();
        assert_eq!(endless, Err(ParseTokenError::Length { bytes: 3 << 18 }));
        let told = ParseTokenError::Length { bytes: 9 }.to_string();
        assert!(told.contains("73 bytes") && told.contains("this has 9"), "{told}");
    }

    #[test]
    fn a_token_that_is_printed_tells_nothing() {
        let sealed = TokenKey::new(&[1; 32]).seal(&token(false, 0), LIFE, USER);
        assert_eq!(format!("{sealed:?}"), "ResumeToken { version: 1, bytes: 73, .. }");
        assert_eq!(format!("{:?}", TokenKey::random().unwrap()), "TokenKey { .. }");
    }
}
