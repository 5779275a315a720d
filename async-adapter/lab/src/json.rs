//! The lab as JSON: the figures of the table, with times in milliseconds.

use std::collections::BTreeMap;

use roomcast::stats::Reason;
use serde::Serialize;

use crate::lab::{Lab, LabError, priority, through};
use crate::tally::{Count, Tally};

#[derive(Serialize)]
struct Document<'a> {
    recording: Recorded<'a>,
    load: OnTop,
    rooms: Vec<RoomRows<'a>>,
}

#[derive(Serialize)]
struct Recorded<'a> {
    name: &'a str,
    messages: usize,
    senders: usize,
    seconds: f64,
}

#[derive(Serialize)]
struct OnTop {
    speed: f64,
    gifts_per_second: u32,
    likes_per_second: u32,
    flood_per_second: u32,
    merge_likes: &'static str,
    seed: u64,
}

#[derive(Serialize)]
struct RoomRows<'a> {
    room: &'a str,
    label: &'a str,
    about: &'a str,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    priority: &'static str,
    what: &'static str,
    offered: u64,
    dispatched: u64,
    merged: u64,
    merged_and_dispatched: u64,
    dropped: BTreeMap<&'static str, u64>,
    refused: BTreeMap<&'static str, u64>,
    through: f64,
    age_p50_ms: Option<f64>,
    age_p99_ms: Option<f64>,
    told_p50_ms: Option<f64>,
    told_p99_ms: Option<f64>,
    starved_ms: f64,
}

/// The whole lab, in lines, with a line break at the end. The order of the fields is fixed.
pub(crate) fn text(lab: &Lab) -> Result<String, LabError> {
    let streams = lab.streams();
    let rooms = lab.rooms.iter().map(|(preset, trial)| RoomRows {
        room: preset.name,
        label: preset.label,
        about: preset.about,
        rows: streams
            .iter()
            .map(|&stream| row(priority(stream), stream.name(), &trial.tallies[stream]))
            .collect(),
    });
    let document = Document {
        recording: Recorded {
            name: &lab.recording,
            messages: lab.entries,
            senders: lab.senders,
            seconds: lab.length_us as f64 / 1e6,
        },
        load: OnTop {
            speed: lab.settings.speed.times(),
            gifts_per_second: lab.settings.gifts,
            likes_per_second: lab.settings.likes,
            flood_per_second: lab.settings.flood,
            merge_likes: lab.merge.name(),
            seed: lab.settings.seed,
        },
        rooms: rooms.collect(),
    };
    let text = serde_json::to_string_pretty(&document)
        .map_err(|error| LabError::Setup(format!("no JSON: {error}")))?;
    Ok(text + "\n")
}

fn row(priority: &'static str, what: &'static str, tally: &Tally) -> Row {
    let millis = |micros: Option<u64>| micros.map(|micros| micros as f64 / 1e3);
    Row {
        priority,
        what,
        offered: tally.offered,
        dispatched: tally.dispatched,
        merged: tally.merged,
        merged_and_dispatched: tally.carried,
        dropped: reasons(&tally.dropped),
        refused: reasons(&tally.refused),
        through: through(tally).as_f64(),
        age_p50_ms: millis(tally.age_micros(0.5)),
        age_p99_ms: millis(tally.age_micros(0.99)),
        told_p50_ms: millis(tally.told_micros(0.5)),
        told_p99_ms: millis(tally.told_micros(0.99)),
        starved_ms: tally.starvation.longest() as f64 / 1e6,
    }
}

fn reasons<R: Reason>(count: &Count<R>) -> BTreeMap<&'static str, u64> {
    count.occurred().map(|(reason, count)| (reason.name(), count)).collect()
}
