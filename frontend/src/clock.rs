//! The server's clock, as far as this page knows it.

use std::cell::Cell;

use leptos::prelude::*;
use shared::UnixMillis;

thread_local! {
    /// The server's clock minus this device's, in milliseconds.
    static SERVER_AHEAD_MS: Cell<f64> = const { Cell::new(0.0) };
}

/// Smallest difference that is believed: the `Date` header has whole seconds and travels a while.
const SMALLEST_DIFFERENCE_MS: f64 = 2_500.0;

/// Now, on this device's clock.
#[must_use]
pub fn now() -> UnixMillis {
    js_sys::Date::now() as UnixMillis
}

/// Now, on the server's clock: compare it with moments that the server names.
#[must_use]
pub fn server_now() -> UnixMillis {
    (js_sys::Date::now() + SERVER_AHEAD_MS.get()).max(0.0) as UnixMillis
}

/// Learns the server's clock from an HTTP `Date` header (RFC 9110 section 6.6.1).
pub fn learn(date_header: &str) {
    let ahead = js_sys::Date::parse(date_header) - js_sys::Date::now();
    if ahead.is_finite() {
        SERVER_AHEAD_MS.set(if ahead.abs() < SMALLEST_DIFFERENCE_MS {
            0.0
        } else {
            ahead
        });
    }
}

/// The time on the server's clock, once a second, for everything that counts seconds.
#[derive(Clone, Copy)]
pub struct Ticker(RwSignal<UnixMillis>);

impl Ticker {
    /// Starts to tick and provides itself to all that is below the current component.
    pub fn provide() {
        let now = RwSignal::new(server_now());
        let tick = gloo_timers::callback::Interval::new(1_000, move || now.set(server_now()));
        StoredValue::new_local(tick);
        provide_context(Self(now));
    }

    /// Now; a reader is told each second.
    #[must_use]
    pub fn now(self) -> UnixMillis {
        self.0.get()
    }
}

/// The page's ticker.
#[must_use]
pub fn ticker() -> Ticker {
    expect_context()
}
