//! Without a page: the room in real time, its progress, and its books.

use std::sync::Arc;
use std::time::Duration;

use indicatif::ProgressBar;
use roomcast::Priority;
use roomcast_replay::recording::Recording;

use crate::books::Books;
use crate::crowd::AtEnd;
use crate::live::LiveRoom;
use crate::options::Options;
use crate::stop;

/// How often the progress is shown.
const LOOK: Duration = Duration::from_millis(100);
/// How often a line is printed where no progress bar can be shown.
const LINE: Duration = Duration::from_secs(5);

/// Runs the recording through a room in real time: to its end, for the duration that the options name, or until Ctrl-C.
pub(crate) async fn run(
    recording: &Arc<Recording>,
    options: &Options,
    progress: &ProgressBar,
) -> Result<Books, String> {
    let live = LiveRoom::open(recording, options, AtEnd::Stop, None)?;
    let mut looks = tokio::time::interval(LOOK);
    let mut lines = tokio::time::interval(LINE);
    // One future for the whole run: a signal between two looks is not lost.
    let mut stopped = std::pin::pin!(stop::requested());
    while !live.crowd_is_gone() {
        tokio::select! {
            () = &mut stopped => break,
            _ = looks.tick() => show(&live, options, progress),
            _ = lines.tick(), if progress.is_hidden() => eprintln!("{}", progress.message()),
        }
    }
    progress.set_message("draining; Ctrl-C again ends that");
    let mut books = live.end(stop::requested()).await;
    progress.finish_and_clear();
    books.lasted = books.lasted.min(options.duration.unwrap_or(Duration::MAX));
    Ok(books)
}

fn show(live: &LiveRoom, options: &Options, progress: &ProgressBar) {
    let of_duration = options
        .duration
        .map_or(0.0, |duration| live.clock.elapsed().as_secs_f64() / duration.as_secs_f64());
    let share = live.crowd.borrow().progress.max(of_duration);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of the length"
    )]
    progress.set_position((share * progress.length().unwrap_or_default() as f64) as u64);
    let admission = live.room.stats().room.admission;
    let total = admission.ledger.total();
    let queued: u32 = admission.queued.values().sum();
    let gifts = admission.ledger.levels[Priority::High].dispatched;
    progress.set_message(format!(
        "offered {} · dispatched {} ({gifts} gifts) · shed {} · queued {queued}",
        total.submitted,
        total.dispatched,
        total.refused.total() + total.dropped.total(),
    ));
}
