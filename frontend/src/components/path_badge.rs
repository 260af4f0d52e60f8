//! Which way the picture comes, and how late it is.

use leptos::prelude::*;

use crate::logic::path::Path;
use crate::playback::Playback;

/// Shows the path and the delay while something plays.
#[component]
pub fn PathBadge(
    /// What plays.
    playback: Playback,
) -> impl IntoView {
    let name = move || match playback.path() {
        Some(Path::WebRtc) => Some("WebRTC"),
        Some(Path::Hls) => Some("HLS"),
        None => None,
    };
    let delay = move || {
        let tenths = playback.delay()?.tenths;
        Some(format!("{}.{} s", tenths / 10, tenths % 10))
    };
    view! {
        <span
            class="path-badge"
            data-test="path-badge"
            data-path=name
            title="How the picture reaches you, and how far behind live it is"
        >
            {name}
            <span class="path-delay">{delay}</span>
        </span>
    }
}
