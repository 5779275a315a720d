//! Telling the host's recorder.

use super::books::Books;
use super::table::{LABELS, METRICS, Metric, MetricKind};
use metrics::{Key, Label, Level, Metadata, SharedString, Unit};

static METADATA: Metadata<'static> = Metadata::new("roomcast", Level::INFO, None);

/// The series of one metric, and what each was told to count.
#[derive(Debug)]
struct Told {
    metric: &'static Metric,
    series: Vec<(Key, u64)>,
}

/// What the recorder knows of a hub.
#[derive(Debug)]
pub(super) struct Recorder(Vec<Told>);

impl Recorder {
    /// Describes every metric to the recorder that is there.
    pub(super) fn new(hub: Option<&str>) -> Self {
        let hub = hub.map(|hub| Label::new("hub", hub.to_owned()));
        let told = METRICS.iter().zip(LABELS).map(|(metric, labels)| {
            describe(metric);
            let series = labels.series().into_iter().map(|labels| {
                let labels = labels.into_iter().map(|(key, value)| Label::new(key, value));
                (Key::from_parts(metric.name, labels.chain(hub.clone()).collect::<Vec<_>>()), 0)
            });
            Told { metric, series: series.collect() }
        });
        Self(told.collect())
    }

    /// Tells by how much each count has grown since it was told last, and how much there is now of what
    /// goes up and down.
    pub(super) fn tell(&mut self, books: &Books) {
        metrics::with_recorder(|recorder| {
            for (told, counts) in self.0.iter_mut().zip(books.values()) {
                for ((key, before), &count) in told.series.iter_mut().zip(counts) {
                    match told.metric.kind {
                        MetricKind::Counter => {
                            let more = count.saturating_sub(*before);
                            // Put down before it is called: it is foreign, and may panic.
                            *before += more;
                            recorder.register_counter(key, &METADATA).increment(more);
                        }
                        MetricKind::Gauge => {
                            recorder.register_gauge(key, &METADATA).set(count as f64);
                        }
                    }
                }
            }
        });
    }
}

fn describe(metric: &Metric) {
    let unit = if metric.unit == "bytes" { Unit::Bytes } else { Unit::Count };
    let (name, meaning) = (metric.name.into(), format!("{}: {}", metric.unit, metric.meaning));
    let meaning = SharedString::from(meaning);
    metrics::with_recorder(|recorder| match metric.kind {
        MetricKind::Counter => recorder.describe_counter(name, Some(unit), meaning),
        MetricKind::Gauge => recorder.describe_gauge(name, Some(unit), meaning),
    });
}
