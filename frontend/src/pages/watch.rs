//! Watching a room together.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use leptos_router::hooks::use_params_map;
use shared::room::{Room, RoomKey};

use super::NotFound;
use crate::browser;
use crate::components::chat_panel::ChatPanel;
use crate::components::elapsed::Elapsed;
use crate::components::gift_toast::GiftToasts;
use crate::components::hearts::Hearts;
use crate::components::icon::{Glyph, Icon};
use crate::components::live_badge::LiveBadge;
use crate::components::player::{Player, phase_name};
use crate::components::site_header::SiteHeader;
use crate::components::stat::Count;
use crate::logic::viewer::Phase;
use crate::realtime::RoomFeed;
use crate::storage;
use crate::webrtc::Playback;

/// A phone held sideways: there the chat floats over the picture.
const SIDEWAYS: &str = "(orientation: landscape) and (max-height: 560px)";

/// `/room/{key}`.
#[component]
pub fn Watch() -> impl IntoView {
    let params = use_params_map();
    // Another key is another room: everything below starts anew.
    move || match params
        .read()
        .get("key")
        .unwrap_or_default()
        .parse::<RoomKey>()
    {
        Ok(key) => view! { <WatchRoom key /> }.into_any(),
        Err(_) => view! { <NotFound /> }.into_any(),
    }
}

#[component]
fn WatchRoom(key: RoomKey) -> impl IntoView {
    // The picture first: its request is on the way before anything is drawn.
    let playback = Playback::open(key.clone());
    let feed = RoomFeed::new();
    let host_token = storage::host_secrets(&key).map(|secrets| secrets.host_token);
    feed.join(key.clone(), host_token);
    let state = Memo::new(move |_| feed.state());
    Effect::new(move |_| {
        if let Some(state) = state.get() {
            playback.room_is(state);
        }
    });

    let of_room = move |read: fn(&Room) -> u64| {
        Signal::derive(move || feed.room.with(|room| room.as_ref().map_or(0, read)))
    };
    let viewers = of_room(|room| u64::from(room.viewers));
    let since = Signal::derive(move || feed.room.with(|room| room.as_ref()?.started_at));
    let title = Signal::derive(move || {
        feed.room.with(|room| {
            room.as_ref()
                .map_or_else(String::new, |room| room.title.clone())
        })
    });
    let page_title = move || match title.get() {
        title if title.is_empty() => "Golive".to_owned(),
        title => format!("{title} · Golive"),
    };
    let is_live = Memo::new(move |_| playback.is_watching());
    let paused = Signal::derive(move || playback.paused.get() || playback.phase() != Phase::Live);

    let chat_hidden = RwSignal::new(false);
    let tapped = move |()| {
        if browser::media_matches(SIDEWAYS) {
            chat_hidden.update(|hidden| *hidden = !*hidden);
        }
    };
    view! {
        <Title text=page_title />
        <div
            class="watch"
            data-test="watch"
            data-state=move || phase_name(&playback.phase())
            class:chat-hidden=chat_hidden
        >
            <SiteHeader />
            <main class="watch-main">
                <div class="stage">
                    <Player playback room_key=key title on_tap=tapped>
                        <A href="/" attr:class="icon-button back" attr:aria-label="All rooms">
                            <Icon glyph=Glyph::ArrowLeft />
                        </A>
                        <Hearts feed />
                        <GiftToasts feed />
                    </Player>
                    <div class="room-info">
                        <h1>{title}</h1>
                        <div class="room-stats">
                            <Show when=move || is_live.get()>
                                <LiveBadge paused />
                            </Show>
                            <Count glyph=Glyph::Eye label="Viewers" value=viewers test="viewers" />
                            <Show when=move || is_live.get()>
                                <Elapsed since />
                            </Show>
                        </div>
                    </div>
                </div>
                <ChatPanel feed />
            </main>
        </div>
    }
}
