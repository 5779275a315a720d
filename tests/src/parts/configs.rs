//! Configurations in files: any bytes, as TOML and as JSON. What is read is written again as what it
//! was read as, and what is wrong is said in words.

use crate::violation::{Check, Law, same};
use roomcast_core::{RoomConfig, UserId};

/// What holds of any bytes.
pub fn run(bytes: &[u8]) -> Check {
    let Ok(text) = str::from_utf8(bytes) else { return Ok(()) };
    for base in [RoomConfig::default(), RoomConfig::av_chat_room(UserId(7))] {
        let read = toml::Deserializer::parse(text).and_then(|file| base.deserialize_over(file));
        any(read.map_err(|error| error.message().to_owned()))?;
        let mut json = serde_json::Deserializer::from_str(text);
        any(base.deserialize_over(&mut json).map_err(|error| error.to_string()))?;
    }
    Ok(())
}

fn any(read: Result<RoomConfig, String>) -> Check {
    let config = match read {
        Ok(config) => config,
        Err(error) => return same(Law::Unchanged, "whether it is said", false, error.is_empty()),
    };
    let written = toml::to_string(&config).map_err(|error| error.to_string());
    let again = written.and_then(|text| toml::from_str(&text).map_err(|error| error.to_string()));
    same(Law::L8NothingLost, "a configuration as TOML", Ok(&config), again.as_ref())?;
    let written = serde_json::to_string(&config).map_err(|error| error.to_string());
    let again =
        written.and_then(|text| serde_json::from_str(&text).map_err(|error| error.to_string()));
    same(Law::L8NothingLost, "a configuration as JSON", Ok(&config), again.as_ref())
}
