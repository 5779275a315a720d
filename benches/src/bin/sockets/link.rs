//! A narrow link for each slow client: a network namespace of the run's own, where what goes to the
//! address of a slow client waits behind a token bucket.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::io::Write;
use std::net::Ipv4Addr;
use std::process::{Command, ExitCode, Stdio};
use std::str::FromStr;

/// Addresses of this prefix are behind a link each; those of everyone else are not.
const SLOW: Ipv4Addr = Ipv4Addr::new(127, 1, 0, 0);
/// What is below the kernel waits as full frames do.
const FRAME: u32 = 1_500;
/// How many milliseconds a full queue of the link takes.
const QUEUE_MS: u64 = 300;
/// The argument by which the program knows that it is inside.
pub(crate) const INSIDE: &str = "--inside";

/// How wide a link is, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Link {
    /// Bits a second.
    pub(crate) rate: u64,
    /// One way, in milliseconds.
    pub(crate) delay_ms: u32,
}

/// Bits a second, as `tc` writes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate(pub(crate) u64);

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let right = || "a rate such as 24kbit, 1mbit or 8000bit, from 8kbit to 1000mbit".to_owned();
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().map_err(|_| right())?;
        let unit = match unit {
            "bit" => 1,
            "kbit" => 1_000,
            "mbit" => 1_000_000,
            _ => return Err(right()),
        };
        let rate = number.checked_mul(unit).filter(|rate| (8_000..=1_000_000_000).contains(rate));
        rate.map(Self).ok_or_else(right)
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rate {
            rate if rate % 1_000 == 0 => write!(f, "{} kbit/s", rate / 1_000)?,
            rate => write!(f, "{rate} bit/s")?,
        }
        if self.delay_ms > 0 {
            write!(f, ", {} ms one way", self.delay_ms)?;
        }
        Ok(())
    }
}

impl Link {
    /// The bytes that a link carries in a second.
    pub(crate) fn bytes_a_second(&self) -> u64 {
        self.rate / 8
    }

    /// The address that a slow client comes from.
    pub(crate) fn address(number: u32) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(SLOW) + 1 + number)
    }

    /// Shapes what goes to the slow clients with these numbers. To be called inside.
    ///
    /// # Errors
    /// `ip` or `tc` does not do it: a line that says which words it was given, and what it said.
    pub(crate) fn shape(&self, slow: impl Iterator<Item = u32>) -> Result<(), String> {
        // Segments as a link has them, and none of 64 KiB.
        run("ip", "link set dev lo mtu 1500", "")?;
        run("ip", "link set dev lo gso_max_size 1500 gso_max_segs 1", "")?;
        run("ip", "link set dev lo up", "")?;
        let mut lines = vec![
            "qdisc add dev lo root handle 1: htb".to_owned(),
            "filter add dev lo parent 1: prio 1 handle 2: protocol ip u32 divisor 256".to_owned(),
            format!(
                "filter add dev lo parent 1: prio 1 protocol ip u32 ht 800:: match ip dst {SLOW}/16 hashkey mask 0x000000ff at 16 link 2:"
            ),
        ];
        let (rate, burst) = (self.rate, FRAME + 100);
        let queue = (self.bytes_a_second() * QUEUE_MS / 1_000).max(u64::from(4 * FRAME));
        for (class, number) in (1..).zip(slow) {
            let address = Self::address(number);
            let bucket = address.octets()[3];
            lines.push(format!(
                "class add dev lo parent 1: classid 1:{class:x} htb rate {rate}bit ceil {rate}bit burst {burst} cburst {burst} quantum {FRAME}"
            ));
            lines.push(match self.delay_ms {
                0 => format!("qdisc add dev lo parent 1:{class:x} bfifo limit {queue}"),
                delay => format!(
                    "qdisc add dev lo parent 1:{class:x} netem delay {delay}ms limit {}",
                    // In flight over the length, and in the queue.
                    (queue + self.bytes_a_second() * u64::from(delay) / 1_000) / 100
                ),
            });
            lines.push(format!(
                "filter add dev lo parent 1: prio 1 protocol ip u32 ht 2:{bucket:x}: match ip dst {address}/32 flowid 1:{class:x}"
            ));
        }
        lines.push(String::new());
        run("tc", "-batch -", &lines.join("\n"))
    }
}

fn run(program: &str, words: &str, input: &str) -> Result<(), String> {
    let trouble = |why: String| format!("`{program} {words}` made no link: {why}");
    let mut child = Command::new(program)
        .args(words.split(' '))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| trouble(format!("{error}; it comes with the package iproute2")))?;
    if let Some(mut stdin) = child.stdin.take() {
        // It may end before it has read all: then it says why.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().map_err(|error| trouble(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    Err(trouble(said.join("; ")))
}

/// Runs this program once more, in a network namespace of its own, and returns how that ended.
///
/// # Errors
/// There is none to be had: a line that says why, and what it takes.
pub(crate) fn enter() -> Result<ExitCode, String> {
    let program = std::env::current_exe()
        .map_err(|error| format!("this program cannot be found: {error}"))?;
    let needs = "--link needs a network namespace of its own: root, and `unshare` of util-linux";
    let test = Command::new("unshare").args(["--net", "true"]).output();
    let test = test.map_err(|error| format!("{needs} ({error})"))?;
    if !test.status.success() {
        let said = String::from_utf8_lossy(&test.stderr);
        return Err(format!("{needs} ({})", said.trim()));
    }
    let mut inside = Command::new("unshare");
    inside.arg("--net").arg(program).args(std::env::args_os().skip(1)).arg(INSIDE);
    let status = inside.status().map_err(|error| format!("{needs} ({error})"))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_as_tc_writes_them() {
        let rate = |text: &str| text.parse().map(|Rate(rate)| rate);
        assert_eq!((rate("24kbit"), rate("8000bit")), (Ok(24_000), Ok(8_000)));
        assert_eq!(rate("1mbit"), Ok(1_000_000));
        for wrong in ["", "24", "kbit", "24 kbit", "24kb", "1bit", "2000mbit", "-1kbit", "9e9kbit"]
        {
            assert!(rate(wrong).unwrap_err().contains("such as 24kbit"), "{wrong}");
        }
    }

    #[test]
    fn slow_clients_have_addresses_of_their_own() {
        assert_eq!(Link::address(0).octets(), [127, 1, 0, 1]);
        assert_eq!(Link::address(59_999).octets(), [127, 1, 234, 96]);
    }
}
