//! One room on the front page.

use leptos::prelude::*;
use leptos_router::components::A;
use shared::room::{Room, RoomState};

use super::elapsed::Elapsed;
use super::icon::Glyph;
use super::live_badge::LiveBadge;
use super::live_picture::LivePicture;
use super::stat::Count;

/// A link to the room, with what there is to know before one goes in.
#[component]
pub fn RoomCard(
    /// The room; the card keeps its place while this changes.
    #[prop(into)]
    room: Signal<Room>,
) -> impl IntoView {
    let key = room.with_untracked(|room| room.key.clone());
    let (href, name) = (format!("/room/{key}"), key.to_string());
    let title = Signal::derive(move || room.with(|room| room.title.clone()));
    let paused = Signal::derive(move || room.with(|room| room.state == RoomState::Reconnecting));
    let viewers = Signal::derive(move || room.with(|room| u64::from(room.viewers)));
    let since = Signal::derive(move || room.with(|room| room.started_at));
    view! {
        <li>
            <A
                href
                attr:class="room-card"
                attr:data-test="room-card"
                attr:data-room=name
            >
                <div class="room-picture">
                    <LivePicture key=key.clone() title />
                    <div class="room-top">
                        <LiveBadge paused />
                    </div>
                    <div class="room-bottom">
                        <Count glyph=Glyph::Eye label="Viewers" value=viewers test="viewers" />
                        <Elapsed since />
                    </div>
                </div>
                <h2 class="room-title">{title}</h2>
            </A>
        </li>
    }
}
