//! The whole lab: every room under the same load, with its books checked.

use indicatif::ProgressBar;
use roomcast::Priority;
use roomcast_replay::recording::Recording;

use crate::audit;
use crate::load::{Load, Settings};
use crate::options::Options;
use crate::preset::{self, MergeLikes, Preset};
use crate::share::Share;
use crate::stream::Stream;
use crate::tally::Tally;
use crate::trial::{self, Trial};

/// What was run, and what came of it.
#[derive(Debug)]
pub(crate) struct Lab {
    /// The recording's name.
    pub(crate) recording: String,
    /// What was recorded.
    pub(crate) entries: usize,
    /// Who spoke in it.
    pub(crate) senders: usize,
    /// Its length in microseconds, as recorded.
    pub(crate) length_us: u64,
    /// The load that was made of it.
    pub(crate) settings: Settings,
    /// Whose likes were merged.
    pub(crate) merge: MergeLikes,
    /// The rooms, in the order of the table.
    pub(crate) rooms: Vec<(Preset, Trial)>,
}

/// Why the lab has nothing to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LabError {
    /// A room could not be set up, or a file not be read or written.
    Setup(String),
    /// What was counted is not what the room's ledger says: a bug in this program or in the room.
    Books(String),
}

impl Lab {
    /// Replays the recording in every room.
    pub(crate) fn run(
        recording: &Recording,
        options: &Options,
        progress: &ProgressBar,
    ) -> Result<Self, LabError> {
        let settings = options.settings();
        let load = Load::new(recording, &settings);
        let presets = preset::all(options.merge_likes, options.seed)
            .map_err(|error| LabError::Setup(error.to_string()))?;
        progress.set_length(load.seconds() * presets.len() as u64);
        let mut rooms = Vec::new();
        for preset in presets {
            progress.set_message(preset.name);
            let before = load.seconds() * rooms.len() as u64;
            let trial =
                trial::run(&preset, load.clone(), |second| progress.set_position(before + second));
            let trial =
                trial.map_err(|error| LabError::Setup(format!("{}: {error}", preset.name)))?;
            audit::check(&preset, &trial).map_err(LabError::Books)?;
            rooms.push((preset, trial));
        }
        progress.finish_and_clear();
        Ok(Self {
            recording: recording.name().to_owned(),
            entries: recording.entries().len(),
            senders: recording.senders().len(),
            length_us: recording.length_us(),
            settings,
            merge: options.merge_likes,
            rooms,
        })
    }

    /// The streams of which anything was offered: the rows of each room.
    pub(crate) fn streams(&self) -> Vec<Stream> {
        let offered = |stream: &Stream| {
            self.rooms.iter().any(|(_, trial)| trial.tallies[*stream].offered > 0)
        };
        Stream::ALL.into_iter().filter(offered).collect()
    }

    /// What is offered on top of the recording, in words.
    pub(crate) fn on_top(&self) -> String {
        let Settings { gifts, likes, flood, .. } = self.settings;
        let flood =
            if flood == 0 { String::new() } else { format!(", {flood} texts of one flooder") };
        format!("{gifts} gifts{flood} and {likes} likes a second")
    }
}

/// How much of a stream got through.
pub(crate) fn through(tally: &Tally) -> Share {
    Share { part: tally.through(), of: tally.offered }
}

/// The name of a stream's priority.
pub(crate) fn priority(stream: Stream) -> &'static str {
    Priority::name(stream.priority())
}

#[cfg(test)]
mod tests;
