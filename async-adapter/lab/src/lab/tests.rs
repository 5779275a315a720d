use super::*;
use crate::{json, plot, table};

fn run(arguments: &[&str]) -> Lab {
    let options = Options::read([&["lab"], arguments].concat()).unwrap();
    Lab::run(&Recording::premiere().unwrap(), &options, &ProgressBar::hidden()).unwrap()
}

/// The same seed prints the same bytes twice, and another seed prints others.
#[test]
fn the_seed_alone_decides_what_is_printed() {
    let prints = |seed| {
        let lab = run(&[
            "--speed", "50", "--gifts", "10", "--likes", "300", "--flood", "40", "--seed", seed,
        ]);
        [table::text(&lab), json::text(&lab).unwrap(), plot::svg(&lab).unwrap()]
    };
    let first = prints("1");
    assert_eq!(first, prints("1"));
    for (first, other) in first.iter().zip(&prints("2")) {
        assert_ne!(first, other);
    }
}

#[test]
fn only_streams_that_were_offered_have_a_row() {
    assert_eq!(run(&["--speed", "100", "--gifts", "0", "--likes", "0"]).streams(), [Stream::Texts]);
    let all = run(&["--speed", "100", "--gifts", "1", "--likes", "1", "--flood", "1"]);
    assert_eq!(all.streams(), Stream::ALL);
    assert_eq!(all.on_top(), "1 gifts, 1 texts of one flooder and 1 likes a second");
}

#[test]
fn the_json_has_the_figures_of_the_room() {
    let lab = run(&["--speed", "100", "--gifts", "3", "--likes", "200"]);
    let json: serde_json::Value = serde_json::from_str(&json::text(&lab).unwrap()).unwrap();
    assert_eq!(json["recording"]["messages"], 7_460);
    let rooms = json["rooms"].as_array().unwrap();
    assert_eq!(rooms.len(), lab.rooms.len());
    for (room, (preset, trial)) in rooms.iter().zip(&lab.rooms) {
        assert_eq!(room["room"], preset.name);
        for (row, stream) in room["rows"].as_array().unwrap().iter().zip([
            Stream::Gifts,
            Stream::Texts,
            Stream::Likes,
        ]) {
            let tally = &trial.tallies[stream];
            assert_eq!(
                (&row["what"], &row["offered"]),
                (&stream.name().into(), &tally.offered.into())
            );
            let sum = |name: &str| {
                row[name]
                    .as_object()
                    .unwrap()
                    .values()
                    .filter_map(serde_json::Value::as_u64)
                    .sum::<u64>()
            };
            let fates = tally.dispatched + tally.merged + sum("dropped") + sum("refused");
            assert_eq!(fates, tally.offered, "{row}");
            let millis = |micros: Option<u64>| micros.map(|micros| micros as f64 / 1e3).into();
            let times: [serde_json::Value; 2] =
                [tally.age_micros(0.99), tally.told_micros(0.99)].map(millis);
            assert_eq!([&row["age_p99_ms"], &row["told_p99_ms"]], [&times[0], &times[1]], "{row}");
        }
    }
}

#[test]
fn the_picture_names_recording_load_and_rooms() {
    let lab = run(&["--speed", "100", "--flood", "7"]);
    let picture = plot::svg(&lab).unwrap();
    assert!(picture.starts_with("<svg ") && picture.trim_end().ends_with("</svg>"));
    for words in [
        "premiere-chat.csv",
        "at 100 times its speed",
        "7 texts of one flooder",
        "gifts (high)",
        "flooder (normal)",
        "age at dispatch",
        "the shed told after",
    ] {
        assert!(picture.contains(words), "{words}");
    }
    for (preset, _) in &lab.rooms {
        assert!(picture.contains(&format!("\n{}\n", preset.name)), "{}", preset.name);
    }
}
