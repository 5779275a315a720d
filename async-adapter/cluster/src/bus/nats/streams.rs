//! The two streams of a cluster, and the subjects on which things are said.

use super::{NatsError, NatsOptions, Storage};
use crate::bus::Key;
use async_nats::jetstream::context::{Context, CreateStreamErrorKind, GetStreamErrorKind};
use async_nats::jetstream::stream::{Config, Republish, Stream};
use async_nats::jetstream::{ErrorCode, stream};
use roomcast_core::RoomId;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How long it is told that a key is gone to who begins to watch. A watch that lags further behind
/// begins anew.
pub(super) const MARKER: Duration = Duration::from_secs(300);

/// The streams of a cluster. A handle asks nothing of the server by itself.
#[derive(Debug)]
pub(super) struct Streams {
    pub(super) context: Context,
    pub(super) log: Stream<()>,
    pub(super) keys: Stream<()>,
    pub(super) names: Names,
}

impl Streams {
    /// Looks for the streams, and makes those that are not there.
    pub(super) async fn open(
        context: Context,
        options: &NatsOptions,
    ) -> Result<Arc<Self>, NatsError> {
        let names = Names { prefix: options.prefix.clone() };
        let log = ensure(&context, log_config(options, &names)).await?;
        let keys = ensure(&context, keys_config(options, &names)).await?;
        Ok(Arc::new(Self { context, log, keys, names }))
    }
}

/// What the streams and subjects are called.
#[derive(Debug)]
pub(super) struct Names {
    prefix: String,
}

impl Names {
    /// Where the records of a room are appended.
    pub(super) fn log(&self, room: RoomId) -> String {
        format!("{}.log.{}", self.prefix, room.0)
    }

    /// Where the server hands on what it has accepted.
    pub(super) fn out(&self, room: RoomId) -> String {
        format!("{}.out.{}", self.prefix, room.0)
    }

    /// Where the owner of a room listens.
    pub(super) fn forward(&self, room: RoomId) -> String {
        format!("{}.fwd.{}", self.prefix, room.0)
    }

    pub(super) fn key(&self, key: Key) -> String {
        match key {
            Key::Node(name) => format!("{}.key.node.{name}", self.prefix),
            Key::Room(room) => format!("{}.key.room.{}", self.prefix, room.0),
        }
    }

    /// The subjects of all keys.
    pub(super) fn all_keys(&self) -> String {
        format!("{}.key.>", self.prefix)
    }

    /// The key that a subject stands for.
    pub(super) fn key_of(&self, subject: &str) -> Option<Key> {
        let rest = subject.strip_prefix(&self.prefix)?.strip_prefix(".key.")?;
        let (kind, number) = rest.split_once('.')?;
        let number = number.parse().ok()?;
        match kind {
            "node" => Some(Key::Node(number)),
            "room" => Some(Key::Room(RoomId(number))),
            _ => None,
        }
    }
}

fn log_config(options: &NatsOptions, names: &Names) -> Config {
    let prefix = &names.prefix;
    Config {
        name: format!("{prefix}_log"),
        description: Some("What the rooms have dispatched, appended by their owners".into()),
        subjects: vec![format!("{prefix}.log.*")],
        max_messages_per_subject: i64::from(options.kept.max(1)),
        storage: storage(options.log),
        num_replicas: options.replicas,
        republish: Some(Republish {
            source: format!("{prefix}.log.*"),
            destination: format!("{prefix}.out.{{{{wildcard(1)}}}}"),
            headers_only: false,
        }),
        // A place of before the loss of a log fits nothing after it.
        first_sequence: Some(micros_now()),
        ..Config::default()
    }
}

fn keys_config(options: &NatsOptions, names: &Names) -> Config {
    let prefix = &names.prefix;
    Config {
        name: format!("{prefix}_keys"),
        description: Some("The leases of nodes, and who owns which room".into()),
        subjects: vec![names.all_keys()],
        max_messages_per_subject: 1,
        storage: storage(options.keys),
        num_replicas: options.replicas,
        allow_message_ttl: true,
        subject_delete_marker_ttl: Some(MARKER),
        // Whoever had written down an epoch has none that is to come.
        first_sequence: Some(micros_now()),
        ..Config::default()
    }
}

fn storage(storage: Storage) -> stream::StorageType {
    match storage {
        Storage::Memory => stream::StorageType::Memory,
        Storage::File => stream::StorageType::File,
    }
}

fn micros_now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX).max(1)
}

/// The stream, which another node may make at the same time: whose is made is everyone's.
async fn ensure(context: &Context, config: Config) -> Result<Stream<()>, NatsError> {
    check_storage(context, &config.name, config.storage)?;
    if let Some(found) = find(context, &config).await? {
        return Ok(found);
    }
    match context.create_stream(&config).await {
        Ok(_) => {}
        Err(error) => match error.kind() {
            CreateStreamErrorKind::JetStream(error)
                if error.error_code() == ErrorCode::STREAM_NAME_EXIST => {}
            _ => return Err(NatsError::Stream { name: config.name, why: error.to_string() }),
        },
    }
    let why = "it was made, and is gone again".to_owned();
    find(context, &config).await?.ok_or(NatsError::Stream { name: config.name, why })
}

/// Servers in a cluster remember what a stream in memory begins with, and when it is lost they begin
/// there again: then the number of the last record that is lost fits once more.
fn check_storage(
    context: &Context,
    name: &str,
    storage: stream::StorageType,
) -> Result<(), NatsError> {
    let is_clustered = context.client().server_info().cluster.is_some();
    if is_clustered && storage == stream::StorageType::Memory {
        let why = "in a cluster of servers it has to be on disk (Storage::File): in memory it would \
                   begin again, when it is lost, at the same place as before";
        return Err(NatsError::Stream { name: name.into(), why: why.into() });
    }
    Ok(())
}

/// The stream if it is there. It may keep more or less, elsewhere, but has to do the same.
async fn find(context: &Context, wanted: &Config) -> Result<Option<Stream<()>>, NatsError> {
    let refused = |why: String| NatsError::Stream { name: wanted.name.clone(), why };
    let found = match context.get_stream(&wanted.name).await {
        Ok(stream) => stream.cached_info().config.clone(),
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(error)
                if error.error_code() == ErrorCode::STREAM_NOT_FOUND =>
            {
                return Ok(None);
            }
            _ => return Err(refused(error.to_string())),
        },
    };
    check_storage(context, &wanted.name, found.storage)?;
    if found.subjects != wanted.subjects {
        let (is, want) = (found.subjects, &wanted.subjects);
        return Err(refused(format!("its subjects are {is:?}, and have to be {want:?}")));
    }
    if found.republish != wanted.republish {
        let (is, want) = (found.republish, &wanted.republish);
        return Err(refused(format!("it republishes {is:?}, and has to republish {want:?}")));
    }
    if wanted.allow_message_ttl
        && !(found.allow_message_ttl && found.subject_delete_marker_ttl.is_some())
    {
        return Err(refused("it needs allow_msg_ttl and subject_delete_marker_ttl".into()));
    }
    let stream = context.get_stream_no_info(&wanted.name).await;
    stream.map(Some).map_err(|error| refused(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_back_from_its_subject_and_nothing_else_is_one() {
        let names = Names { prefix: "rc".into() };
        for key in [Key::Node(u64::MAX), Key::Room(RoomId(0))] {
            assert_eq!(names.key_of(&names.key(key)), Some(key));
        }
        for other in
            ["rc.key.room.x", "rc.key.room", "rc.key.user.1", "rcx.key.room.1", "rc.log.1", ""]
        {
            assert_eq!(names.key_of(other), None, "{other}");
        }
    }
}
