//! Records of the wire between nodes: any bytes. What is read is written again as what it was read as.

#![no_main]

use libfuzzer_sys::fuzz_target;
use roomcast_cluster::wire::{Flight, Forwards, NodeLease, Numbers, RoomKey};
use roomcast_core::Instant;

const NOW: Instant = Instant::from_secs(1_700_000_000);

fuzz_target!(|bytes: &[u8]| {
    if let Ok(flight) = Flight::<Vec<u8>>::decode(bytes, &mut Numbers) {
        let written = flight.encode(&Numbers);
        let again = Flight::<Vec<u8>>::decode(&written, &mut Numbers).expect("it was just written");
        assert_eq!(again.encode(&Numbers), written);
        let _ = flight.arrived(NOW, NOW);
    }
    if let Ok(forwards) = Forwards::<String>::decode(bytes, NOW, &mut Numbers) {
        let written = forwards.encode(NOW, &Numbers);
        let again = Forwards::<String>::decode(&written, NOW, &mut Numbers);
        assert_eq!(again.expect("it was just written").encode(NOW, &Numbers), written);
    }
    if let Ok(lease) = NodeLease::decode(bytes) {
        assert_eq!(NodeLease::decode(&lease.encode()), Ok(lease));
    }
    if let Ok(room) = RoomKey::decode(bytes) {
        assert_eq!(RoomKey::decode(&room.encode()), Ok(room));
    }
});
