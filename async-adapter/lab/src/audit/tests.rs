use roomcast_replay::recording::Recording;

use super::*;
use crate::load::{Load, Settings};
use crate::preset::{self, MergeLikes};
use crate::speed::Speed;
use crate::stream::Stream;
use crate::trial;

/// Every room under a load that makes each lose something.
fn trials() -> Vec<(Preset, Trial)> {
    let recording =
        Recording::parse("room", b"offset_us,sender,bytes\n0,1,20000\n1,2,5\n5000000,3,5\n")
            .unwrap();
    let settings =
        Settings { speed: Speed::new(1.0).unwrap(), gifts: 30, likes: 300, flood: 200, seed: 1 };
    let load = Load::new(&recording, &settings);
    let rooms = preset::all(MergeLikes::Tuned, 1).unwrap().into_iter();
    rooms
        .map(|preset| (preset.clone(), trial::run(&preset, load.clone(), |_| {}).unwrap()))
        .collect()
}

#[test]
fn the_books_of_every_room_balance() {
    for (preset, trial) in trials() {
        assert_eq!(check(&preset, &trial), Ok(()));
        let lost: u64 =
            trial.tallies.iter().map(|(_, tally)| tally.offered - tally.through()).sum();
        assert!(lost > 0, "{}: nothing was lost, and nothing tested", preset.name);
    }
}

/// This holds wherever the message is counted.
#[test]
fn one_message_too_many_or_too_few_is_found() {
    type Flaw = (&'static str, fn(&mut Tally));
    let flaws: [Flaw; 7] = [
        ("offered", |tally| tally.offered += 1),
        ("dispatched", |tally| tally.dispatched -= 1),
        ("merged", |tally| tally.merged += 1),
        ("carried", |tally| tally.carried += 1),
        ("merged and lost", |tally| tally.merged_and_lost += 1),
        ("dropped", |tally| tally.dropped.add(DropReason::Evicted)),
        ("refused", |tally| tally.refused.add(RefusalReason::Guest)),
    ];
    for (preset, trial) in trials() {
        for (name, flaw) in flaws {
            for stream in [Stream::Gifts, Stream::Likes] {
                let mut trial = trial.clone();
                flaw(&mut trial.tallies[stream]);
                let line = check(&preset, &trial).expect_err(name);
                assert!(
                    line.starts_with(preset.name)
                        && line.ends_with("want the same")
                        && !line.contains('\n'),
                    "{line}"
                );
            }
        }
    }
}

#[test]
fn the_wrong_reason_or_level_is_found() {
    for (preset, trial) in trials() {
        let mut wrong = trial.clone();
        let tally = &mut wrong.tallies[Stream::Flood];
        tally.dispatched -= 1;
        tally.dropped.add(DropReason::Denied);
        assert!(
            check(&preset, &wrong).is_err(),
            "{}: {}",
            preset.name,
            "a message that went out is told as dropped"
        );
        let mut wrong = trial.clone();
        wrong.tallies[Stream::Gifts].dispatched -= 1;
        wrong.tallies[Stream::Gifts].offered -= 1;
        wrong.tallies[Stream::Flood].dispatched += 1;
        wrong.tallies[Stream::Flood].offered += 1;
        let line = check(&preset, &wrong).unwrap_err();
        assert!(line.contains("submitted at high"), "{line}");
    }
}

#[test]
fn a_room_whose_own_books_are_wrong_is_found() {
    let (preset, mut trial) = trials().remove(0);
    trial.ledger.levels[Priority::Low].units.refused += 1;
    assert!(check(&preset, &trial).unwrap_err().contains("do not balance"));
}
