use roomcast::time::TokioClock;
use roomcast::{Hub, Room, RoomConfig, RoomId};
use serde_json::Value;

use super::*;

fn say(room: &Room<Said>, text: &str) {
    let what = What::Text { text: text.to_owned() };
    assert!(room.try_publish(offer(Source::Host, "kim".into(), what)).is_ok());
}

/// The next frame of a page: what each item says, history in brackets; and the token.
async fn frame(subscription: &mut Subscription<Said>) -> (Vec<String>, Option<ResumeToken>) {
    let batch = subscription.next_batch().await.unwrap();
    let frame = encode(&batch, subscription.resume_token());
    let frame: Value = serde_json::from_str(&frame).unwrap();
    let words = |item: &Value| {
        let text = item["text"].as_str().unwrap();
        if item["history"] == true { format!("[{text}]") } else { text.to_owned() }
    };
    let items = frame["items"].as_array().unwrap().iter().map(words).collect();
    (items, frame["token"].as_str().and_then(|token| token.parse().ok()))
}

/// One who is in shares what is encoded once, and one who comes later gets the same as history.
#[tokio::test(start_paused = true)]
async fn what_was_there_before_a_page_came_is_history() {
    let hub = Hub::<Said>::builder().clock(TokioClock::default()).spawn();
    let config = RoomConfig::default().to_builder().replay_on_join(2).build().unwrap();
    let room = hub.create_room(RoomId(1), &config).unwrap();
    let mut early = room.join(Join::guest()).unwrap();
    for text in ["a", "b", "c"] {
        say(&room, text);
    }
    assert_eq!(frame(&mut early).await.0, ["a", "b", "c"]);
    let mut late = room.join(Join::guest()).unwrap();
    say(&room, "d");
    let (items, token) = frame(&mut late).await;
    assert_eq!(items, ["[b]", "[c]", "d"]);
    assert_eq!(frame(&mut early).await.0, ["d"]);
    // Its connection breaks, and it comes back with the token of its last frame.
    drop(late);
    say(&room, "e");
    let mut back = room.join(Join::guest().resume(token.unwrap())).unwrap();
    say(&room, "f");
    assert_eq!(back.start(), StartPosition::Resumed);
    assert_eq!(frame(&mut back).await.0, ["[e]", "f"]);
}
