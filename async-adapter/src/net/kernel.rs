//! What the kernel knows of a TCP connection: the one module here with unsafe code, since no crate
//! that is kept up asks these two questions.
#![allow(unsafe_code)]

use crate::pump::transport::InFlight;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

/// The beginning of the kernel's `tcp_info`, as far as the smallest round trip; from Linux 4.6 on.
#[derive(Clone, Copy, Default)]
#[repr(C)]
struct TcpInfo {
    bytes: [u8; 8],
    words: [u32; 24],
    pacing_rate: u64,
    max_pacing_rate: u64,
    bytes_acked: u64,
    bytes_received: u64,
    segs_out: u32,
    segs_in: u32,
    notsent_bytes: u32,
    /// Microseconds; the greatest number when none was measured.
    min_rtt: u32,
}

/// Returns what the kernel has taken of a connection and the peer has not acknowledged; `None` if
/// it does not say.
pub(super) fn in_flight(socket: BorrowedFd<'_>) -> Option<InFlight> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the descriptor is open, for it is borrowed; TIOCOUTQ (SIOCOUTQ of a socket) writes
    // one int, to a place that is valid for it, and keeps nothing.
    let answer = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    let bytes = u64::try_from(bytes).ok().filter(|_| answer == 0)?;
    if bytes == 0 {
        return Some(InFlight::default());
    }
    Some(InFlight::new(bytes).round_trip(min_round_trip(socket).unwrap_or_default()))
}

/// Returns the smallest round trip of the last minutes.
fn min_round_trip(socket: BorrowedFd<'_>) -> Option<Duration> {
    let mut info = TcpInfo::default();
    let mut length = size_of::<TcpInfo>() as libc::socklen_t;
    // SAFETY: the descriptor is open; the kernel writes at most `length` bytes to a place that has
    // them and takes any, all its fields being integers, and puts down how many it has written.
    let answer = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            (&raw mut info).cast(),
            &raw mut length,
        )
    };
    let is_told = answer == 0 && length as usize == size_of::<TcpInfo>();
    let micros = Some(info.min_rtt).filter(|&micros| is_told && micros != u32::MAX)?;
    Some(Duration::from_micros(micros.into()))
}
