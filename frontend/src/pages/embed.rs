//! Just the player, for other sites.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::{use_params_map, use_query_map};
use shared::room::RoomKey;

use super::NotFound;
use crate::components::icon::{Glyph, Icon};
use crate::components::player::{Player, phase_name};
use crate::playback::Playback;
use crate::realtime::RoomFeed;

/// `/embed/{key}?muted=0&autoplay=0&controls=0`; each is on unless it is `0` or `false`.
#[component]
pub fn Embed() -> impl IntoView {
    let params = use_params_map();
    move || match params
        .read()
        .get("key")
        .unwrap_or_default()
        .parse::<RoomKey>()
    {
        Ok(key) => view! { <EmbedRoom key /> }.into_any(),
        Err(_) => view! { <NotFound /> }.into_any(),
    }
}

#[component]
fn EmbedRoom(key: RoomKey) -> impl IntoView {
    let query = use_query_map();
    let is_on = move |name: &str| {
        let value = query.with_untracked(|query| query.get(name));
        !matches!(value.as_deref(), Some("0" | "false"))
    };
    let controls = is_on("controls");
    let playback = Playback::new(key.clone(), is_on("muted"));
    let begun = RwSignal::new(is_on("autoplay"));
    if begun.get_untracked() {
        playback.begin();
    }
    let begin = move |_| {
        begun.set(true);
        playback.begin();
    };
    let feed = RoomFeed::new();
    feed.join(key.clone(), None);
    playback.follow(Signal::derive(move || {
        feed.room.get().filter(|_| begun.get())
    }));
    let title = Signal::derive(move || {
        feed.room.with(|room| {
            room.as_ref()
                .map_or_else(String::new, |room| room.title.clone())
        })
    });
    view! {
        <Title text=move || title.get() />
        <main
            class="embed"
            data-test="watch"
            data-state=move || phase_name(&playback.phase())
            class:not-begun=move || !begun.get()
        >
            <Player playback room_key=key title controls>
                <Show when=move || !begun.get()>
                    <button type="button" class="big-play" aria-label="Play" on:click=begin>
                        <Icon glyph=Glyph::Play />
                    </button>
                </Show>
            </Player>
        </main>
    }
}
