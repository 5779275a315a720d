//! A hub's seeds: of its own for each room, so that nobody outside can aim at a room's hash tables.
#![cfg(feature = "tokio")]

use roomcast::config::{QueueDiscipline, RoomConfigBuilder};
use roomcast::error::ReconfigureError;
use roomcast::message::Sender;
use roomcast::{
    Hub, Join, PerLevel, Publish, Room, RoomConfig, RoomId, Source, Subscription, UserId,
};
use std::time::{Duration, Instant};

type Word = &'static str;

fn builder() -> RoomConfigBuilder {
    RoomConfig::builder(UserId(1))
}

fn hub(seed: Option<u64>) -> Hub<Word> {
    let hub = Hub::<Word>::builder().workers(1);
    match seed {
        Some(seed) => hub.seed(seed).spawn(),
        None => hub.spawn(),
    }
}

fn room(hub: &Hub<Word>, id: u64, builder: RoomConfigBuilder) -> Room<Word> {
    hub.create_room(RoomId(id), &builder.build().unwrap()).unwrap()
}

/// One that is set is kept.
#[tokio::test]
async fn hubs_and_rooms_have_seeds_of_their_own() {
    let [first, second] = [hub(None), hub(None)];
    let rooms =
        [room(&first, 1, builder()), room(&first, 2, builder()), room(&second, 1, builder())];
    let [one, two, other] = rooms.each_ref().map(Room::seed);
    assert!(one != two && one != other && two != other, "{one}, {two}, {other}");
    assert!(![one, two, other].contains(&0));
    for seed in [0, 7] {
        let room = room(&first, 10 + seed, builder().seed(seed));
        assert_eq!(room.seed(), seed);
    }
}

#[tokio::test]
async fn a_seeded_hub_gives_its_rooms_the_same_again() {
    let seeds = |seed| {
        let hub = hub(Some(seed));
        [1, 2].map(|id| room(&hub, id, builder()).seed())
    };
    assert_eq!(seeds(7), seeds(7));
    assert_ne!(seeds(7), seeds(8));
    let [one, two] = seeds(7);
    assert_ne!(one, two);
    assert_eq!(room(&hub(Some(7)), 1, builder().seed(5)).seed(), 5, "the room's own goes before");
}

/// Which of 40 messages of as many users go out, and in which order, in a room that draws them.
async fn drawn(hub: &Hub<Word>) -> Vec<Sender> {
    let builder = builder()
        .rate(1_000)
        .burst(1)
        .discipline(QueueDiscipline::Random)
        .fresh_within(PerLevel([None; 4]));
    let room = room(hub, 1, builder);
    let members: Vec<Subscription<Word>> =
        (0..40).map(|n| room.join(Join::user(UserId(100 + n))).unwrap()).collect();
    let mut reader = room.join(Join::guest()).unwrap();
    for member in &members {
        let _ = room.try_publish(Publish::new(Source::Session(member.session()), "hi")).unwrap();
    }
    let mut order = Vec::new();
    while order.len() < members.len() {
        let batch = reader.next_batch().await.unwrap();
        order.extend(batch.messages().iter().map(|message| message.sender));
    }
    order
}

#[tokio::test(start_paused = true)]
async fn the_hubs_seed_repeats_what_a_room_draws() {
    let first = drawn(&hub(Some(7))).await;
    assert_eq!(first, drawn(&hub(Some(7))).await);
    assert_ne!(first, drawn(&hub(Some(8))).await);
    assert_ne!(first, drawn(&hub(None)).await);
}

#[tokio::test]
async fn b15_without_a_new_seed_a_room_keeps_its_own() {
    let hub = hub(None);
    let room = room(&hub, 1, builder());
    let seed = room.seed();
    for builder in [builder().rate(10), builder().seed(seed), builder().rate(20)] {
        room.reconfigure(&builder.build().unwrap()).unwrap();
        assert_eq!(room.seed(), seed);
    }
    let other = builder().seed(seed ^ 1).build().unwrap();
    assert_eq!(room.reconfigure(&other), Err(ReconfigureError::Fixed { setting: "seed" }));
}

/// Users whose ids all fall into one bucket of a table with this seed, whatever its size, and look
/// the same there.
mod crafted {
    use roomcast::UserId;

    const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

    fn mix(mut z: u64) -> u64 {
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// What `mix` makes this of: every step of it can be taken back.
    fn unmix(mut z: u64) -> u64 {
        z = z ^ (z >> 31) ^ (z >> 62);
        z = z.wrapping_mul(0x3196_42b2_d24d_8ec3);
        z = z ^ (z >> 27) ^ (z >> 54);
        z = z.wrapping_mul(0x96de_1b17_3f11_9089);
        z ^ (z >> 30) ^ (z >> 60)
    }

    pub(crate) fn users(seed: u64, count: u64) -> Vec<UserId> {
        let inner = mix(seed ^ GOLDEN);
        let hash = |key: u64| mix(mix(key ^ inner) ^ inner.rotate_left(32));
        let crafted = (0..count).map(|n| {
            // The bucket is in the low half of the hash, and the topmost byte is looked at there.
            let wanted = 0x7700_0000_0000_0001 | n << 32;
            let key = unmix(unmix(wanted) ^ inner.rotate_left(32)) ^ inner;
            assert_eq!(hash(key), wanted);
            UserId(key)
        });
        crafted.collect()
    }
}

/// How long it takes until all are in.
fn join_all(room: &Room<Word>, users: &[UserId]) -> Duration {
    let begin = Instant::now();
    let joined: Vec<_> = users.iter().map(|&user| room.join(Join::user(user)).unwrap()).collect();
    let time = begin.elapsed();
    assert_eq!(joined.len(), users.len());
    time
}

/// A room of a hub has another seed.
#[tokio::test]
async fn ids_crafted_against_the_cores_seed_do_no_harm() {
    let users = crafted::users(0, 3_000);
    let hub = hub(None);
    // One who knows the seed makes each join look at all who are in. The same ids, so no clock's
    // limit: the one beside the other.
    let known = join_all(&room(&hub, 1, builder().seed(0)), &users);
    let secret = join_all(&room(&hub, 2, builder()), &users);
    println!("{secret:?} with a seed of the hub's, {known:?} with seed 0");
    assert!(secret * 4 < known, "{secret:?} with a seed of the hub's, {known:?} with seed 0");
}

/// Prints a life and nothing else, when this very test is run by the other one.
#[tokio::test]
async fn lives_differ_in_each_process_whatever_the_seed() {
    const CHILD: &str = "ROOMCAST_TEST_PRINTS_A_LIFE";
    // How many rooms other tests have made meanwhile does not show in these bits.
    let life = room(&hub(Some(7)), 1, builder()).stats().room.admission.life >> 16;
    if std::env::var_os(CHILD).is_some() {
        println!("life={life}.");
        return;
    }
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["lives_differ_in_each_process_whatever_the_seed", "--exact", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let printed = String::from_utf8(child.stdout).unwrap();
    let other = printed.split_once("life=").and_then(|(_, rest)| rest.split_once('.'));
    assert_ne!(other.expect("the child prints a life").0, life.to_string());
}
