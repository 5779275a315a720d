//! The room's configuration in a file, which is read again while the room runs.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use roomcast::error::ReconfigureError;
use roomcast::{Room, RoomConfig};
use serde_json::{Map, Value};
use tokio::sync::watch;
use tokio::time::interval;

use crate::options::Options;
use crate::room::{self, OWNER, Said};

/// How often the file is looked at. What is new counts once it is the same at two looks: whoever writes it may not be
/// done at the first.
const LOOK: Duration = Duration::from_millis(250);

/// A configuration is never longer.
const MAX_BYTES: u64 = 1 << 20;

const NOTHING: &str = "nothing changed";

/// The room's configuration: what the options say, and over that their file. The error is a line for the person who
/// started it.
pub(crate) fn config(options: &Options) -> Result<RoomConfig, String> {
    let base = room::config(options).map_err(|error| error.to_string())?;
    let Some(file) = &options.config else { return Ok(base) };
    let wrong = |error| format!("{}: {error}", file.display());
    text(file).and_then(|text| read(&text, &base)).map_err(wrong)
}

/// Reconfigures the room whenever the file has changed, and on SIGHUP, and says what changed or why it was refused;
/// then all stays as it was. Ends with the room.
pub(crate) async fn follow(
    file: PathBuf,
    options: Options,
    room: Room<Said>,
    configs: watch::Sender<RoomConfig>,
) {
    let name = file.display();
    let Ok(base) = room::config(&options) else { return };
    let mut looks = interval(LOOK);
    let mut hangups = Hangups::new();
    // What it said when it was last used or refused, and what it said at the last look. It may have changed since the
    // room was opened.
    let mut known = None;
    let mut seen = text(&file);
    loop {
        let is_asked = tokio::select! {
            () = hangups.next() => true,
            _ = looks.tick() => false,
        };
        let is = text(&file);
        let is_settled = std::mem::replace(&mut seen, is.clone()) == is;
        if !is_asked && (known.as_ref() == Some(&is) || !is_settled) {
            continue;
        }
        let is_first = known.replace(is.clone()).is_none();
        let new = is.and_then(|text| read(&text, &base));
        let new = new.and_then(|new| match room.reconfigure(&new) {
            Ok(()) => Ok(Some(new)),
            Err(ReconfigureError::RoomClosed) => Ok(None),
            Err(error) => Err(error.to_string()),
        });
        match new {
            Ok(Some(new)) => {
                let changes = changes(&configs.borrow(), &new);
                if is_asked || !is_first || changes != NOTHING {
                    eprintln!("live_room: {name}: {changes}");
                }
                configs.send_replace(new);
            }
            Ok(None) => return,
            Err(error) => eprintln!("live_room: {name}: refused, all stays as it was: {error}"),
        }
    }
}

/// What the file says.
fn text(file: &Path) -> Result<String, String> {
    let cannot = |error: std::io::Error| format!("cannot be read: {error}");
    let mut text = String::new();
    let file = File::open(file).map_err(cannot)?;
    file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(cannot)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(format!("must be at most {MAX_BYTES} bytes long"));
    }
    Ok(text)
}

fn read(text: &str, base: &RoomConfig) -> Result<RoomConfig, String> {
    // Where it is no TOML, the line says more than the message; what is wrong with a value says its key.
    let line = |error: toml::de::Error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        format!("line {}: {}", 1 + before.matches('\n').count(), one_line(&error))
    };
    let file = toml::Deserializer::parse(text).map_err(line)?;
    let config = base.deserialize_over(file).map_err(|error| one_line(&error))?;
    match config.owner() {
        Some(OWNER) => Ok(config),
        _ => Err("owner cannot be set: it is the first visitor who comes by name".to_owned()),
    }
}

fn one_line(error: &toml::de::Error) -> String {
    error.message().replace('\n', " ")
}

/// Says in words what is different.
fn changes(old: &RoomConfig, new: &RoomConfig) -> String {
    let table = |config| match serde_json::to_value(config) {
        Ok(Value::Object(table)) => table,
        _ => Map::new(),
    };
    let mut said = Vec::new();
    differences("", &table(old), &table(new), &mut said);
    said.sort();
    if said.is_empty() { NOTHING.to_owned() } else { format!("changed {}", said.join(", ")) }
}

fn differences(
    of: &str,
    old: &Map<String, Value>,
    new: &Map<String, Value>,
    said: &mut Vec<String>,
) {
    let nothing = Value::Null;
    for (key, new) in new {
        let (key, old) = (format!("{of}{key}"), old.get(key).unwrap_or(&nothing));
        match (old, new) {
            (Value::Object(old), Value::Object(new)) => {
                differences(&format!("{key}."), old, new, said);
            }
            _ if old != new => said.push(format!("{key} from {old} to {new}")),
            _ => {}
        }
    }
}

/// The signal by which daemons are told to read their configuration again, where there is one.
struct Hangups {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

impl Hangups {
    #[cfg(unix)]
    fn new() -> Self {
        let hangup = tokio::signal::unix::SignalKind::hangup();
        Self { signal: tokio::signal::unix::signal(hangup).ok() }
    }

    #[cfg(not(unix))]
    fn new() -> Self {
        Self {}
    }

    async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.signal
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> RoomConfig {
        room::config(&Options::read(["live_room"]).unwrap()).unwrap()
    }

    #[test]
    fn what_a_file_does_not_say_is_as_the_options_say() {
        let config = read("replay_on_join = 3", &base()).unwrap();
        assert_eq!(config, base().to_builder().replay_on_join(3).build().unwrap());
    }

    #[test]
    fn an_error_names_the_key_the_value_and_what_it_may_be() {
        for (text, wanted) in [
            (
                "burst = 3\ngrace = \"5 parsecs\"",
                "grace: invalid value: string \"5 parsecs\", expected a duration such as",
            ),
            ("rate = 0", "rate: invalid type: integer `0`, expected a rate such as"),
            ("queue_bytes = 100", "queue_bytes must be at least 12288, not 100: a payload may be"),
            ("\nbrust = 3", "unknown field `brust`, expected one of `rate`, `owner`, "),
            ("rate = \"9/s\"\nburst = ", "line 2: "),
            ("owner = 7", "owner cannot be set: it is the first visitor who comes by name"),
        ] {
            let error = read(text, &base()).unwrap_err();
            assert!(error.starts_with(wanted) && !error.contains('\n'), "{text}: {error}");
        }
    }

    #[test]
    fn what_has_changed_is_said_key_by_key() {
        let new = read("burst = 7\nreserve = { low = 2 }\ngrace = \"3 s\"", &base()).unwrap();
        let wanted =
            "changed burst from 40 to 7, grace from \"10s\" to \"3s\", reserve.low from 0 to 2";
        assert_eq!(changes(&base(), &new), wanted);
        assert_eq!(changes(&new, &new), "nothing changed");
    }
}
