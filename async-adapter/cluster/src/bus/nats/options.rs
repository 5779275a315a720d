//! How a bus over NATS is set up, and what may be wrong with it.

use async_nats::ConnectOptions;
use std::time::Duration;

/// Where a server keeps a stream.
///
/// The places of a log have to rise even if it is lost, or a number from before would fit again. A log
/// in memory of a single server is made anew by a node, and begins with the time then. Servers in a
/// cluster make it anew themselves, and begin where the first one began; so there it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// In the memory of a server that is in no cluster: it is lost when the server ends.
    Memory,
    /// On disk. A server hands it to the operating system before it answers, and that writes it down
    /// some time later: what a power failure takes from all copies is gone.
    File,
}

/// Records of a subscription that wait. What is more gets lost on the way, and is read from the log.
const CAPACITY: usize = 1_024;

/// The settings of a bus over NATS. All nodes of a cluster have the same; those of the streams count
/// for the node that makes them.
///
/// ```
/// use roomcast_cluster::bus::{NatsOptions, Storage};
///
/// let options = NatsOptions::new().prefix("chat").log(Storage::Memory);
/// # let _ = options;
/// ```
#[derive(Clone, Debug)]
pub struct NatsOptions {
    pub(super) prefix: String,
    pub(super) replicas: usize,
    pub(super) log: Storage,
    pub(super) keys: Storage,
    pub(super) kept: u32,
    pub(super) answer: Duration,
    pub(super) connection: ConnectOptions,
}

impl Default for NatsOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl NatsOptions {
    /// The settings as they are where nothing is said: one copy, on disk.
    pub fn new() -> Self {
        // A connection that says nothing for so long three times is lost.
        let connection = ConnectOptions::new().ping_interval(Duration::from_secs(2));
        Self {
            prefix: "rc".into(),
            replicas: 1,
            log: Storage::File,
            keys: Storage::File,
            kept: 1_024,
            answer: Duration::from_secs(1),
            connection: connection.subscription_capacity(CAPACITY),
        }
    }

    /// What the subjects of this cluster begin with, and the names of its streams: letters, digits,
    /// `-` and `_`. "rc"; clusters that share a server need one each.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// On how many servers the streams are kept: 1, 3 or 5. 1, with which nothing goes on while that
    /// server is down.
    pub fn replicas(mut self, servers: usize) -> Self {
        self.replicas = servers;
        self
    }

    /// Where the logs are kept. On disk.
    pub fn log(mut self, storage: Storage) -> Self {
        self.log = storage;
        self
    }

    /// Where the keys are kept. On disk.
    pub fn keys(mut self, storage: Storage) -> Self {
        self.keys = storage;
        self
    }

    /// How many records of each room are kept, and at least one. 1,024; a node that opens a room reads
    /// as many as there are from one checkpoint to the next
    /// ([`NodeOptions::checkpoint`](crate::proto::NodeOptions::checkpoint)).
    pub fn kept(mut self, records: u32) -> Self {
        self.kept = records;
        self
    }

    /// How long an answer of the server is waited for, before it counts as unknown. 1 s.
    pub fn answer(mut self, within: Duration) -> Self {
        self.answer = within;
        self
    }

    /// How to connect: credentials, TLS, intervals. Its callback for events is not called, and how much may
    /// wait of a subscription stays as it is. Where nothing is said, a ping goes out every 2 s.
    pub fn connection(mut self, connection: ConnectOptions) -> Self {
        self.connection = connection.subscription_capacity(CAPACITY);
        self
    }

    pub(super) fn check(&self) -> Result<(), NatsError> {
        let is_fine = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if self.prefix.is_empty() || !self.prefix.chars().all(is_fine) {
            return Err(NatsError::Prefix { found: self.prefix.clone() });
        }
        Ok(())
    }
}

/// Why there is no bus over NATS.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NatsError {
    /// No server could be reached, or it let nobody in.
    #[error("cannot connect to a NATS server")]
    Connect(#[from] async_nats::ConnectError),
    /// The server is too old.
    #[error("the NATS server is version {found}, and has to be 2.12 at least")]
    TooOld {
        /// Its version.
        found: String,
    },
    /// A prefix that no subject can have.
    #[error("{found:?} is no prefix: it has to be letters, digits, - and _, and at least one")]
    Prefix {
        /// Which.
        found: String,
    },
    /// A stream cannot be used, or could not be made.
    #[error("stream {name} of the NATS server: {why}")]
    Stream {
        /// Which.
        name: String,
        /// What is wrong.
        why: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_that_no_subject_can_have_is_refused() {
        for wrong in ["", "a.b", "a b", ">", "*", "a>"] {
            let error = NatsOptions::new().prefix(wrong).check().expect_err(wrong);
            assert!(error.to_string().contains(&format!("{wrong:?}")), "{error}");
        }
        assert!(NatsOptions::new().prefix("my-chat_2").check().is_ok());
    }
}
