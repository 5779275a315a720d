//! A process of hostile clients.

mod broken;
mod churn;
mod connection;
mod flood;
mod holding;

use crate::attack::Attack;
use crate::orders::{Raid, Raided};
use roomcast_benches::child::{orders, tell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

/// After something did not work, because there are no ports or descriptors left, or the server has
/// enough.
const PAUSE: Duration = Duration::from_millis(10);

/// What all hostile clients of a process know.
#[derive(Clone, Copy, Debug)]
struct Target {
    address: SocketAddr,
    until: Instant,
}

/// Attacks, and then holds on until the process that started this one is done with it.
pub(crate) fn run(raid: &Raid) -> Result<(), String> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("no runtime: {error}"))?;
    LocalSet::new().block_on(&runtime, attack(raid))
}

async fn attack(raid: &Raid) -> Result<(), String> {
    let until = Instant::now() + Duration::from_secs(raid.seconds.into());
    let target = Target { address: raid.address, until };
    let mut clients = JoinSet::new();
    for number in 0..raid.attack.clients() {
        clients.spawn_local(one(raid.attack, target, number));
    }
    let (mut count, mut held) = (0, Vec::new());
    while let Some(client) = clients.join_next().await {
        let done = client.map_err(|error| format!("a hostile client ended early: {error}"))?;
        count += done.count;
        held.extend(done.held);
    }
    sleep_until(until).await;
    tell(&Raided { count })?;
    let mut orders = orders::<()>();
    while orders.recv().await.is_some() {}
    drop(held);
    Ok(())
}

/// What a hostile client has done, and the connection that it still has.
#[derive(Debug, Default)]
struct Done {
    count: u64,
    held: Option<TcpStream>,
}

async fn one(attack: Attack, target: Target, number: u32) -> Done {
    match attack {
        Attack::Pings => flood::send(target, flood::pings(), flood::Ears::Open).await,
        Attack::DeafPings => flood::send(target, flood::pings(), flood::Ears::Shut).await,
        Attack::LikeFlood => flood::send(target, flood::likes(), flood::Ears::Shut).await,
        Attack::Stalled => holding::stalled(target, number).await,
        Attack::HalfOpen => holding::half_open(target, number).await,
        Attack::Churn => repeat(target, |round| churn::visit(target, number, round)).await,
        Attack::Garbage => repeat(target, |round| broken::garbage(target, number, round)).await,
        Attack::Big => repeat(target, |round| broken::big(target, number, round)).await,
    }
}

/// Does something again and again.
async fn repeat<F: Future<Output = io::Result<()>>>(
    target: Target,
    mut visit: impl FnMut(u32) -> F,
) -> Done {
    let mut count = 0;
    for round in 0.. {
        match timeout_at(target.until, visit(round)).await {
            Ok(Ok(())) => count += 1,
            Ok(Err(_)) => sleep(PAUSE).await,
            Err(_) => break,
        }
    }
    Done { count, held: None }
}

/// A connection that is shared by a task that reads and one that writes.
type Both = Rc<TcpStream>;
