//! One test for each clause of the rulebook that the core keeps today, in virtual time and through
//! the public API.

#[path = "clauses/age.rs"]
mod age;
#[path = "clauses/audit.rs"]
mod audit;
#[path = "clauses/beyond.rs"]
mod beyond;
#[path = "clauses/clock.rs"]
mod clock;
#[path = "clauses/cold.rs"]
mod cold;
#[path = "clauses/data.rs"]
mod data;
#[path = "clauses/directs.rs"]
mod directs;
#[path = "clauses/fresh.rs"]
mod fresh;
#[path = "clauses/joining.rs"]
mod joining;
#[path = "clauses/limits.rs"]
mod limits;
#[path = "clauses/lives.rs"]
mod lives;
#[path = "clauses/members.rs"]
mod members;
#[path = "clauses/memory.rs"]
mod memory;
#[path = "clauses/merging.rs"]
mod merging;
#[path = "clauses/messages.rs"]
mod messages;
#[path = "clauses/moderation.rs"]
mod moderation;
#[path = "clauses/one_room.rs"]
mod one_room;
#[path = "clauses/pins.rs"]
mod pins;
#[path = "clauses/presence.rs"]
mod presence;
#[path = "clauses/reconfigure.rs"]
mod reconfigure;
#[path = "clauses/refusals.rs"]
mod refusals;
#[path = "clauses/resuming.rs"]
mod resuming;
#[path = "clauses/retract.rs"]
mod retract;
#[path = "clauses/review.rs"]
mod review;
#[path = "clauses/scene.rs"]
mod scene;
#[path = "clauses/sessions.rs"]
mod sessions;
#[path = "clauses/silent.rs"]
mod silent;
#[path = "clauses/speaking.rs"]
mod speaking;
#[path = "clauses/tips.rs"]
mod tips;
#[path = "clauses/vacancy.rs"]
mod vacancy;
