//! The picture, and what floats over it.

use leptos::html::Div;
use leptos::prelude::*;
use leptos_router::components::A;
use shared::room::RoomKey;

use super::banner::Banner;
use super::icon::{Glyph, Icon};
use super::message::Message;
use super::player_controls::PlayerControls;
use super::poster::Poster;
use crate::logic::viewer::{Lost, Phase};
use crate::playback::Playback;

/// How the page's root element names a phase.
#[must_use]
pub const fn phase_name(phase: &Phase) -> &'static str {
    match phase {
        Phase::Connecting => "connecting",
        Phase::Waiting => "waiting",
        Phase::Unplayable => "unplayable",
        Phase::Live => "live",
        Phase::Reconnecting(_) => "reconnecting",
        Phase::Ended => "ended",
        Phase::NotFound => "not-found",
        Phase::Failed(_) => "error",
    }
}

/// A video with its controls, its poster, and a word for each state it may be in.
#[component]
pub fn Player(
    /// What plays.
    playback: Playback,
    /// The room; colours the poster.
    room_key: RoomKey,
    /// The room's title.
    #[prop(into)]
    title: Signal<String>,
    /// Whether there are buttons.
    #[prop(default = true)]
    controls: bool,
    /// Whether the host of the room is looking.
    #[prop(optional)]
    host: bool,
    /// Whether the picture is as wide as the window, where the page can do that.
    #[prop(optional)]
    theatre: Option<RwSignal<bool>>,
    /// Called when the picture itself is tapped.
    #[prop(optional, into)]
    on_tap: Option<Callback<()>>,
    /// What else floats over the picture.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    let frame = NodeRef::<Div>::new();
    let video = playback.video;
    let banner = Signal::derive(move || match playback.phase() {
        // The studio says so itself.
        Phase::Reconnecting(Lost::Host) if host => None,
        Phase::Reconnecting(Lost::Host) => {
            Some("The broadcaster's connection was lost. Waiting for them to come back…".to_owned())
        }
        Phase::Reconnecting(Lost::Network) => {
            Some("Your connection was lost. Reconnecting…".to_owned())
        }
        _ => None,
    });
    let covered = move || {
        !playback.has_frame()
            || matches!(
                playback.phase(),
                Phase::Waiting
                    | Phase::Unplayable
                    | Phase::Ended
                    | Phase::NotFound
                    | Phase::Failed(_)
            )
    };
    let tap = move |_| {
        if let Some(on_tap) = on_tap {
            on_tap.run(());
        }
    };
    view! {
        <div class="player" node_ref=frame>
            <video
                data-test="player"
                node_ref=video
                playsinline=true
                autoplay=true
                prop:muted=move || playback.muted.get()
                prop:volume=move || playback.volume.get()
                on:play=move |_| playback.paused.set(false)
                on:pause=move |_| playback.paused.set(true)
                on:click=tap
                aria-label=move || format!("Live video: {}", title.get())
            ></video>
            <Show when=covered>
                <Poster key=room_key.clone() title />
            </Show>
            <State playback host />
            {children.map(|children| children())}
            <Show when=move || { !host && playback.has_frame() && playback.muted.get() && playback.is_watching() }>
                <button
                    type="button"
                    class="unmute"
                    data-test="unmute"
                    on:click=move |_| playback.set_muted(false)
                >
                    <Icon glyph=Glyph::VolumeOff />
                    "Tap to unmute"
                </button>
            </Show>
            <Banner text=banner />
            <Show when=move || {
                let phase = playback.phase();
                controls
                    && !phase.is_final()
                    && !matches!(phase, Phase::Waiting | Phase::Unplayable)
            }>
                <PlayerControls playback frame theatre />
            </Show>
        </div>
    }
}

/// What to say where there is no picture to show.
#[component]
fn State(playback: Playback, host: bool) -> impl IntoView {
    let to_rooms = || view! { <A href="/" attr:class="button">"See who is live"</A> };
    move || {
        match playback.phase() {
        Phase::Connecting if !playback.has_frame() => Some(
            view! {
                <div class="player-spinner" role="status">
                    <span class="spinner" aria-hidden="true"></span>
                    <span class="visually-hidden">"Connecting…"</span>
                </div>
            }
            .into_any(),
        ),
        Phase::Waiting => Some(
            view! {
                <Message
                    heading="Not live yet"
                    detail="Waiting for the broadcaster. This page starts by itself."
                />
            }
            .into_any(),
        ),
        Phase::Unplayable if host => Some(
            view! {
                <Message
                    heading="Browsers cannot show this yet"
                    detail="Your encoder sends a kind of video that they do not decode live. Please change \
                            the setting named under “Health”, and start streaming again."
                    test="unplayable"
                />
            }
            .into_any(),
        ),
        Phase::Unplayable => Some(
            view! {
                <Message
                    heading="No picture yet"
                    detail="The broadcaster's encoder sends a kind of video that browsers cannot show \
                            live yet. They have been told which setting to change. This page goes on \
                            trying by itself."
                    test="unplayable"
                />
            }
            .into_any(),
        ),
        Phase::Ended => Some(
            view! {
                <Message
                    heading="The broadcast has ended"
                    detail="Thank you for watching."
                    test="ended"
                >
                    {to_rooms()}
                </Message>
            }
            .into_any(),
        ),
        Phase::NotFound => Some(
            view! {
                <Message
                    heading="There is no such room"
                    detail="The link may be misspelt, or the broadcast ended a while ago."
                >
                    {to_rooms()}
                </Message>
            }
            .into_any(),
        ),
        Phase::Failed(sentence) => Some(
            view! {
                <Message heading="This broadcast cannot be played here" detail=sentence>
                    <button
                        type="button"
                        class="button"
                        on:click=move |_| {
                            let _ = window().location().reload();
                        }
                    >
                        "Try again"
                    </button>
                </Message>
            }
            .into_any(),
        ),
        _ => None,
    }
    }
}
