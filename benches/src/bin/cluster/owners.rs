//! A room whose owner is killed, or hands it over, while people chat.

use crate::chat::{Heard, Talker, histogram, middle, nanos};
use crate::nodes::{Bus, LONG, Node, ROOM};
use crate::options::Options;
use crate::table::Table;
use bytes::Bytes;
use roomcast::event::StartPosition;
use roomcast::{Item, Join};
use roomcast_benches::text::{grouped, time};
use roomcast_cluster::ClusterRoom;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};

/// How often somebody says something.
const EVERY: Duration = Duration::from_millis(5);

/// The node that listens and speaks, and two that take turns in owning the room.
struct Scene {
    watch: Node,
    room: ClusterRoom<Bytes>,
    owners: Vec<(Node, ClusterRoom<Bytes>)>,
    heard: Arc<Mutex<Heard>>,
    talker: Talker,
}

impl Scene {
    async fn new(bus: &Bus, cluster: &str, options: &Options) -> Result<Self, String> {
        let begun = Instant::now();
        let watch = Node::join(bus, cluster, 100, options).await?;
        let room = watch.open(ROOM).await?;
        let session = room.join(Join::guest()).map_err(|error| error.to_string())?;
        let heard = Heard::listen(session, begun);
        let mut owners = Vec::new();
        for name in [1, 2] {
            let node = Node::join(bus, cluster, name, options).await?;
            let room = node.open(ROOM).await?;
            owners.push((node, room));
        }
        let talker = Talker::start(room.clone(), EVERY, begun);
        Ok(Self { watch, room, owners, heard, talker })
    }

    /// Which of the two owns the room; if it is the node that watches, that gives it up.
    async fn owner(&self) -> Result<usize, String> {
        let wait = async {
            loop {
                if let Some(owner) = self.owners.iter().position(|(node, _)| node.owns()) {
                    return owner;
                }
                if self.watch.owns() {
                    self.room.hand_over(self.owners[0].0.name).await;
                }
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(LONG, wait).await.map_err(|_| "nobody owns the room".into())
    }

    /// The longest silence since this was last asked, once something is heard again.
    async fn silence(&self) -> Result<Duration, String> {
        let messages = || self.heard.lock().unwrap_or_else(PoisonError::into_inner).messages;
        let wait = async {
            // Two that come after whatever happens now, with nothing but the pace between them.
            let mut before = messages();
            let mut quiet = 0;
            while quiet < 10 {
                sleep(Duration::from_millis(20)).await;
                let now = messages();
                quiet = if now > before { quiet + 1 } else { 0 };
                before = now;
            }
        };
        timeout(LONG, wait).await.map_err(|_| "nothing is heard any more")?;
        Ok(self.heard.lock().unwrap_or_else(PoisonError::into_inner).take_longest())
    }

    /// What was lost, twice or missing in the end, in one line.
    async fn end(self, table: &mut Table) -> Result<(), String> {
        let (said, fates) = self.talker.stop().await?;
        sleep(Duration::from_millis(200)).await;
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let other = fates.others.load(std::sync::atomic::Ordering::Relaxed);
        let line = format!(
            "{other} of {} without dispatch, {} twice, {} missing",
            grouped(said),
            heard.twice,
            heard.missed
        );
        table.row("... lost, twice, holes meanwhile", line, "0, 0, 0");
        Ok(())
    }
}

/// The owner is killed again and again.
pub(crate) async fn killed(bus: &Bus, options: &Options, table: &mut Table) -> Result<(), String> {
    let mut scene = Scene::new(bus, "kill", options).await?;
    let mut silences = histogram();
    scene.silence().await?;
    for kill in 1..=options.kills {
        let owner = scene.owner().await?;
        scene.silence().await?;
        let name = scene.owners[owner].0.name;
        let dead = scene.owners.swap_remove(owner);
        drop(dead);
        let silence = wait_for_silence(&scene).await?;
        silences.saturating_record(nanos(silence));
        eprint!("\rkill {kill} of {}: {}   ", options.kills, time(nanos(silence)));
        // Its name is free when its lease has lapsed.
        let node = Node::join(bus, "kill", name, options).await?;
        let room = node.open(ROOM).await?;
        scene.owners.push((node, room));
    }
    eprintln!();
    let what = format!("owner killed {} times: silence at a member", options.kills);
    let reach = format!("p99 lease + 100 ms: {} ms", options.lease * 1_000 + 100);
    table.row(&what, middle(&silences), &reach);
    scene.end(table).await
}

/// The silence that a death makes: it has to come, and to end.
async fn wait_for_silence(scene: &Scene) -> Result<Duration, String> {
    let wait = async {
        loop {
            let owns = scene.watch.owns() || scene.owners.iter().any(|(node, _)| node.owns());
            if owns {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LONG, wait).await.map_err(|_| "nobody takes the room over")?;
    scene.silence().await
}

/// The room is handed over again and again.
pub(crate) async fn handed_over(
    bus: &Bus,
    options: &Options,
    table: &mut Table,
) -> Result<(), String> {
    let scene = Scene::new(bus, "handover", options).await?;
    let mut silences = histogram();
    scene.silence().await?;
    for _ in 0..options.handovers {
        let owner = scene.owner().await?;
        scene.silence().await?;
        let (from, to) = (&scene.owners[owner], &scene.owners[1 - owner]);
        from.1.hand_over(to.0.name).await;
        let wait = async {
            while !to.0.owns() {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(LONG, wait).await.map_err(|_| "the room is not taken")?;
        silences.saturating_record(nanos(scene.silence().await?));
    }
    let what = format!("room handed over {} times: silence at a member", options.handovers);
    table.row(&what, middle(&silences), "p99 50 ms");
    scene.end(table).await
}

/// The members of a node that is killed come back at another, with the tokens that they have.
pub(crate) async fn resumed(bus: &Bus, options: &Options, table: &mut Table) -> Result<(), String> {
    let begun = Instant::now();
    let dies = Node::join(bus, "resume", 1, options).await?;
    let lives = Node::join(bus, "resume", 2, options).await?;
    let (there, here) = (dies.open(ROOM).await?, lives.open(ROOM).await?);
    let talker = Talker::start(here.clone(), Duration::from_millis(25), begun);
    let mut members = Vec::new();
    for _ in 0..options.members {
        members.push(there.join(Join::guest()).map_err(|error| error.to_string())?);
    }
    // Everyone reads for a while, and keeps a token of behind what was read.
    let until = Instant::now() + Duration::from_secs(3);
    let mut tokens = Vec::new();
    while Instant::now() < until {
        tokens.clear();
        for member in &mut members {
            while let Ok(Some(_)) = member.try_next_batch() {}
            tokens.extend(member.resume_token());
        }
        sleep(Duration::from_millis(100)).await;
    }
    drop(dies);
    drop(members);
    let killed = Instant::now();
    // They come in the order in which their connections broke, 20 ms for each two hundred.
    let (mut back, mut whole) = (Vec::new(), 0_u32);
    for (number, token) in tokens.into_iter().enumerate() {
        let member = here.join(Join::guest().resume(token)).map_err(|error| error.to_string())?;
        whole += u32::from(member.start() == StartPosition::Resumed);
        back.push(member);
        if number % 200 == 199 {
            sleep(Duration::from_millis(20)).await;
        }
    }
    let took = killed.elapsed();
    // Until somebody owns the room again, and what was said meanwhile has come.
    sleep(Duration::from_secs(u64::from(options.lease) + 2)).await;
    let (said, _) = talker.stop().await?;
    let mut gaps = 0_u32;
    for member in &mut back {
        let mut has_gap = false;
        while let Ok(Some(batch)) = member.try_next_batch() {
            has_gap |= batch.items().any(|item| matches!(item, Item::Gap { .. }));
        }
        gaps += u32::from(has_gap);
    }
    let kept = whole - gaps.min(whole);
    let share = f64::from(kept) / f64::from(options.members) * 100.0;
    let line = format!(
        "{share:.2} %, back within {:.1} s, {} messages said",
        took.as_secs_f64(),
        grouped(said)
    );
    let what = format!(
        "{} members of a killed node resumed without a gap",
        grouped(options.members.into())
    );
    table.row(&what, line, "99.9 %");
    Ok(())
}
