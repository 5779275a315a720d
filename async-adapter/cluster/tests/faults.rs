//! Many short lives of a cluster in which everything goes wrong, and what must hold over machines
//! whatever does (L12, L13 and L14 of the design, and L1 and L2 over all nodes).

mod sim;

use sim::Seen;
use std::sync::atomic::{AtomicU64, Ordering};

/// Lives; `.ci/run cluster` has ten times as many, and the same command goes on to any number: `cargo
/// run --release -p roomcast-cluster --example faults -- --until 100000 --place faults.place`.
const LIVES: u64 = 200;

#[test]
fn what_must_hold_over_machines_holds_whatever_goes_wrong() {
    let next = AtomicU64::new(0);
    let work = || {
        let mut all = Seen::default();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= LIVES {
                return all;
            }
            let seen = sim::run(number).unwrap_or_else(|fault| panic!("{fault}"));
            all.add(seen);
        }
    };
    let mut all = Seen::default();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            all.add(thread.join().expect("no life fails"));
        }
    });
    // That it was tried.
    assert!(all.dispatched > 50 * LIVES && all.owners > LIVES, "{all:?}");
    assert!(
        all.kills > LIVES / 2
            && all.losses > LIVES / 20
            && all.handed_over > LIVES / 10
            && all.retired > LIVES / 10
            && all.closed > LIVES / 10
            && all.withdrawn > LIVES,
        "{all:?}"
    );
}
