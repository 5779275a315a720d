//! What the room counts, as Prometheus fetches it.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use roomcast::Hub;

use crate::room::Said;

/// The text format of Prometheus.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Where `/metrics` has its numbers from.
#[derive(Debug, Clone)]
pub(super) struct Metrics {
    /// Who counts.
    pub(super) hub: Hub<Said>,
    /// Who is told.
    pub(super) recorder: PrometheusHandle,
}

/// Installs the recorder, for a hub that is made after that. The error is a line for the person who started it.
pub(super) fn install() -> Result<PrometheusHandle, String> {
    PrometheusBuilder::new().install_recorder().map_err(|error| format!("no metrics: {error}"))
}

/// Answers with all metrics as they are now.
pub(super) async fn metrics(State(Metrics { hub, recorder }): State<Metrics>) -> Response {
    hub.observe_now();
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], recorder.render()).into_response()
}
