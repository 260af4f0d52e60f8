//! How long it has been live.

use leptos::prelude::*;
use shared::UnixMillis;

use crate::clock;
use crate::logic::elapsed;

/// A clock that counts up from `since` (on the server's clock), once a second.
#[component]
pub fn Elapsed(
    /// When the broadcast began; nothing is shown without.
    #[prop(into)]
    since: Signal<Option<UnixMillis>>,
) -> impl IntoView {
    let ticker = clock::ticker();
    let text = move || {
        since.get().map_or_else(
            || "0:00".to_owned(),
            |since| elapsed::between(since, ticker.now()),
        )
    };
    // Not a live region: nobody wants to hear every second.
    view! {
        <span class="elapsed" data-test="elapsed" role="timer" aria-live="off">
            {text}
        </span>
    }
}
