//! Accepting connections, also where descriptors run out.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

/// The pause after the first failure, and the longest one.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Accepts the next connection of a listener.
///
/// Where that fails, as it does while the process has no descriptor left, it tries again after a
/// pause, which doubles from 10 ms to one second: a loop that tries at once spins, for the
/// connection that could not be accepted stays the next. A connection that ended before it was
/// accepted is passed over.
///
/// # Cancel safety
/// Cancel safe: no connection is lost. The pauses begin anew.
pub async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    accept_from(|| listener.accept()).await
}

async fn accept_from<T, F>(mut accept: impl FnMut() -> F) -> T
where
    F: Future<Output = io::Result<T>>,
{
    let mut pause = FIRST_PAUSE;
    loop {
        match accept().await {
            Ok(connection) => return connection,
            Err(error) if is_the_peers(&error) => {}
            Err(_) => {
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

/// Whether an error is one connection's, and the next may be had at once.
fn is_the_peers(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::future::ready;
    use tokio::time::Instant;

    /// `EMFILE` of Linux.
    const TOO_MANY_FILES: i32 = 24;

    #[tokio::test(start_paused = true)]
    async fn accepting_backs_off_without_descriptors() {
        let (start, tries) = (Instant::now(), RefCell::new(Vec::new()));
        let errors = RefCell::new(vec![TOO_MANY_FILES; 9]);
        accept_from(|| {
            tries.borrow_mut().push(start.elapsed().as_millis());
            let error = errors.borrow_mut().pop();
            ready(error.map_or(Ok(()), |error| Err(io::Error::from_raw_os_error(error))))
        })
        .await;
        assert_eq!(*tries.borrow(), [0, 10, 30, 70, 150, 310, 630, 1_270, 2_270, 3_270]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_has_gone_is_passed_over() {
        let (start, errors) = (Instant::now(), RefCell::new(vec![(); 100]));
        accept_from(|| {
            let gone = errors.borrow_mut().pop();
            ready(gone.map_or(Ok(()), |()| Err(io::ErrorKind::ConnectionAborted.into())))
        })
        .await;
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
}
