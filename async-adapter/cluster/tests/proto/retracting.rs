//! Where in the log it stands that something is taken back.

use super::cluster::{Cluster, ROOM, Way, out};
use roomcast_cluster::proto::Output;
use roomcast_cluster::wire::{Command, Withdrawn};
use roomcast_core::{Actor, UserId};

/// Whatever the owner had no time to write down is told in its order.
#[test]
fn what_is_taken_back_is_so_behind_what_had_gone_out_and_before_what_goes_out_later() {
    let mut cluster = Cluster::new(2);
    let owner = cluster.owner().expect("one owns it");
    let other = 1 - owner;
    // Nobody knows whether the log has "a"; until then nothing follows.
    cluster.ways[owner] = Way::Cut;
    cluster.say(owner, "a");
    cluster.say(owner, "b");
    cluster.command(owner, 7, Actor::Host, Command::Retract(Withdrawn::AllOf(UserId(7))));
    cluster.say(owner, "c");
    cluster.wait(100);
    assert_eq!(cluster.commanded(owner), [], "the log does not have it");
    cluster.ways[owner] = Way::Open;
    cluster.wait(2_000);
    assert_eq!(cluster.owner(), Some(owner), "its lease has held");
    for at in [owner, other] {
        let told = cluster.told[at].iter().filter_map(|output| match output {
            Output::Flight { room: ROOM, handed } => {
                let texts = handed.messages().iter().map(|message| message.payload.as_str());
                Some(texts.collect::<Vec<_>>().concat())
            }
            Output::Withdrawn { what, .. } => Some(format!("{what:?}")),
            _ => None,
        });
        let told: Vec<String> = told.collect();
        assert_eq!(told.concat(), "abAllOf(UserId(7))c", "{told:?}");
    }
    let fates = [("a", 1), ("b", 2), ("c", 3)].map(|(text, seq)| (text.to_owned(), out(seq)));
    assert_eq!(cluster.fates(owner), fates);
    assert_eq!(cluster.commanded(owner).len(), 1);
}
