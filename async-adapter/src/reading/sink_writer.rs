//! Writing to a sink of the host's: no step takes longer than it may, and a quiet one is looked at.

use crate::drive::timer::Timer;
use crate::drive::worker::Worker;
use crate::reading::forwarded::{ForwardEnd, ForwardOptions};
use crate::sync::Arc;
use futures_sink::Sink;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// The shortest and the longest time between two looks at a sink.
const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_secs(365 * 86_400);

/// A sink, and who tells the time that it takes.
pub(crate) struct SinkWriter<'a, S, W> {
    sink: Pin<&'a mut S>,
    worker: Arc<Worker<W>>,
    watch: Option<Watch<W>>,
    options: ForwardOptions,
}

impl<'a, S, W> SinkWriter<'a, S, W> {
    pub(crate) fn new(
        sink: Pin<&'a mut S>,
        worker: &Arc<Worker<W>>,
        options: ForwardOptions,
    ) -> Self {
        let watch = options.check_sink_every.map(|every| Watch::new(worker, every));
        Self { sink, worker: Arc::clone(worker), watch, options }
    }

    pub(crate) fn options(&self) -> &ForwardOptions {
        &self.options
    }

    /// Waits for something to write; meanwhile the sink may fail.
    pub(crate) async fn next<B, T>(
        &mut self,
        mut poll_source: impl FnMut(&mut Context<'_>) -> Poll<Result<B, ForwardEnd<S::Error>>>,
    ) -> Result<B, ForwardEnd<S::Error>>
    where
        S: Sink<T>,
    {
        poll_fn(|cx| match (poll_source(cx), &mut self.watch) {
            (Poll::Pending, Some(watch)) => {
                let failure = watch.poll_failure(self.sink.as_mut(), &self.worker, cx);
                failure.map(|error| Err(ForwardEnd::Sink(error)))
            }
            (answer, _) => answer,
        })
        .await
    }

    /// Feeds every item, telling of each that it is taken, then flushes once. Each of these may
    /// take [`stalled_after`](ForwardOptions::stalled_after).
    pub(crate) async fn write_all<T>(
        &mut self,
        items: impl Iterator<Item = T>,
        mut take: impl FnMut(),
    ) -> Result<(), ForwardEnd<S::Error>>
    where
        S: Sink<T>,
    {
        for item in items {
            self.step(<S as Sink<T>>::poll_ready).await?;
            self.sink.as_mut().start_send(item).map_err(ForwardEnd::Sink)?;
            take();
        }
        self.step(<S as Sink<T>>::poll_flush).await
    }

    /// One step of the sink.
    async fn step<E>(
        &mut self,
        mut step: impl FnMut(Pin<&mut S>, &mut Context<'_>) -> Poll<Result<(), E>>,
    ) -> Result<(), ForwardEnd<E>> {
        let mut timer = None;
        poll_fn(|cx| {
            if let Poll::Ready(answer) = step(self.sink.as_mut(), cx) {
                return Poll::Ready(answer.map_err(ForwardEnd::Sink));
            }
            // Most steps are done at once: no clock is read for them.
            let timer =
                timer.get_or_insert_with(|| Timer::start(&self.worker, self.options.stalled_after));
            timer.poll(cx).map(|()| Err(ForwardEnd::Stalled))
        })
        .await
    }
}

/// Looks at a sink while there is nothing to write.
struct Watch<W> {
    /// The next look. It is not set anew with each batch: in a busy room it costs nothing.
    next: Timer<W>,
    every: Duration,
    /// Whether the last look found that the sink has still to flush.
    flushes: bool,
}

impl<W> Watch<W> {
    fn new(worker: &Arc<Worker<W>>, every: Duration) -> Self {
        let every = every.clamp(SHORTEST, LONGEST);
        Self { next: Timer::start(worker, every), every, flushes: false }
    }

    /// The sink's error, once it tells one. As long as it does not, the task is woken for the next
    /// look at the latest.
    fn poll_failure<T, S: Sink<T>>(
        &mut self,
        mut sink: Pin<&mut S>,
        worker: &Arc<Worker<W>>,
        cx: &mut Context<'_>,
    ) -> Poll<S::Error> {
        if let Poll::Ready(Err(error)) = sink.as_mut().poll_ready(cx) {
            return Poll::Ready(error);
        }
        if self.next.poll(cx).is_ready() {
            self.flushes = true;
            self.next = Timer::start(worker, self.every);
            // Where there is no worker any more the session has ended, and tells so: then this one
            // goes off at once, and nobody waits for it.
            let _ = self.next.poll(cx);
        }
        if self.flushes {
            match sink.poll_flush(cx) {
                Poll::Ready(Err(error)) => return Poll::Ready(error),
                Poll::Ready(Ok(())) => self.flushes = false,
                Poll::Pending => {}
            }
        }
        Poll::Pending
    }
}
