//! Calls to the streams, each with what its answer means.

use super::streams::{MARKER, Streams};
use crate::bus::{Answer, Key, Record};
use async_nats::HeaderMap;
use async_nats::header::{
    NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, NATS_LAST_SEQUENCE, NATS_MARKER_REASON, NATS_MESSAGE_TTL,
    NATS_SEQUENCE,
};
use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{RawMessageError, RawMessageErrorKind};
use async_nats::jetstream::{self, ErrorCode};
use bytes::Bytes;
use roomcast_core::RoomId;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

/// What says of a message in the stream of the keys that the key is taken away.
const OPERATION: &str = "KV-Operation";
const DELETED: &str = "DEL";

/// What a call comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Called {
    Answered(Answer),
    /// There is no such stream, so nothing was done.
    NoStream,
}

use Called::{Answered, NoStream};

/// Appends a record behind the one that is expected.
pub(super) async fn append(
    streams: Arc<Streams>,
    room: RoomId,
    expected: u64,
    bytes: Bytes,
) -> Called {
    let message = PublishMessage::build().payload(bytes);
    publish(&streams, streams.names.log(room), message, expected).await
}

/// Gives a key a value, or takes it away.
pub(super) async fn put(
    streams: Arc<Streams>,
    key: Key,
    expected: u64,
    value: Option<Bytes>,
    ttl: Option<Duration>,
) -> Called {
    let subject = streams.names.key(key);
    let mut message = match value {
        Some(value) => PublishMessage::build().payload(value),
        None => PublishMessage::build().header(OPERATION, DELETED),
    };
    if let Some(ttl) = ttl {
        message = message.header(NATS_MESSAGE_TTL, whole_seconds(ttl).to_string());
    }
    let called = publish(&streams, subject.clone(), message.clone(), expected).await;
    if expected != 0 || called != Answered(Answer::Refused) {
        return called;
    }
    // That a key is gone is a message as well, and the next one comes behind it.
    match streams.keys.get_last_raw_message_by_subject(&subject).await {
        Ok(last) if is_gone(&last.headers) => {
            publish(&streams, subject, message, last.sequence).await
        }
        Ok(_) => called,
        Err(error) => match unread(&error) {
            // It has gone altogether in the meantime.
            Answered(Answer::Read(None)) => publish(&streams, subject, message, 0).await,
            other => other,
        },
    }
}

/// Takes a key away.
pub(super) async fn delete(streams: Arc<Streams>, key: Key, expected: u64) -> Called {
    put(streams, key, expected, None, Some(MARKER)).await
}

/// The last record of a room's log, by the leader of the stream.
pub(super) async fn last(streams: Arc<Streams>, room: RoomId) -> Called {
    let subject = streams.names.log(room);
    match streams.log.get_last_raw_message_by_subject(&subject).await {
        Ok(message) => read(message.sequence, &message.headers, message.payload),
        Err(error) => unread(&error),
    }
}

/// The first record behind a place, by the leader of the stream.
pub(super) async fn after(streams: Arc<Streams>, room: RoomId, at: u64) -> Called {
    let Some(from) = at.checked_add(1) else { return Answered(Answer::Read(None)) };
    let wanted = streams.log.raw_message_builder().sequence(from);
    match wanted.next_by_subject(streams.names.log(room)).send().await {
        Ok(message) => read(message.sequence, &message.headers, message.payload),
        Err(error) => unread(&error),
    }
}

/// A record as the server hands it on.
pub(super) fn handed_on(message: async_nats::Message) -> Option<Record> {
    let headers = message.headers?;
    let at = number(&headers, NATS_SEQUENCE)?;
    let previous = number(&headers, NATS_LAST_SEQUENCE)?;
    Some(Record { at, previous, bytes: message.payload })
}

/// Whether a message in the stream of the keys says that the key has lapsed or was taken away.
pub(super) fn is_gone(headers: &HeaderMap) -> bool {
    headers.get(NATS_MARKER_REASON).is_some()
        || headers.get(OPERATION).is_some_and(|operation| operation.as_str() == DELETED)
}

/// A record of the log: the one before is the one that was expected when it was accepted.
fn read(at: u64, headers: &HeaderMap, bytes: Bytes) -> Called {
    match number(headers, NATS_EXPECTED_LAST_SUBJECT_SEQUENCE) {
        Some(previous) => Answered(Answer::Read(Some(Record { at, previous, bytes }))),
        // Nothing that a node has written.
        None => Answered(Answer::Unknown),
    }
}

fn unread(error: &RawMessageError) -> Called {
    match error.kind() {
        RawMessageErrorKind::NoMessageFound => Answered(Answer::Read(None)),
        RawMessageErrorKind::JetStream(error)
            if error.error_code() == ErrorCode::STREAM_NOT_FOUND =>
        {
            NoStream
        }
        _ => Answered(Answer::Unknown),
    }
}

/// Publishes behind the message of this subject that is expected to be the last.
async fn publish(
    streams: &Streams,
    subject: String,
    message: PublishMessage,
    expected: u64,
) -> Called {
    let message = message.expected_last_subject_sequence(expected);
    let answered = match streams.context.send_publish(subject, message).await {
        Ok(sent) => sent.await,
        Err(error) => Err(error),
    };
    let error = match answered {
        Ok(done) => return Answered(Answer::Done(done.sequence)),
        Err(error) => error,
    };
    match error.kind() {
        PublishErrorKind::WrongLastSequence => Answered(Answer::Refused),
        // Nobody takes messages for this subject: the stream is not there, or has no leader.
        PublishErrorKind::StreamNotFound => NoStream,
        // While another one is being copied, a cluster does not say what the last is.
        _ if error_code(&error) == Some(ErrorCode::STREAM_WRONG_LAST_SEQUENCE_CONSTANT) => {
            Answered(Answer::Refused)
        }
        _ => Answered(Answer::Unknown),
    }
}

fn error_code(error: &dyn Error) -> Option<ErrorCode> {
    Some(error.source()?.downcast_ref::<jetstream::Error>()?.error_code())
}

fn number(headers: &HeaderMap, name: async_nats::HeaderName) -> Option<u64> {
    headers.get_last(name)?.as_str().parse().ok()
}

/// The server counts the time of a message in whole seconds, and takes no less than one.
fn whole_seconds(ttl: Duration) -> u64 {
    ttl.as_secs().saturating_add(u64::from(ttl.subsec_nanos() > 0)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_lasts_no_shorter_than_was_asked() {
        let ttl = |millis| whole_seconds(Duration::from_millis(millis));
        assert_eq!([ttl(0), ttl(1), ttl(1_000), ttl(1_001), ttl(3_000)], [1, 1, 1, 2, 3]);
        assert_eq!(whole_seconds(Duration::MAX), u64::MAX);
    }

    #[test]
    fn what_no_server_hands_on_is_no_record() {
        let message = |headers| async_nats::Message {
            subject: "rc.out.1".into(),
            reply: None,
            payload: Bytes::from_static(b"x"),
            headers,
            status: None,
            description: None,
            length: 0,
        };
        assert_eq!(handed_on(message(None)), None);
        let mut headers = HeaderMap::new();
        headers.insert(NATS_SEQUENCE, "7");
        assert_eq!(handed_on(message(Some(headers.clone()))), None);
        headers.insert(NATS_LAST_SEQUENCE, "x");
        assert_eq!(handed_on(message(Some(headers.clone()))), None);
        headers.insert(NATS_LAST_SEQUENCE, "5");
        let record = Record { at: 7, previous: 5, bytes: Bytes::from_static(b"x") };
        assert_eq!(handed_on(message(Some(headers))), Some(record));
    }
}
