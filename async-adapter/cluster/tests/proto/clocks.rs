//! Nodes whose clocks are apart, and a bus that is late to say who is gone.

use super::cluster::{Cluster, ROOM, numbered};
use roomcast_cluster::bus::MemoryBus;
use roomcast_cluster::proto::{Event, Input};
use roomcast_core::time::Duration;

/// Ten seconds after the lease should have lapsed the bus has not said so: the others do not wait for it.
#[test]
fn a_lease_lapses_by_the_clock_here_though_the_bus_is_late() {
    let mut cluster = Cluster::over(3, |bus: MemoryBus| bus.lapsing_late(Duration::from_secs(10)));
    cluster.say(0, "a");
    let owner = cluster.owner().expect("one owns it");
    let others: Vec<usize> = (0..3).filter(|at| *at != owner).collect();
    cluster.kill(owner);
    let died = cluster.now;
    while cluster.owner().is_none() {
        cluster.wait(1);
    }
    let silence = cluster.now.saturating_since(died);
    assert!(silence <= Duration::from_millis(3_050), "{silence:?}");
    // Until the other one has renewed its own lease, it may be the one that is alone.
    cluster.wait(1_100);
    cluster.say(others[0], "b");
    for &at in &others {
        assert_eq!(cluster.texts(at), numbered(&["a", "b"]), "node {at}");
        assert_eq!(cluster.node(at).keys().nodes().count(), 2, "node {at} counts who lives");
    }
    // When the bus says it at last, nothing changes.
    let heir = cluster.owner();
    cluster.wait(12_000);
    assert_eq!(cluster.owner(), heir);
    let deposed = |event: &Event| matches!(event, Event::Deposed { .. });
    assert!(!others.iter().flat_map(|&at| cluster.events(at)).any(|event| deposed(&event)));
}

/// Whoever hears nothing at all is alone itself, and takes nothing from those who go on.
#[test]
fn whoever_hears_nothing_takes_nobody_for_dead() {
    let mut cluster = Cluster::over(2, |bus: MemoryBus| bus.lapsing_late(Duration::from_secs(10)));
    let owner = cluster.owner().expect("one owns it");
    let other = 1 - owner;
    cluster.ways[other] = super::Way::Cut;
    cluster.wait(8_000);
    assert_eq!(cluster.node(other).keys().nodes().count(), 2);
    cluster.ways[other] = super::Way::Open;
    cluster.handle(other, Input::Reconnected);
    cluster.wait(5_000);
    assert_eq!(cluster.owner(), Some(owner));
    assert!(cluster.node(other).owner(ROOM).is_none());
    assert_eq!(cluster.events(owner), []);
}
