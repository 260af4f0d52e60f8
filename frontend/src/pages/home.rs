//! Who is live.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use shared::room::Room;

use crate::components::icon::{Glyph, Icon};
use crate::components::message::Message;
use crate::components::room_card::RoomCard;
use crate::components::site_header::SiteHeader;
use crate::realtime::LobbyFeed;

/// The rooms that are live, kept right by themselves.
#[component]
pub fn Home() -> impl IntoView {
    let lobby = LobbyFeed::open();
    view! {
        <Title text="Golive" />
        <SiteHeader />
        <main class="page">
            <h1>"Live now"</h1>
            {move || match lobby.rooms() {
                None => view! { <Skeleton /> }.into_any(),
                Some(Ok(rooms)) if rooms.is_empty() => view! { <Empty /> }.into_any(),
                Some(Ok(_)) => view! { <Rooms lobby /> }.into_any(),
                Some(Err(error)) => {
                    let retry = move |_| {
                        // Everything of this page is in the address.
                        let _ = window().location().reload();
                    };
                    view! {
                        <Message heading="The list could not be loaded" detail=error.to_string()>
                            <button type="button" class="button" on:click=retry>
                                "Try again"
                            </button>
                        </Message>
                    }
                        .into_any()
                }
            }}
        </main>
    }
}

#[component]
fn Rooms(lobby: LobbyFeed) -> impl IntoView {
    let rooms = move || lobby.rooms().and_then(Result::ok).unwrap_or_default();
    view! {
        <ul class="rooms">
            <For
                each=rooms
                key=|room| room.key.clone()
                children=move |room: Room| {
                    let first = room.clone();
                    // The card outlives each version of its room.
                    let room = Memo::new(move |known: Option<&Room>| {
                        rooms()
                            .into_iter()
                            .find(|room| room.key == first.key)
                            .or_else(|| known.cloned())
                            .unwrap_or_else(|| first.clone())
                    });
                    view! { <RoomCard room /> }
                }
            />
        </ul>
    }
}

/// As many cards as fit a first look, so that nothing jumps when the real ones come.
#[component]
fn Skeleton() -> impl IntoView {
    let card = || {
        view! {
            <li class="room-card skeleton" aria-hidden="true">
                <div class="room-picture"></div>
                <div class="room-title"></div>
            </li>
        }
    };
    view! {
        <p class="visually-hidden" role="status">
            "Loading…"
        </p>
        <ul class="rooms">{(0..3).map(|_| card()).collect_view()}</ul>
    }
}

#[component]
fn Empty() -> impl IntoView {
    view! {
        <section class="empty" data-test="empty">
            <div class="empty-picture" aria-hidden="true">
                <Icon glyph=Glyph::Broadcast />
            </div>
            <h2>"Nobody is live. Be the first."</h2>
            <p>
                "All it takes is a camera and this tab. Your friends open a link and see you with \
                 less than a second of delay."
            </p>
            <A href="/live" attr:class="button primary large">
                <Icon glyph=Glyph::Broadcast />
                "Start a broadcast"
            </A>
        </section>
    }
}
