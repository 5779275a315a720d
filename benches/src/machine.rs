//! What was measured on.

use serde::Serialize;
use std::fmt;

/// The machine, as a report names it.
#[derive(Debug, Serialize)]
pub struct Machine {
    cores: Option<usize>,
    system: &'static str,
    architecture: &'static str,
}

impl Machine {
    /// This one.
    pub fn this() -> Self {
        Self {
            cores: std::thread::available_parallelism().ok().map(usize::from),
            system: std::env::consts::OS,
            architecture: std::env::consts::ARCH,
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cores = self.cores.map_or("an unknown number of".to_owned(), |cores| cores.to_string());
        write!(f, "{cores} cores, {} on {}", self.system, self.architecture)
    }
}
