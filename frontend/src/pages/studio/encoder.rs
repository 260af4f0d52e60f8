//! Broadcasting with streaming software.

use leptos::prelude::*;
use leptos::task::spawn_local;
use shared::room::RoomKey;

use super::desk::Desk;
use super::setup::{TitleField, TokenField};
use crate::browser;
use crate::clock;
use crate::components::banner::{Banner, ErrorNote};
use crate::components::confirm_dialog::ConfirmDialog;
use crate::components::copy_field::CopyField;
use crate::components::gift_toast::GiftToasts;
use crate::components::hearts::Hearts;
use crate::components::icon::{Glyph, Icon};
use crate::components::live_badge::LiveBadge;
use crate::components::player::Player;
use crate::logic::publisher::GRACE_MS;
use crate::logic::studio::{Program, origin};
use crate::playback::Playback;
use crate::webrtc::HostedRoom;

/// What to fill into streaming software, or how to get it.
#[component]
pub(super) fn EncoderSetup(desk: Desk) -> impl IntoView {
    let has_room = Memo::new(move |_| desk.broadcast.room().is_some());
    view! {
        <Show when=move || has_room.get() fallback=move || view! { <Prepare desk /> }>
            <Fields desk />
        </Show>
    }
}

/// Makes the room whose fields the software needs.
#[component]
fn Prepare(desk: Desk) -> impl IntoView {
    let busy = RwSignal::new(false);
    let error = RwSignal::new(None::<String>);
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if busy.get_untracked() {
            return;
        }
        busy.set(true);
        error.set(None);
        let title = desk.remember_title();
        spawn_local(async move {
            let prepared = desk.broadcast.prepare(title).await;
            busy.try_set(false);
            match prepared {
                Ok(()) => desk.use_encoder(),
                Err(refused) => {
                    error.try_set(Some(refused.to_string()));
                }
            }
        });
    };
    view! {
        <form class="setup-form" on:submit=submit>
            <TitleField desk />
            <p class="hint">
                "OBS and other streaming software need an address and a secret key. This makes both."
            </p>
            <TokenField desk />
            <ErrorNote text=error test="error" />
            <button
                type="submit"
                class="button primary large"
                data-test="prepare"
                disabled=move || busy.get()
            >
                <Icon glyph=Glyph::Screen />
                "Get server and stream key"
            </button>
        </form>
    }
}

/// Server and stream key, and what to set in OBS.
#[component]
pub(super) fn Fields(desk: Desk) -> impl IntoView {
    let secrets = move || desk.broadcast.room().map(|room| room.secrets);
    let takes_rtmp = Memo::new(move |_| secrets().is_some_and(|secrets| secrets.rtmp.is_some()));
    let has_key = Memo::new(move |_| secrets().is_some_and(|secrets| secrets.stream_key.is_some()));
    let asking = RwSignal::new(false);
    let error = RwSignal::new(None::<String>);
    let server = Signal::derive(move || match desk.broadcast.room() {
        Some(HostedRoom { key, secrets }) => secrets.rtmp.map_or_else(
            || format!("{}/whip/{key}", browser::origin()),
            |rtmp| rtmp.server,
        ),
        None => String::new(),
    });
    let stream_key = Signal::derive(move || {
        secrets()
            .map(|secrets| {
                secrets
                    .rtmp
                    .map_or(secrets.stream_key.unwrap_or_default(), |rtmp| {
                        rtmp.stream_key
                    })
            })
            .unwrap_or_default()
    });
    let rotate = move |()| {
        error.set(None);
        spawn_local(async move {
            if let Err(refused) = desk.broadcast.rotate_stream_key().await {
                error.try_set(Some(refused.to_string()));
            }
        });
    };
    let service = move || {
        if takes_rtmp.get() {
            "Custom…"
        } else {
            "WHIP"
        }
    };
    let key_label = move || {
        if takes_rtmp.get() {
            "Stream Key"
        } else {
            "Bearer Token"
        }
    };
    view! {
        <section class="encoder" aria-label="Streaming software (OBS)" data-test="encoder-card">
            <CopyField label="Server" text=server test="rtmp-server" />
            {move || {
                if has_key.get() {
                    view! {
                        <CopyField label=key_label() text=stream_key secret=true test="stream-key" />
                    }
                        .into_any()
                } else {
                    view! {
                        <p data-test="key-elsewhere">
                            "The stream key is on the device that made this room. Make a new one to use it here."
                        </p>
                    }
                        .into_any()
                }
            }}
            <p class="hint">
                "Whoever has the stream key can broadcast in your place. "
                <button
                    type="button"
                    class="link-button"
                    data-test="rotate"
                    on:click=move |_| asking.set(true)
                >
                    "Make a new key"
                </button>
            </p>
            <ErrorNote text=error test="rotate-error" />
            <details class="how-to">
                <summary>"How to set up OBS"</summary>
                <ol>
                    <li>"Settings → Stream: choose the service " <b>{service}</b> " and paste both fields."</li>
                    <li>
                        "Settings → Output → Advanced → Streaming: set the keyframe interval to "
                        <b>"2 s"</b> ", and with x264 paste these options, so that browsers can show it:"
                        <CopyField
                            label="x264 options"
                            visible_label=false
                            text="keyint=60 bframes=0".to_owned()
                            test="x264-options"
                        />
                        "With NVENC and others, set " <b>"Max B-frames"</b> " to " <b>"0"</b> "."
                    </li>
                    <li>"Press " <b>"Start Streaming"</b> ". This page goes live by itself."</li>
                </ol>
            </details>
            <ConfirmDialog
                open=asking
                heading="Make a new stream key?"
                detail="The old key stops working, and a running encoder is cut off until it has the new one."
                confirm="New key"
                cancel="Keep the old one"
                test="confirm-rotate"
                on_confirm=rotate
            />
        </section>
    }
}

/// Where the picture is going to be.
#[component]
pub(super) fn Waiting(desk: Desk) -> impl IntoView {
    let has_room = Memo::new(move |_| desk.broadcast.room().is_some());
    view! {
        <div class="player preview" data-test="waiting">
            <div class="message" role="status">
                <Show
                    when=move || has_room.get()
                    fallback=|| {
                        view! {
                            <h2>"Your software's picture comes here"</h2>
                            <p>"Your camera stays free for it: this page does not use it."</p>
                        }
                    }
                >
                    <span class="spinner" aria-hidden="true"></span>
                    <h2>"Waiting for your encoder…"</h2>
                    <p>"Press “Start Streaming” in OBS. This page goes live by itself."</p>
                </Show>
            </div>
        </div>
    }
}

/// The broadcast of the encoder, as viewers get it.
#[component]
pub(super) fn Relay(desk: Desk, key: RoomKey) -> impl IntoView {
    let feed = desk.feed;
    // Always silent: the software plays its own sound, and this would be an echo of it.
    let playback = Playback::new(key.clone(), true);
    playback.begin();
    playback.follow(feed.room.into());
    let ticker = clock::ticker();
    let lost = Memo::new(move |_| desk.program.get() == Program::EncoderLost);
    let until = Memo::new(move |_| lost.get().then(|| clock::now() + GRACE_MS));
    let banner = Signal::derive(move || {
        let until = until.get()?;
        // The ticker only says when to look.
        let _ = ticker.now();
        let left = until.saturating_sub(clock::now()).div_ceil(1_000);
        Some(format!(
            "The connection was lost. Waiting for it… {left} s left before the broadcast ends."
        ))
    });
    let paused = Signal::derive(move || lost.get());
    // The server does not say it of somebody who is lost.
    let ingest = Memo::new(move |before: Option<&Option<_>>| {
        let now = feed.room.with(|room| room.as_ref()?.ingest);
        now.or(before.copied().flatten())
    });
    let from = move || origin(ingest.get());
    let asking = RwSignal::new(false);
    view! {
        <div class="preview relay">
            <Player playback room_key=key title=desk.title controls=false host=true>
                <div class="player-top">
                    <LiveBadge paused />
                </div>
                <Hearts feed />
                <GiftToasts feed />
                <Banner text=banner />
            </Player>
        </div>
        <div class="studio-controls" role="group" aria-label="Broadcast controls">
            <p class="hint" data-test="origin">
                <Icon glyph=Glyph::Screen />
                {from}
            </p>
            <span class="spacer"></span>
            <button
                type="button"
                class="button strong"
                data-test="end"
                on:click=move |_| asking.set(true)
            >
                "End"
                <span class="wide-only">"broadcast"</span>
            </button>
            <ConfirmDialog
                open=asking
                heading="End the broadcast?"
                detail="Everybody's picture stops, and the room is closed. A new broadcast gets a new link, \
                        and your software a new stream key."
                confirm="End broadcast"
                cancel="Keep going"
                test="confirm-end"
                on_confirm=move |()| desk.broadcast.end()
            />
        </div>
    }
}

/// Says that software has taken over, and offers the way back.
#[component]
pub(super) fn TakenOver(desk: Desk) -> impl IntoView {
    view! {
        <div class="note taken-over" role="status" data-test="taken-over">
            <Icon glyph=Glyph::Screen />
            <span>"Your streaming software has taken over this broadcast from your camera."</span>
            <button
                type="button"
                class="button"
                data-test="take-back"
                on:click=move |_| desk.take_back()
            >
                "Bring it back here"
            </button>
        </div>
    }
}
