//! A model of each protocol of the adapter: `cargo test --release --features loom`.
#![cfg(feature = "loom")]

macro_rules! models {
    ($($model:ident),* $(,)?) => {
        $(
            #[test]
            fn $model() {
                roomcast_models::protocols::$model();
            }
        )*
    };
}

models!(
    broadcasts,
    called,
    called_meanwhile,
    ending,
    ending_is_seen_after_it_is_told,
    expiry,
    gone,
    gone_while_the_worker_is_there,
    groups,
    hub_close,
    hub_close_session,
    hub_publish,
    hub_rejoin,
    hub_second_shard,
    hub_two_visits,
    hub_clock,
    latch,
    mailbox,
    mailbox_end,
    outcomes,
    pump_end,
    pump_news,
    pump_notify,
    signal,
    signal_brings_what_was_before,
    signal_of_a_thread,
    timers,
    worker,
    writable,
);
