//! A process that this one starts, and what the two tell each other: a line of JSON each, on the
//! child's standard input and output.

use crate::resident_of;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{BufRead, BufReader, Write};
use std::process::{self, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;
use tokio::sync::mpsc as tokio_mpsc;

/// A process of this program. It ends with this.
#[derive(Debug)]
pub struct Child {
    name: String,
    process: process::Child,
    orders: ChildStdin,
    said: mpsc::Receiver<String>,
}

impl Child {
    /// Starts one: `option` says as what, `with` with what.
    ///
    /// # Errors
    /// There is no process to be had.
    pub fn start(name: String, option: &str, with: &impl Serialize) -> Result<Self, String> {
        let program = std::env::current_exe()
            .map_err(|error| format!("this program cannot be found: {error}"))?;
        let with = serde_json::to_string(with).map_err(|error| error.to_string())?;
        let process = Command::new(program)
            .args([option, &with])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut process = process.map_err(|error| format!("{name} did not start: {error}"))?;
        let (Some(orders), Some(out)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(format!("{name} cannot be talked to"));
        };
        let (sender, said) = mpsc::channel();
        std::thread::spawn(move || {
            BufReader::new(out)
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| sender.send(line))
                .ok();
        });
        Ok(Self { name, process, orders, said })
    }

    /// What the system tells about it.
    pub fn process(&self) -> Process {
        Process(self.process.id())
    }

    /// Gives it an order.
    ///
    /// # Errors
    /// It has ended.
    pub fn order(&mut self, order: &impl Serialize) -> Result<(), String> {
        let line = serde_json::to_string(order).map_err(|error| error.to_string())?;
        let told = writeln!(self.orders, "{line}").and_then(|()| self.orders.flush());
        told.map_err(|error| format!("{} takes no orders: {error}", self.name))
    }

    /// Waits for what it says next.
    ///
    /// # Errors
    /// It says nothing for so long, nothing that makes sense, or has ended.
    pub fn hear<T: DeserializeOwned>(&self, patience: Duration) -> Result<T, String> {
        match self.said.recv_timeout(patience) {
            Ok(line) => understand(&line).map_err(|line| format!("{}: {line}", self.name)),
            Err(RecvTimeoutError::Timeout) => {
                Err(format!("{} said nothing for {} s", self.name, patience.as_secs()))
            }
            Err(RecvTimeoutError::Disconnected) => Err(format!("{} ended early", self.name)),
        }
    }
}

/// A process that is looked at from outside.
#[derive(Clone, Copy, Debug)]
pub struct Process(u32);

impl Process {
    /// Bytes of memory that it holds; `None` where the system does not tell (it does on Linux).
    pub fn resident(&self) -> Option<u64> {
        resident_of(self.0)
    }

    /// Descriptors that it holds; `None` where the system does not tell (it does on Linux).
    pub fn descriptors(&self) -> Option<usize> {
        let folder = format!("/proc/{}/fd", self.0);
        Some(std::fs::read_dir(folder).ok()?.count())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Says something to the process that started this one.
///
/// # Errors
/// It has ended.
pub fn tell(what: &impl Serialize) -> Result<(), String> {
    let line = serde_json::to_string(what).map_err(|error| error.to_string())?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .map_err(|error| format!("nobody listens: {error}"))
}

/// What a line says.
///
/// # Errors
/// It says nothing of the kind.
pub fn understand<T: DeserializeOwned>(line: &str) -> Result<T, String> {
    serde_json::from_str(line)
        .map_err(|error| format!("`{}` makes no sense here: {error}", line.trim_end()))
}

/// The orders of the process that started this one. They end with it.
pub fn orders<T: DeserializeOwned + Send + 'static>() -> tokio_mpsc::UnboundedReceiver<T> {
    let (sender, receiver) = tokio_mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            let told = understand(&line).is_ok_and(|order| sender.send(order).is_ok());
            if !told {
                return;
            }
        }
    });
    receiver
}
