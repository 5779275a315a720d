//! The core alone, in virtual time: no runtime, no clock, no I/O. A room that sends four messages a
//! second is offered eight texts and a gift at once; the loop jumps from one due time to the next.
//!
//! `cargo run --example sans_io --no-default-features`

use std::time::Duration;

use roomcast_core::{Budget, Event, Instant, Join, PerLevel};
use roomcast_core::{Publish, RoomConfig, RoomState, Source, UserId};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Five may wait, and a text for no longer than 0.6 s.
    let patience = PerLevel([None, Some(Duration::from_millis(600)), None, None]);
    let config = RoomConfig::builder(UserId(1)).rate(4).burst(1).queue_messages(5);
    let mut room = RoomState::new(&config.fresh_within(patience).build()?);
    let mut now = Instant::from_secs(1);
    let ann = Source::Session(room.join(now, Join::user(UserId(7)))?.session);
    let bob = room.join(now, Join::guest())?.session;

    for number in 1..=8 {
        match room.publish(now, Publish::new(ann, format!("text {number}"))) {
            Ok(receipt) => match receipt.outcome {
                Some(outcome) => println!("text {number}: {outcome}"),
                None => println!("text {number} waits as {}", receipt.id),
            },
            Err(refused) => println!("text {number}: {refused}"),
        }
    }
    let gift = room.publish(now, Publish::gift(ann, "a rocket".to_owned()))?;
    println!("the gift waits as {}", gift.id);

    let mut heard = Vec::new();
    loop {
        while let Some(event) = room.poll_event() {
            if let Event::Outcome { id, outcome, .. } = event {
                println!("at {now}, {id}: {outcome}");
            }
        }
        while let Some(batch) = room.next_batch(now, bob, Budget::default())? {
            heard.extend(batch.messages().iter().map(|message| message.payload.clone()));
        }
        let Some(due) = room.poll_timeout() else { break };
        now = due;
        room.handle_timeout(now);
    }

    println!("bob heard {heard:?}");
    // The gift came last and went before all that waited.
    assert_eq!(heard, ["text 1", "a rocket", "text 2"]);
    assert!(room.snapshot(now).balances());
    Ok(())
}
