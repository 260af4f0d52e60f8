//! The preview, and what a broadcaster needs at hand while live.

use leptos::prelude::*;
use leptos::task::spawn_local;
use shared::room::Room;

use super::desk::Desk;
use super::encoder::{Fields, TakenOver};
use super::health_panel::HealthPanel;
use super::moderation::ModerationPanel;
use crate::browser;
use crate::capture::{Choice, Kind};
use crate::clock;
use crate::components::banner::{Banner, ErrorNote};
use crate::components::confirm_dialog::ConfirmDialog;
use crate::components::device_picker::DevicePicker;
use crate::components::elapsed::Elapsed;
use crate::components::gift_toast::GiftToasts;
use crate::components::hearts::Hearts;
use crate::components::icon::{Glyph, Icon};
use crate::components::live_badge::LiveBadge;
use crate::components::mic_meter::MicMeter;
use crate::components::quality_picker::QualityPicker;
use crate::components::share_card::ShareCard;
use crate::components::stat::Figure;
use crate::logic::number;
use crate::logic::publisher::Phase;
use crate::logic::studio::Program;

/// What the broadcaster sees of themselves.
#[component]
pub(super) fn Preview(desk: Desk) -> impl IntoView {
    let Desk {
        sources,
        broadcast,
        feed,
        video,
        ..
    } = desk;
    let ticker = clock::ticker();
    let on_air =
        Memo::new(move |_| matches!(broadcast.phase(), Phase::Live | Phase::Reconnecting { .. }));
    let paused = Signal::derive(move || broadcast.phase() != Phase::Live);
    let banner = Signal::derive(move || match broadcast.phase() {
        Phase::Reconnecting { until } => {
            // Both moments are of this device's clock; the ticker only says when to look.
            let _ = ticker.now();
            let left = until.saturating_sub(clock::now()).div_ceil(1_000);
            Some(if left > 0 {
                format!("Connection lost. Reconnecting… {left} s left before the broadcast ends.")
            } else {
                "Connection lost. Still trying…".to_owned()
            })
        }
        _ => None,
    });
    let notice = Signal::derive(move || sources.notice.get());
    let no_picture = Memo::new(move |_| {
        sources.stream().is_some() && (!sources.has(Kind::Camera) || sources.camera_off.get())
    });
    let is_mirror = move || sources.choice(Kind::Camera) != Choice::Screen;
    let waiting =
        Memo::new(move |_| sources.stream().is_none() && sources.error.with(Option::is_none));
    view! {
        <div class="player preview" class:mirrored=is_mirror>
            <video
                data-test="preview"
                node_ref=video
                autoplay=true
                playsinline=true
                muted=true
                prop:muted=true
                aria-label="Your camera"
            ></video>
            <Show when=move || waiting.get()>
                <div class="message">
                    <h2>"Camera and microphone"</h2>
                    <p>"Your browser asks whether this page may use them: please choose Allow."</p>
                </div>
            </Show>
            {move || {
                sources
                    .error
                    .get()
                    .map(|error| {
                        view! {
                            <div class="message" role="alert" data-test="error">
                                <h2>"No camera yet"</h2>
                                <p>{error.to_string()}</p>
                                <div class="message-actions">
                                    <button
                                        type="button"
                                        class="button"
                                        on:click=move |_| {
                                            spawn_local(async move {
                                                sources.open().await;
                                            });
                                        }
                                    >
                                        "Try again"
                                    </button>
                                </div>
                            </div>
                        }
                    })
            }}
            <Show when=move || no_picture.get()>
                <div class="no-picture" aria-hidden="true">
                    <Icon glyph=Glyph::CameraOff />
                </div>
            </Show>
            <Show when=move || on_air.get()>
                <div class="player-top">
                    <LiveBadge paused />
                </div>
            </Show>
            <Hearts feed />
            <GiftToasts feed />
            <Banner text=banner />
        </div>
        <ErrorNote text=notice test="notice" />
    }
}

/// Microphone, camera, and the end.
#[component]
pub(super) fn Controls(desk: Desk) -> impl IntoView {
    let Desk {
        sources, broadcast, ..
    } = desk;
    let asking = RwSignal::new(false);
    let on_air = Memo::new(move |_| {
        matches!(
            broadcast.phase(),
            Phase::Live | Phase::Reconnecting { .. } | Phase::Ending
        )
    });
    let ending = Memo::new(move |_| broadcast.phase() == Phase::Ending);
    let mic_glyph = Signal::derive(move || {
        if sources.muted.get() {
            Glyph::MicOff
        } else {
            Glyph::Mic
        }
    });
    let camera_glyph = Signal::derive(move || {
        if sources.camera_off.get() {
            Glyph::CameraOff
        } else {
            Glyph::Camera
        }
    });
    view! {
        <div class="studio-controls" role="group" aria-label="Broadcast controls">
            <button
                type="button"
                class="button"
                data-test="mute-mic"
                aria-pressed=move || sources.muted.get().to_string()
                disabled=move || !sources.has(Kind::Microphone)
                on:click=move |_| sources.toggle_muted()
            >
                <Icon glyph=mic_glyph />
                {move || if sources.muted.get() { "Unmute" } else { "Mute" }}
            </button>
            <button
                type="button"
                class="button"
                data-test="camera-off"
                aria-pressed=move || sources.camera_off.get().to_string()
                disabled=move || !sources.has(Kind::Camera)
                on:click=move |_| sources.toggle_camera_off()
            >
                <Icon glyph=camera_glyph />
                {move || if sources.camera_off.get() { "Camera on" } else { "Camera off" }}
            </button>
            <Show when=move || on_air.get()>
                <span class="spacer"></span>
                <button
                    type="button"
                    class="button strong"
                    data-test="end"
                    disabled=ending
                    on:click=move |_| asking.set(true)
                >
                    <Show when=move || ending.get() fallback=|| "End">
                        "Ending…"
                    </Show>
                    <Show when=move || !ending.get()>
                        <span class="wide-only">"broadcast"</span>
                    </Show>
                </button>
            </Show>
            <ConfirmDialog
                open=asking
                heading="End the broadcast?"
                detail="Everybody's picture stops, and the room is closed. A new broadcast gets a new link."
                confirm="End broadcast"
                cancel="Keep going"
                test="confirm-end"
                on_confirm=move |()| broadcast.end()
            />
        </div>
    }
}

/// The figures, the link, and the devices.
#[component]
pub(super) fn OnAir(desk: Desk) -> impl IntoView {
    let Desk {
        sources,
        broadcast,
        feed,
        ..
    } = desk;
    let of_room = move |read: fn(&Room) -> u64| {
        move || number::compact(feed.room.with(|room| room.as_ref().map_or(0, read)))
    };
    let since = Signal::derive(move || feed.room.with(|room| room.as_ref()?.started_at));
    let likes = move || number::compact(feed.likes.with(crate::logic::likes::LikeCounter::shown));
    let here = Memo::new(move |_| desk.program.get() == Program::Here);
    let failed = Signal::derive(move || match broadcast.phase() {
        Phase::Failed(sentence) => Some(sentence),
        _ => None,
    });
    view! {
        <h1 class="on-air-title">{desk.title}</h1>
        <Show when=move || broadcast.phase() == Phase::TakenOver>
            <TakenOver desk />
        </Show>
        <ErrorNote text=failed test="error" />
        <Show when=move || failed.get().is_some()>
            <button type="button" class="button primary" on:click=move |_| broadcast.resume()>
                "Try again"
            </button>
        </Show>
        <dl class="figures card">
            <Figure label="Live for">
                <Elapsed since />
            </Figure>
            <Figure label="Viewers" test="viewers">
                {of_room(|room| u64::from(room.viewers))}
            </Figure>
            <Figure label="Peak" test="peak">
                {of_room(|room| u64::from(room.peak_viewers))}
            </Figure>
            <Figure label="Likes" test="likes">
                {likes}
            </Figure>
        </dl>
        <HealthPanel desk />
        <Show when=move || feed.rules.is_host()>
            <ModerationPanel feed />
        </Show>
        {move || {
            broadcast
                .room()
                .map(|room| {
                    let (origin, key) = (browser::origin(), room.key.clone());
                    view! {
                        <ShareCard
                            host=(key.clone(), room.secrets.host_token.clone())
                            url=format!("{origin}/room/{key}")
                            flv=format!("{origin}/live/{key}.flv")
                            rtmp=room.secrets.rtmp.and_then(|rtmp| rtmp.play)
                        />
                    }
                })
        }}
        <Show
            when=move || here.get()
            fallback=move || {
                view! {
                    <section class="card">
                        <Fields desk />
                    </section>
                }
            }
        >
            <section class="card devices" aria-label="Devices">
                <DevicePicker
                    kind=Kind::Camera
                    sources
                    on_choose=move |(kind, choice)| desk.switch_device(kind, choice)
                />
                <QualityPicker
                    sources
                    on_choose=move |quality| desk.set_quality(quality)
                />
                <DevicePicker
                    kind=Kind::Microphone
                    sources
                    on_choose=move |(kind, choice)| desk.switch_device(kind, choice)
                />
                <MicMeter sources />
            </section>
        </Show>
    }
}
