//! The smallest whole thing: a hub, a room, two members, one gift, and one batch without a gap.
//!
//! `cargo run --example minimal`

use roomcast::{Hub, Join, Outcome, Priority, Publish, RoomConfig, RoomId, Source, UserId};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let hub = Hub::<String>::builder().spawn();
    let room = hub.create_room(RoomId(42), &RoomConfig::av_chat_room(UserId(1)))?;

    // Whoever holds a subscription is in the room; dropping it leaves.
    let ann = room.join(Join::user(UserId(7)))?;
    let mut bob = room.join(Join::user(UserId(8)))?;

    // `publish` waits for the outcome of the message, not for its audience.
    let gift = Publish::gift(Source::Session(ann.session()), "a rocket".to_owned());
    let outcome = room.publish(gift).await?;
    println!("the gift: {outcome}");
    assert!(matches!(outcome, Outcome::Dispatched { .. }));

    let batch = bob.next_batch().await?;
    for message in batch.messages() {
        println!("bob hears: {} at {}", message.payload, message.priority);
    }
    assert_eq!(batch.messages().len(), 1);
    assert!(Priority::ALL.into_iter().all(|level| batch.gap(level) == 0), "bob missed something");
    assert!(room.stats().room.balances());
    Ok(())
}
