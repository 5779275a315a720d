//! A process that this one starts, and what the two tell each other.

use crate::orders::{Order, understand};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{BufRead, BufReader, Write};
use std::process::{self, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

/// A process of this program. It ends with this.
pub(crate) struct Child {
    name: String,
    process: process::Child,
    orders: ChildStdin,
    said: mpsc::Receiver<String>,
}

impl Child {
    /// Starts one: `option` says as what, `with` with what.
    pub(crate) fn start(name: String, option: &str, with: &impl Serialize) -> Result<Self, String> {
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

    /// Gives it an order.
    pub(crate) fn order(&mut self, order: Order) -> Result<(), String> {
        let line = serde_json::to_string(&order).map_err(|error| error.to_string())?;
        let told = writeln!(self.orders, "{line}").and_then(|()| self.orders.flush());
        told.map_err(|error| format!("{} takes no orders: {error}", self.name))
    }

    /// Waits for what it says next.
    pub(crate) fn hear<T: DeserializeOwned>(&self, patience: Duration) -> Result<T, String> {
        match self.said.recv_timeout(patience) {
            Ok(line) => understand(&line).map_err(|line| format!("{}: {line}", self.name)),
            Err(RecvTimeoutError::Timeout) => {
                Err(format!("{} said nothing for {} s", self.name, patience.as_secs()))
            }
            Err(RecvTimeoutError::Disconnected) => Err(format!("{} ended early", self.name)),
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
