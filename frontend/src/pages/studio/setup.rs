//! Before going live.

use leptos::prelude::*;
use shared::limits::TITLE_CHARS;
use shared::text::{self, Field, TextError};

use super::desk::Desk;
use super::encoder::EncoderSetup;
use crate::capture::Kind;
use crate::components::banner::ErrorNote;
use crate::components::device_picker::DevicePicker;
use crate::components::icon::{Glyph, Icon};
use crate::components::mic_meter::MicMeter;
use crate::components::quality_picker::QualityPicker;
use crate::logic::publisher::Phase;
use crate::logic::studio::Way;
use crate::storage;

/// With this camera, or with streaming software.
#[component]
pub(super) fn Setup(desk: Desk) -> impl IntoView {
    let ways = [
        (Way::Camera, "Use this camera", "way-camera"),
        (Way::Encoder, "Software (OBS)", "way-encoder"),
    ];
    let busy = Memo::new(move |_| desk.broadcast.phase() == Phase::Connecting);
    let switch = ways.map(|(way, label, test)| {
        view! {
            <label class="segment">
                <input
                    type="radio"
                    name="way"
                    class="visually-hidden"
                    disabled=busy
                    prop:checked=move || desk.way.get() == way
                    on:change=move |_| desk.choose_way(way)
                />
                <span data-test=test>{label}</span>
            </label>
        }
    });
    view! {
        <section class="card setup" aria-label="Set-up">
            <h1>"Go live"</h1>
            <div class="segments" role="radiogroup" aria-label="How to broadcast">
                {switch}
            </div>
            {move || match desk.way.get() {
                Way::Camera => view! { <CameraSetup desk /> }.into_any(),
                Way::Encoder => view! { <EncoderSetup desk /> }.into_any(),
            }}
        </section>
    }
}

/// Title, camera, microphone, and "Start".
#[component]
fn CameraSetup(desk: Desk) -> impl IntoView {
    let Desk {
        sources,
        broadcast,
        title,
        ..
    } = desk;
    let busy = Memo::new(move |_| broadcast.phase() == Phase::Connecting);
    let ready = Memo::new(move |_| sources.stream().is_some() && !busy.get());
    let title_error = RwSignal::new(None::<String>);
    let error = Signal::derive(move || match broadcast.phase() {
        Phase::Failed(sentence) => Some(sentence),
        _ => title_error.get(),
    });
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if !ready.get_untracked() {
            return;
        }
        match text::check(Field::Title, &title.get_untracked()) {
            Ok(_) | Err(TextError::Empty(_)) => {
                title_error.set(None);
                desk.start();
            }
            Err(error) => title_error.set(Some(error.to_string())),
        }
    };
    view! {
        <form class="setup-form" on:submit=submit>
            <TitleField desk />
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
            <TokenField desk />
            <ErrorNote text=error test="error" />
            <button
                type="submit"
                class="button primary large"
                data-test="start"
                disabled=move || !ready.get()
            >
                <Show
                    when=move || busy.get()
                    fallback=|| view! { <Icon glyph=Glyph::Broadcast /> }
                >
                    <span class="spinner" aria-hidden="true"></span>
                </Show>
                {move || if busy.get() { "Starting…" } else { "Start" }}
            </button>
        </form>
    }
}

/// What the broadcast is about.
#[component]
pub(super) fn TitleField(desk: Desk) -> impl IntoView {
    let title = desk.title;
    view! {
        <label class="field">
            <span>"What is it about?"</span>
            <input
                type="text"
                data-test="title"
                placeholder="Untitled broadcast"
                autocomplete="off"
                maxlength=TITLE_CHARS
                prop:value=title
                on:input=move |event| title.set(event_target_value(&event))
            />
        </label>
    }
}

/// The token that some servers ask for.
#[component]
pub(super) fn TokenField(desk: Desk) -> impl IntoView {
    view! {
        <Show when=move || desk.broadcast.needs_token()>
            <label class="field">
                <span>"Token for broadcasting on this server"</span>
                <input
                    type="password"
                    data-test="create-token"
                    autocomplete="off"
                    prop:value=storage::get(storage::CREATE_TOKEN).unwrap_or_default()
                    on:input=move |event| {
                        storage::set(storage::CREATE_TOKEN, event_target_value(&event).trim());
                    }
                />
            </label>
        </Show>
    }
}
