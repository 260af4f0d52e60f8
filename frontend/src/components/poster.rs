//! The picture of a room that has none yet.

use leptos::prelude::*;
use shared::room::RoomKey;

use crate::logic::poster;

/// A colour of its own and the title's first letter.
#[component]
pub fn Poster(
    /// The room's key; decides the colour.
    key: RoomKey,
    /// The room's title; gives the letter.
    #[prop(into)]
    title: Signal<String>,
) -> impl IntoView {
    let hue = poster::hue(key.as_str(), poster::COOL);
    view! {
        <div class="poster" style=("--hue", hue.to_string()) aria-hidden="true">
            <span>{move || poster::initial(&title.get(), &key)}</span>
        </div>
    }
}
