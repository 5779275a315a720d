//! The processor time that this process has used.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;

/// Nanoseconds in a tick, the unit of `/proc/self/stat`: a hundredth of a second on every Linux
/// there is.
const TICK: u64 = 10_000_000;
/// Bytes of a file that is read here, at the most.
const LONGEST: usize = 1_024;

/// Reads the processor time. It holds its files open: later there may be no more to be had.
#[derive(Debug)]
pub(super) struct Meter {
    stat: File,
    /// What the scheduler has counted for each thread, where it tells. No thread of a server comes
    /// or goes while it is measured.
    threads: Option<Vec<File>>,
}

/// Processor time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cpu {
    exact: Option<u64>,
    user_ticks: u64,
    system_ticks: u64,
}

impl Meter {
    /// For the threads that there are by now.
    pub(super) fn new() -> Result<Self, String> {
        let stat = File::open("/proc/self/stat");
        let stat = stat.map_err(|error| {
            format!("/proc/self/stat cannot be read: {error}; this program runs on Linux")
        })?;
        let open = |thread: io::Result<fs::DirEntry>| File::open(thread?.path().join("schedstat"));
        let threads =
            fs::read_dir("/proc/self/task").and_then(|threads| threads.map(open).collect());
        Ok(Self { stat, threads: threads.ok() })
    }

    /// All that this process has used until now.
    pub(super) fn read(&self) -> Result<Cpu, String> {
        let stat = text(&self.stat).unwrap_or_default();
        // The name of the program, in brackets, may hold spaces; the state is the next field and
        // the third of all.
        let fields: Vec<&str> =
            stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |number: usize| fields.get(number - 3).and_then(|field| field.parse().ok());
        let (user, system) = ticks(14)
            .zip(ticks(15))
            .ok_or_else(|| format!("/proc/self/stat says `{}`", stat.trim_end()))?;
        let nanos = |thread: &File| text(thread)?.split_whitespace().next()?.parse::<u64>().ok();
        let exact = self.threads.as_ref().and_then(|threads| threads.iter().map(nanos).sum());
        Ok(Cpu { exact, user_ticks: user, system_ticks: system })
    }
}

/// What a file says now.
fn text(file: &File) -> Option<String> {
    let mut bytes = [0; LONGEST];
    let count = file.read_at(&mut bytes, 0).ok()?;
    String::from_utf8(bytes[..count].to_vec()).ok()
}

impl Cpu {
    /// What was used since an earlier reading.
    pub(super) fn since(self, earlier: Self) -> Self {
        Self {
            exact: self.exact.zip(earlier.exact).map(|(now, then)| now.saturating_sub(then)),
            user_ticks: self.user_ticks - earlier.user_ticks,
            system_ticks: self.system_ticks - earlier.system_ticks,
        }
    }

    pub(super) fn nanos(self) -> u64 {
        self.exact.unwrap_or((self.user_ticks + self.system_ticks) * TICK)
    }

    /// The system's part of it.
    pub(super) fn system_share(self) -> f64 {
        self.system_ticks as f64 / (self.user_ticks + self.system_ticks).max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_works_uses_time() {
        let meter = Meter::new().expect("Linux");
        let before = meter.read().expect("Linux");
        let start = std::time::Instant::now();
        while start.elapsed().as_millis() < 100 {}
        let used = meter.read().expect("Linux").since(before).nanos();
        assert!(used > 10_000_000, "{used} ns");
    }
}
