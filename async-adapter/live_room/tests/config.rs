//! The room's configuration in a file, which is read again while the room runs.
#![cfg(unix)]

mod process;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use process::{SOON, Server, frame};
use tokio::time::timeout;

/// A file of this test's own.
fn file(name: &str, text: &str) -> PathBuf {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&file, text).unwrap();
    file
}

/// The limits as the page is told when it comes.
async fn limits(server: &Server) -> String {
    let (_, hello) = server.greeted().await;
    let from = hello.find(r#""rate":"#).unwrap_or_else(|| panic!("{hello}"));
    hello[from..].chars().take_while(|&c| c != '}').collect()
}

#[tokio::test]
async fn a_changed_file_changes_the_room_and_a_bad_one_nothing() {
    let file = file("changing.toml", "rate = \"50/s\"\nqueue_messages = 70\n");
    let name = file.display().to_string();
    let server = Server::start(&["--config", &name]);
    // Whoever is in stays in, whatever the file says.
    let (mut page, hello) = server.greeted().await;
    assert!(hello.contains(r#""rate":50,"queue_capacity":70"#), "{hello}");
    let says = |wanted: &str| {
        let line = server.said.recv_timeout(SOON).unwrap();
        assert!(line.starts_with(&format!("live_room: {name}: {wanted}")), "{line}");
    };

    fs::write(&file, "rate = \"60/s\"\nburst = 9\nqueue_messages = 70\n").unwrap();
    says("changed burst from 40 to 9, rate from \"50/s\" to \"60/s\"");
    assert!(limits(&server).await.starts_with(r#""rate":60,"queue_capacity":70"#));

    // What is wrong with it is said, and all stays as it was.
    fs::write(&file, "queue_messages = 80\nrate = \"many\"\n").unwrap();
    says(
        "refused, all stays as it was: rate: invalid value: string \"many\", expected a rate such as",
    );
    fs::write(&file, "queue_messages = 80\nheartbeat = \"off\"\necho = \"on\"\n").unwrap();
    says("refused, all stays as it was: echo cannot change once the room has been created");
    fs::remove_file(&file).unwrap();
    says("refused, all stays as it was: cannot be read: ");
    assert!(limits(&server).await.starts_with(r#""rate":60,"queue_capacity":70"#));

    fs::write(&file, "rate = \"60/s\"\nburst = 9\nqueue_messages = 80\n").unwrap();
    says("changed queue_messages from 70 to 80");
    assert!(limits(&server).await.starts_with(r#""rate":60,"queue_capacity":80"#));

    // When it is asked, it says so.
    let id = server.process.id().to_string();
    assert!(Command::new("kill").args(["-HUP", &id]).status().unwrap().success());
    says("nothing changed");
    timeout(SOON, frame(&mut page)).await.unwrap();
}

#[test]
fn with_a_bad_file_the_room_is_not_opened() {
    for (name, text, wanted) in [
        (
            "range.toml",
            "queue_bytes = 100",
            "queue_bytes must be at least 12288, not 100: a payload",
        ),
        ("key.toml", "brust = 3", "unknown field `brust`, expected one of `rate`, "),
        ("owner.toml", "owner = 5", "owner cannot be set: it is the first visitor"),
    ] {
        let file = file(name, text);
        for more in [&[][..], &["--headless", "--virtual"]] {
            let live_room = Command::new(env!("CARGO_BIN_EXE_live_room"))
                .arg("--config")
                .arg(&file)
                .args(more)
                .output()
                .unwrap();
            let said = String::from_utf8(live_room.stderr).unwrap();
            let wanted = format!("live_room: {}: {wanted}", file.display());
            assert!(said.starts_with(&wanted) && said.lines().count() == 1, "{said}");
            assert_eq!((live_room.status.code(), live_room.stdout.len()), (Some(2), 0));
        }
    }
}
