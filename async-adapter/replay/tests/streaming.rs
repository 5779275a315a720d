//! Memory does not grow with the file: however much is in it that is no message, and however long a
//! record is, no more is held than one record may have.

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{Read, repeat};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use roomcast_replay::recording::{Damage, Format, Reading, Recording};

/// The system's allocator, which knows how much is held, and the most that ever was.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: all calls go to the system's allocator as they come.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Relaxed) + layout.size();
        MOST.fetch_max(held, Relaxed);
        // SAFETY: the caller's promises are those of the system's allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const MIB: usize = 1 << 20;
/// So much is in the file that is no message.
const FILLER: u64 = 14 << 20;

/// Reads a file with so much of one byte between the two parts; answers what it was, and how much
/// was held at most.
fn read(format: Format, before: &str, byte: u8, after: &str) -> (Recording, usize) {
    let file = before.as_bytes().chain(repeat(byte).take(FILLER)).chain(after.as_bytes());
    let reading = Reading { format: Some(format), damage: Damage::LeaveOut, ..Reading::default() };
    let held = HELD.load(Relaxed);
    MOST.store(held, Relaxed);
    let recording = Recording::read("room", file, reading);
    (recording.unwrap_or_else(|error| panic!("{error}")), MOST.load(Relaxed) - held)
}

#[test]
fn memory_does_not_grow_with_the_file() {
    // What is passed over is not held at all.
    for (format, before, after) in [
        (
            Format::TwitchDownloader,
            r#"{"embeddedData":{"emote":""#,
            r#""},"comments":[{"content_offset_seconds":1,"message":{"body":"a"}}]}"#,
        ),
        (Format::Danmaku, "<i><style>", r#"</style><d p="1">a</d></i>"#),
        (Format::Danmaku, "<i><!-- ", r#"--><d p="1">a</d></i>"#),
        (Format::ChatDownloader, "[", r#"{"time_in_seconds":1,"message":"a"}]"#),
    ] {
        let byte = if format == Format::ChatDownloader { b' ' } else { b'x' };
        let (recording, held) = read(format, before, byte, after);
        assert_eq!(recording.entries().len(), 1, "{format}");
        assert!(held < MIB, "{format}: {held} bytes were held");
    }
    // A record that is too long is left out, and the next one is read.
    for (format, before, after) in [
        (Format::Danmaku, "<i><d p=\"1\">", "</d><d p=\"2\">a</d></i>"),
        (Format::Danmaku, "<i><d p=\"1", "\">a</d><d p=\"2\">a</d></i>"),
        (Format::Niconico, "<chat vpos=\"1\">", "</chat><chat vpos=\"2\">a</chat>"),
        (Format::Irc, "[10:00:00] <a> ", "\n[10:00:01] <a> b\n"),
        (Format::TwitchIrc, "@a=", "\n@tmi-sent-ts=1626314508745 :a PRIVMSG #c :a\n"),
        (
            Format::Youtube,
            "{\"a\":\"",
            "\"}\n{\"addChatItemAction\":{\"item\":{\
         \"liveChatTextMessageRenderer\":{\"timestampUsec\":\"1626314508745000\"}}}}\n",
        ),
        (Format::Csv, "time,message\n1,\"", "\"\n2,b\n"),
        (Format::Trace, "offset_us,sender,bytes\n1,", "\n2,3,4\n"),
        (
            Format::ChatDownloader,
            "[{\"message\":\"",
            "\"},\n{\"time_in_seconds\":1,\
         \"message\":\"a\"}]",
        ),
    ] {
        let (recording, held) = read(format, before, b'x', after);
        assert_eq!(recording.entries().len(), 1, "{format}");
        // A buffer that grows is there twice.
        assert!(held < 13 * MIB, "{format}: {held} bytes were held");
        assert!(recording.remarks()[0].contains(" too long "), "{:?}", recording.remarks());
    }
}
