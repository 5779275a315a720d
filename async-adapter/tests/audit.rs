//! The audit of a room in a hub: clause B24.

use roomcast::audit::{AuditRecord, Fate};
use roomcast::config::{AuditConfig, AuditOverflow};
use roomcast::stats::RefusalReason;
use roomcast::{Actor, Event, Hub, Payload, Priority, Publish, Room, RoomConfig, RoomId, Source};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock};

fn config(records: u32, when_full: AuditOverflow) -> RoomConfig {
    let mut audit = AuditConfig::default();
    (audit.records, audit.when_full) = (records, when_full);
    let builder = RoomConfig::builder(None).audit(Some(audit)).queue_messages(50);
    builder.build().unwrap()
}

fn text(priority: Priority) -> Publish<&'static str> {
    Publish::new(Source::Host, "text").priority(priority)
}

/// Publishers and the host that takes the records are threads of their own.
#[test]
fn b24_no_message_is_without_a_record_or_counted() {
    for when_full in [AuditOverflow::Count, AuditOverflow::Refuse] {
        let hub = Hub::<&str>::builder().audit_payloads().spawn_threads().unwrap();
        let room = hub.open_room(RoomId(1), &config(100, when_full)).unwrap();
        let mut taken: Vec<AuditRecord<&str>> = Vec::new();
        std::thread::scope(|scope| {
            for level in [Priority::High, Priority::Lowest] {
                let room = &room;
                scope.spawn(move || (0..5_000).for_each(|_| _ = room.try_publish(text(level))));
            }
            for _ in 0..1_000 {
                taken.extend(room.take_audit(7));
            }
        });
        room.close(Actor::Host).unwrap();
        taken.extend(room.take_audit(usize::MAX));
        let books = room.stats().room.admission;
        let audit = books.audit.unwrap();
        let missed = audit.missed.total();
        let fates = missed.refused.total() + missed.dropped.total() + missed.dispatched;
        assert_eq!((audit.records, taken.len() as u64 + fates), (0, 10_000));
        let ids: BTreeSet<u64> = taken.iter().map(|record| record.id.0).collect();
        assert_eq!(ids.len(), taken.len(), "a message has one record");
        assert!(taken.iter().all(|record| record.payload() == Some(&"text")));
        let dispatched =
            taken.iter().filter(|record| matches!(record.fate, Fate::Dispatched { .. })).count();
        let total = books.ledger.total();
        assert_eq!(dispatched as u64 + missed.dispatched, total.dispatched);
        if when_full == AuditOverflow::Refuse {
            assert_eq!((missed.dropped.total(), missed.dispatched), (0, 0));
            let full = missed.refused.count(RefusalReason::AuditFull);
            assert_eq!(full, total.refused.count(RefusalReason::AuditFull));
        }
    }
}

#[test]
fn b24_the_last_records_are_there_when_the_end_is_told() {
    type Slot = Arc<OnceLock<Hub<&'static str>>>;
    let (slot, last) = (Slot::default(), Arc::new(Mutex::new(Vec::new())));
    let (found, records) = (Arc::clone(&slot), Arc::clone(&last));
    let builder = Hub::<&str>::builder().on_event(move |id, event| {
        if *event == Event::RoomEnded {
            let room = found.get().and_then(|hub| hub.room(id)).unwrap();
            records.lock().unwrap().extend(room.take_audit(10));
        }
    });
    let hub = builder.spawn_threads().unwrap();
    slot.set(hub.clone()).unwrap();
    let room = hub.open_room(RoomId(1), &config(10, AuditOverflow::Count)).unwrap();
    let _ = room.try_publish(text(Priority::Low)).unwrap();
    room.close(Actor::Host).unwrap();
    assert_eq!(last.lock().unwrap().len(), 1);
    assert_eq!(room.take_audit(10), []);
}

/// Whoever sends it bears it; the room goes on, and there is the record.
#[test]
fn d67_a_payload_that_panics_as_it_is_cloned_costs_itself() {
    #[derive(Debug)]
    struct Brittle(usize);
    impl Clone for Brittle {
        fn clone(&self) -> Self {
            panic!("it is not to be cloned")
        }
    }
    impl Payload for Brittle {
        fn size(&self) -> usize {
            self.0
        }
    }
    let hub = Hub::<Brittle>::builder().audit_payloads().spawn_threads().unwrap();
    let room: Room<Brittle> = hub.open_room(RoomId(1), &config(10, AuditOverflow::Count)).unwrap();
    let offer = |size| room.try_publish(Publish::new(Source::Host, Brittle(size)));
    let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| offer(1 << 20)));
    assert!(refused.is_err());
    let _ = offer(1).unwrap();
    let found: Vec<_> = room.take_audit(10).iter().map(|r| r.payload().map(|p| p.0)).collect();
    assert_eq!(found, [None, Some(1)]);
    assert!(room.stats().balances());
}
