use roomcast::Priority;
use roomcast::error::{DropReason, RefusalReason};
use roomcast_replay::recording::Recording;

use super::*;
use crate::load::Settings;
use crate::preset::{self, MergeLikes};
use crate::speed::Speed;

/// Two texts of two people, ten seconds apart.
const TRACE: &str = "offset_us,sender,bytes\n0,1,10\n9999999,2,10\n";

fn quiet() -> Settings {
    Settings { speed: Speed::new(1.0).unwrap(), gifts: 0, likes: 0, flood: 0, seed: 1 }
}

fn run_in(room: &str, trace: &str, merge: MergeLikes, settings: Settings) -> Trial {
    let recording = Recording::parse("room", trace.as_bytes()).unwrap();
    let rooms = preset::all(merge, 1).unwrap();
    let preset = rooms.iter().find(|preset| preset.name == room).unwrap();
    run(preset, Load::new(&recording, &settings), |_| {}).unwrap()
}

#[test]
fn in_a_quiet_room_everything_goes_out_at_once() {
    for room in ["av_chat_room", "three_levels", "rong_cloud", "net_ease", "easemob", "tuned"] {
        let trial =
            run_in(room, TRACE, MergeLikes::Tuned, Settings { gifts: 1, likes: 1, ..quiet() });
        for (stream, offered) in
            [(Stream::Gifts, 10), (Stream::Texts, 2), (Stream::Flood, 0), (Stream::Likes, 10)]
        {
            let tally = &trial.tallies[stream];
            assert_eq!(
                (tally.offered, tally.dispatched, tally.starvation.longest()),
                (offered, offered, 0),
                "{room}, {stream:?}"
            );
        }
    }
}

#[test]
fn ages_are_measured_and_end_in_order() {
    // The bucket holds 40; of 60 texts in one instant, 20 wait, 25 ms for each. Then nobody speaks
    // for a long time.
    let trace = (0..60).fold("offset_us,sender,bytes\n".to_owned(), |trace, sender| {
        trace + &format!("5,{sender},1\n")
    });
    let trial = run_in("av_chat_room", &(trace + "60000000,1,1\n"), MergeLikes::Never, quiet());
    let texts = &trial.tallies[Stream::Texts];
    assert_eq!((texts.offered, texts.dispatched), (61, 61));
    assert_eq!(texts.ages.max() / 1_000, 500);
    assert_eq!(texts.age_micros(0.5), Some(0));
    assert_eq!(texts.starvation.longest(), 25_000_000);
    assert_eq!(trial.ledger.levels[Priority::Normal].dispatched, 61);
}

#[test]
fn nothing_waits_where_nothing_may_wait() {
    // 40 in 200 ms, and no queue to speak of.
    let trace = (0..60).fold("offset_us,sender,bytes\n".to_owned(), |trace, sender| {
        trace + &format!("5,{sender},1\n")
    });
    let trial = run_in("rong_cloud", &trace, MergeLikes::Never, quiet());
    let texts = &trial.tallies[Stream::Texts];
    assert_eq!((texts.dispatched, texts.dropped.of(DropReason::Expired)), (40, 20));
    assert_eq!(texts.ages.max(), 0);
}

/// Whoever is refused knows at once; whoever waits for nothing, when it is dropped.
#[test]
fn the_shed_are_told_when_the_room_knows() {
    let trace = (0..600).fold("offset_us,sender,bytes\n".to_owned(), |trace, sender| {
        trace + &format!("5,{sender},1\n")
    });
    let told = |room| {
        let trial = run_in(room, &trace, MergeLikes::Tuned, quiet());
        let texts = &trial.tallies[Stream::Texts];
        assert_eq!(texts.told.len(), texts.offered - texts.through(), "{room}: {texts:?}");
        (texts.told_micros(0.5), texts.told_micros(0.99))
    };
    // A burst of 40, and of those who wait 40 a second go out for five.
    let (p50, p99) = told("av_chat_room");
    assert!(p50 == p99 && p50 >= Some(4_995_000), "{p50:?}, {p99:?}");
    assert_eq!(told("tuned"), (Some(0), Some(0)));
    assert_eq!(told("rong_cloud"), (Some(0), Some(0)));
}

#[test]
fn merged_likes_get_through_with_their_carrier() {
    let settings = Settings { likes: 200, ..quiet() };
    let merged = run_in("av_chat_room", TRACE, MergeLikes::Always, settings);
    let likes = &merged.tallies[Stream::Likes];
    assert_eq!((likes.offered, likes.through()), (2_000, 2_000));
    assert!(likes.merged > 1_000 && likes.carried == likes.merged, "{likes:?}");
    let apart = run_in("av_chat_room", TRACE, MergeLikes::Never, settings);
    let likes = &apart.tallies[Stream::Likes];
    assert!(likes.merged == 0 && likes.through() < 600, "{likes:?}");
}

#[test]
fn likes_count_as_texts_on_two_levels() {
    let trial = run_in("net_ease", TRACE, MergeLikes::Never, Settings { likes: 50, ..quiet() });
    assert_eq!(trial.ledger.levels[Priority::Low].submitted, 0);
    assert_eq!(trial.ledger.levels[Priority::Normal].submitted, 502);
}

#[test]
fn a_text_that_is_too_large_is_refused() {
    let trial = run_in("tuned", "offset_us,sender,bytes\n0,1,20000\n", MergeLikes::Never, quiet());
    let texts = &trial.tallies[Stream::Texts];
    assert_eq!(
        (texts.offered, texts.refused.of(RefusalReason::TooLarge), texts.refused.total()),
        (1, 1, 1)
    );
}

/// A flooder is one user.
#[test]
fn turns_keep_the_room_open_beside_a_flooder() {
    let trace = (0..300).fold("offset_us,sender,bytes\n".to_owned(), |trace, n| {
        trace + &format!("{},{n},1\n", n * 33_000)
    });
    let settings = Settings { flood: 200, ..quiet() };
    let share = |room| {
        let trial = run_in(room, &trace, MergeLikes::Tuned, settings);
        (trial.tallies[Stream::Texts].dispatched, trial.tallies[Stream::Flood].dispatched)
    };
    let (texts, flood) = share("tuned");
    assert_eq!(texts, 300, "nobody else loses a text to the flooder, who got {flood} through");
    let (texts, flood) = share("av_chat_room");
    assert!(texts < 150, "{texts} texts, and {flood} of the flooder");
}

/// Gifts go out at once, texts stay fresh and likes alive.
#[test]
fn the_tuned_room_keeps_each_sort_alive() {
    // Sixty people a second, for ten seconds, each with one text.
    let trace = (0..600).fold("offset_us,sender,bytes\n".to_owned(), |trace, n| {
        trace + &format!("{},{n},1\n", n * 16_667)
    });
    let settings = Settings { gifts: 3, likes: 100, ..quiet() };
    let tuned = run_in("tuned", &trace, MergeLikes::Tuned, settings).tallies;
    let [gifts, texts, likes] =
        [Stream::Gifts, Stream::Texts, Stream::Likes].map(|stream| &tuned[stream]);
    assert_eq!((gifts.through(), gifts.age_micros(1.0)), (gifts.offered, Some(0)), "{gifts:?}");
    assert!(texts.age_micros(1.0) <= Some(200_000) && texts.through() > 300, "{texts:?}");
    assert!(
        likes.through() == likes.offered && likes.starvation.longest() < 1_000_000_000,
        "{likes:?}"
    );
    let plain = run_in("av_chat_room", &trace, MergeLikes::Never, settings).tallies;
    let [gifts, texts, likes] =
        [Stream::Gifts, Stream::Texts, Stream::Likes].map(|stream| &plain[stream]);
    assert!(gifts.through() == gifts.offered && gifts.ages.max() > 0, "{gifts:?}");
    assert!(texts.ages.max() > 3_000_000, "{texts:?}");
    assert!(likes.starvation.longest() > 5_000_000_000, "{likes:?}");
}

#[test]
fn what_a_room_draws_at_random_follows_the_seed() {
    let recording = Recording::parse("room", TRACE.as_bytes()).unwrap();
    let load = Load::new(&recording, &Settings { likes: 100, ..quiet() });
    let ages = |seed| {
        let rooms = preset::all(MergeLikes::Never, seed).unwrap();
        let preset = rooms.iter().find(|preset| preset.name == "net_ease").unwrap();
        run(preset, load.clone(), |_| {}).unwrap().tallies[Stream::Likes].ages.mean()
    };
    assert_eq!(ages(1).to_bits(), ages(1).to_bits());
    assert_ne!(ages(1).to_bits(), ages(2).to_bits());
}

#[test]
fn a_tag_keeps_stream_and_time() {
    for stream in Stream::ALL {
        assert_eq!(untag(tag(stream, 2_592_000_000_000_007)), (stream, 2_592_000_000_000_007));
    }
}
