//! The options that both applications have for what they replay.

use std::path::PathBuf;

use clap::{Args, Command};

use crate::complaint::Stop;
use crate::recording::{Damage, Format, Reading, Recording, Words};

/// What is replayed, and how it is read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct ReplayOptions {
    /// The recording to replay; its format is told by what is in the file [default: a premiere]
    #[arg(long, value_name = "FILE")]
    pub replay: Option<PathBuf>,

    /// Read it in this format, whatever it looks like
    #[arg(long, value_name = "FORMAT", requires = "replay")]
    pub format: Option<Format>,

    /// Of a damaged recording, read what is whole, and say what was left out, by reason
    #[arg(long, requires = "replay")]
    pub lenient: bool,
}

impl ReplayOptions {
    /// What the person is told who asks for a recording to be read in some way, and names none.
    pub fn without_recording(program: &Command) -> Stop {
        Stop::wrong(
            program,
            "--format and --lenient say how to read a recording: want --replay FILE as well",
        )
    }

    /// Reads the recording. What is to be known of it goes to standard error, in the program's
    /// name; the error is one line for the person who started it.
    pub fn open(&self, program: &str, words: Words) -> Result<Recording, String> {
        let Some(path) = &self.replay else {
            return Recording::premiere().map_err(|error| error.to_string());
        };
        let damage = if self.lenient { Damage::LeaveOut } else { Damage::Stop };
        let reading = Reading { format: self.format, damage, words };
        let recording = Recording::open(path, reading).map_err(|error| error.to_string())?;
        for remark in recording.remarks() {
            eprintln!("{program}: {}: {remark}", path.display());
        }
        Ok(recording)
    }
}
