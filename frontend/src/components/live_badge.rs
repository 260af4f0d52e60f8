//! The one red thing on the page.

use leptos::prelude::*;

/// Says that a room is live, or that it is coming back.
#[component]
pub fn LiveBadge(
    /// Whether the picture stands still for the moment.
    #[prop(into, optional)]
    paused: Signal<bool>,
) -> impl IntoView {
    view! {
        <span class="live-badge" data-test="live-badge" class:paused=paused>
            <span class="live-dot" aria-hidden="true"></span>
            "Live"
        </span>
    }
}
