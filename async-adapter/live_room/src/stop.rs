//! When somebody wants the process to end.

/// Waits for Ctrl-C, or for the signal that service managers send.
pub(crate) async fn requested() {
    #[cfg(unix)]
    if let Ok(mut terminate) =
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
    {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        return;
    }
    // Where no handler can be installed, the operating system's own ends the process.
    let _ = tokio::signal::ctrl_c().await;
}
