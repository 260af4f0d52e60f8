//! The player's buttons and keys.

use gloo_events::EventListener;
use gloo_timers::callback::Timeout;
use leptos::html::Div;
use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{HtmlElement, HtmlVideoElement};

use super::icon::{Glyph, Icon};
use super::path_menu::PathMenu;
use crate::browser;
use crate::logic::shortcut::{Shortcut, of_key};
use crate::playback::Playback;

/// How long the buttons stay after the last movement, in milliseconds.
const STAY_MS: u32 = 2_800;

/// Play, volume and full screen; they step aside while nobody reaches for them.
#[component]
pub fn PlayerControls(
    /// What plays.
    playback: Playback,
    /// What fills the screen: the picture with all that floats over it.
    frame: NodeRef<Div>,
    /// Whether the picture is as wide as the window, where the page can do that.
    theatre: Option<RwSignal<bool>>,
) -> impl IntoView {
    let active = RwSignal::new(true);
    let fullscreen = RwSignal::new(false);
    let hide = StoredValue::new_local(None::<Timeout>);
    let wake = move || {
        active.try_set(true);
        let later = Timeout::new(STAY_MS, move || {
            active.try_set(false);
        });
        hide.try_set_value(Some(later));
    };
    wake();

    let toggle_fullscreen = move || {
        if let (Some(frame), Some(video)) = (frame.get_untracked(), playback.video.get_untracked())
        {
            toggle_fullscreen(&frame, &video);
        }
    };
    let toggle_theatre = move || {
        if let Some(theatre) = theatre {
            theatre.update(|theatre| *theatre = !*theatre);
        }
    };
    let has_window = browser::has_picture_in_picture();
    let toggle_window = move |_| {
        if let Some(video) = playback.video.get_untracked() {
            browser::toggle_picture_in_picture(&video);
        }
    };
    let is_late = move || playback.delay().is_some_and(|delay| delay.is_late);
    let act = move |shortcut| {
        match shortcut {
            Shortcut::PlayPause => playback.toggle_play(),
            Shortcut::Fullscreen => toggle_fullscreen(),
            Shortcut::Theatre => toggle_theatre(),
            Shortcut::Mute => playback.set_muted(!playback.muted.get_untracked()),
            Shortcut::Volume(by) => playback.set_volume(playback.volume.get_untracked() + by),
        }
        wake();
    };
    let listeners = StoredValue::new_local(Vec::new());
    listeners.update_value(|listeners| {
        let options = gloo_events::EventListenerOptions::enable_prevent_default();
        listeners.push(EventListener::new_with_options(
            &window(),
            "keydown",
            options,
            move |event| {
                let event: &web_sys::KeyboardEvent = event.unchecked_ref();
                let modified = event.ctrl_key() || event.alt_key() || event.meta_key();
                if let Some(shortcut) = of_key(&event.key(), browser::focus(), modified) {
                    event.prevent_default();
                    act(shortcut);
                }
            },
        ));
        listeners.push(EventListener::new(
            &document(),
            "fullscreenchange",
            move |_| {
                fullscreen.try_set(document().fullscreen_element().is_some());
            },
        ));
    });
    Effect::new(move |_| {
        let Some(frame) = frame.get() else { return };
        let moved = ["pointermove", "pointerdown", "focusin"]
            .map(|name| EventListener::new(&frame, name, move |_| wake()));
        let double = EventListener::new(&frame, "dblclick", move |event| {
            let target = event
                .target()
                .and_then(|target| target.dyn_into::<HtmlElement>().ok());
            if target.is_some_and(|target| target.tag_name() == "VIDEO") {
                toggle_fullscreen();
            }
        });
        listeners.update_value(|listeners| {
            listeners.extend(moved);
            listeners.push(double);
        });
    });

    let paused = playback.paused;
    let silent = move || playback.muted.get() || playback.volume.get() == 0.0;
    let play_glyph = Signal::derive(move || {
        if paused.get() {
            Glyph::Play
        } else {
            Glyph::Pause
        }
    });
    let sound_glyph = Signal::derive(move || {
        if silent() {
            Glyph::VolumeOff
        } else {
            Glyph::Volume
        }
    });
    let screen_glyph = Signal::derive(move || {
        if fullscreen.get() {
            Glyph::Collapse
        } else {
            Glyph::Expand
        }
    });
    let slide = move |event| {
        if let Ok(percent) = event_target_value(&event).parse::<f64>() {
            playback.set_volume(percent / 100.0);
        }
    };
    let shown_volume = move || {
        let volume = if playback.muted.get() {
            0.0
        } else {
            playback.volume.get()
        };
        format!("{:.0}", volume * 100.0)
    };
    view! {
        <div class="controls" class:idle=move || { !active.get() && !paused.get() }>
            <button
                type="button"
                class="icon-button"
                data-test="play"
                aria-label=move || if paused.get() { "Play" } else { "Pause" }
                on:click=move |_| playback.toggle_play()
            >
                <Icon glyph=play_glyph />
            </button>
            <button
                type="button"
                class="icon-button"
                aria-label=move || if silent() { "Unmute" } else { "Mute" }
                on:click=move |_| playback.set_muted(!playback.muted.get_untracked())
            >
                <Icon glyph=sound_glyph />
            </button>
            <input
                type="range"
                class="volume"
                min="0"
                max="100"
                step="5"
                aria-label="Volume"
                prop:value=shown_volume
                on:input=slide
            />
            <Show when=is_late>
                <button
                    type="button"
                    class="jump"
                    data-test="jump-to-live"
                    on:click=move |_| playback.jump_to_live()
                >
                    "Jump to live"
                </button>
            </Show>
            <span class="spacer"></span>
            <PathMenu playback />
            <Show when=move || has_window>
                <button
                    type="button"
                    class="icon-button"
                    data-test="picture-in-picture"
                    aria-label="Picture in picture"
                    on:click=toggle_window
                >
                    <Icon glyph=Glyph::Window />
                </button>
            </Show>
            {theatre
                .map(|theatre| {
                    view! {
                        <button
                            type="button"
                            class="icon-button theatre-button"
                            data-test="theatre"
                            aria-label="Theatre mode"
                            aria-pressed=move || theatre.get().to_string()
                            on:click=move |_| toggle_theatre()
                        >
                            <Icon glyph=Glyph::Theatre />
                        </button>
                    }
                })}
            <button
                type="button"
                class="icon-button"
                data-test="fullscreen"
                aria-label=move || {
                    if fullscreen.get() { "Leave full screen" } else { "Full screen" }
                }
                on:click=move |_| toggle_fullscreen()
            >
                <Icon glyph=screen_glyph />
            </button>
        </div>
    }
}

fn toggle_fullscreen(frame: &HtmlElement, video: &HtmlVideoElement) {
    if document().fullscreen_element().is_some() {
        document().exit_fullscreen();
        return;
    }
    let can = |element: &JsValue, method: &str| {
        js_sys::Reflect::has(element, &method.into()).unwrap_or(false)
    };
    if can(frame, "requestFullscreen") {
        // Refused only where the page embedding this one forbids it.
        let _ = frame.request_fullscreen();
    } else if let Ok(enter) = js_sys::Reflect::get(video, &"webkitEnterFullscreen".into()) {
        // The iPhone fills the screen with videos only.
        if let Some(enter) = enter.dyn_ref::<js_sys::Function>() {
            let _ = enter.call0(video);
        }
    }
}
