//! What a room looks like now.

use leptos::prelude::*;
use shared::room::RoomKey;

use super::poster::Poster;
use crate::{browser, clock};

/// How long a picture is shown, in seconds. All pages change it at the same moments and so ask for the same
/// address, which a cache answers.
const SECONDS: u64 = 10;

/// The newest picture of a broadcast, over the poster that stands in until there is one.
#[component]
pub fn LivePicture(
    /// The room's key.
    key: RoomKey,
    /// The room's title.
    #[prop(into)]
    title: Signal<String>,
) -> impl IntoView {
    let ticker = clock::ticker();
    let there = RwSignal::new(false);
    let number = Memo::new(move |known: Option<&u64>| {
        let number = ticker.now() / 1_000 / SECONDS;
        match known {
            // Nobody looks: nothing is fetched.
            Some(known) if !browser::page_is_visible() => *known,
            _ => number,
        }
    });
    let address = {
        let key = key.clone();
        move || format!("/live/{key}/thumbnail.jpg?t={}", number.get())
    };
    view! {
        <Poster key title />
        <img
            class="live-picture"
            class:there=there
            data-test="live-picture"
            src=address
            alt=""
            decoding="async"
            on:load=move |_| there.set(true)
            on:error=move |_| there.set(false)
        />
    }
}
