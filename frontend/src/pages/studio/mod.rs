//! Going live.

mod desk;
// `#[component]` makes a public type of a component's properties, whoever may see the component.
#[allow(unreachable_pub)]
mod encoder;
#[allow(unreachable_pub)]
mod health_panel;
#[allow(unreachable_pub)]
mod moderation;
#[allow(unreachable_pub)]
mod on_air;
#[allow(unreachable_pub)]
mod setup;
#[allow(unreachable_pub)]
mod summary;

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;

use crate::components::banner::ErrorNote;
use crate::components::chat_panel::ChatPanel;
use crate::components::message::Message;
use crate::components::site_header::SiteHeader;
use crate::logic::publisher::Phase;
use crate::logic::studio::{Program, Way};
use crate::wake_lock;

use desk::{Desk, Visit};
use encoder::{Relay, Waiting};
use on_air::{Controls, OnAir, Preview};
use setup::Setup;
use summary::Summary;

/// Where the picture of the studio comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Picture {
    Camera,
    Relay,
    None,
}

/// `/live` and `/live/{key}`.
#[component]
pub fn Studio() -> impl IntoView {
    let desk = Desk::open();
    let Desk {
        broadcast,
        way,
        program,
        ..
    } = desk;
    wake_lock::keep_screen_on(Signal::derive(move || broadcast.phase().is_on_air()));
    let is_waiting = Memo::new(move |_| way.get() == Way::Encoder && broadcast.room().is_some());
    let state = move || match (desk.visit.get(), broadcast.phase()) {
        (Visit::Over, _) | (_, Phase::Ended(_)) => "ended",
        (Visit::Guest(_) | Visit::Stale(..) | Visit::Unknown(_), _) | (_, Phase::Failed(_)) => {
            "error"
        }
        (Visit::Loading, _) => "setup",
        _ if program.get() == Program::Encoder => "live",
        _ if program.get() == Program::EncoderLost => "reconnecting",
        (_, Phase::Setup | Phase::TakenOver) if is_waiting.get() => "waiting",
        (_, Phase::Setup | Phase::TakenOver) => "setup",
        (_, Phase::Connecting) => "connecting",
        (_, Phase::Live | Phase::Ending) => "live",
        (_, Phase::Reconnecting { .. }) => "reconnecting",
    };
    let may_leave = move |()| {
        !broadcast.is_on_air()
            || window()
                .confirm_with_message(
                    "You are live. Leave anyway? The broadcast ends unless you come back within \
                     15 seconds.",
                )
                .unwrap_or(true)
    };
    let is_ended = Memo::new(move |_| matches!(broadcast.phase(), Phase::Ended(_)));
    let on_air = Memo::new(move |_| program.get() != Program::Nobody);
    let picture = Memo::new(move |_| match (program.get(), way.get()) {
        (Program::Encoder | Program::EncoderLost, _) => Picture::Relay,
        (Program::Nobody, Way::Encoder) => Picture::None,
        _ => Picture::Camera,
    });
    // Of this page's own broadcast it is told with a button to try again.
    let notice = Signal::derive(move || {
        let notice = desk.feed.notice.get();
        notice.filter(|_| picture.get() != Picture::Camera)
    });
    view! {
        <Title text="Studio · Golive" />
        <div class="studio" data-test="studio" data-state=state>
            <SiteHeader in_studio=true may_leave />
            {move || match desk.visit.get() {
                Visit::Loading | Visit::Host if is_ended.get() => {
                    view! { <Summary desk /> }.into_any()
                }
                Visit::Loading | Visit::Host => {
                    view! {
                        <main class="studio-main" class:on-air=on_air>
                            <div class="stage">
                                {move || match picture.get() {
                                    Picture::Camera => {
                                        view! {
                                            <Preview desk />
                                            <Controls desk />
                                        }
                                            .into_any()
                                    }
                                    Picture::None => view! { <Waiting desk /> }.into_any(),
                                    Picture::Relay => {
                                        broadcast
                                            .room_untracked()
                                            .map(|room| view! { <Relay desk key=room.key /> })
                                            .into_any()
                                    }
                                }}
                                <ErrorNote text=notice test="cut-off" />
                                <Show when=move || on_air.get()>
                                    <OnAir desk />
                                </Show>
                            </div>
                            <Show
                                when=move || on_air.get()
                                fallback=move || view! { <Setup desk /> }
                            >
                                <ChatPanel feed=desk.feed host=true />
                            </Show>
                        </main>
                    }
                        .into_any()
                }
                Visit::Guest(key) => {
                    view! {
                        <main class="page">
                            <Message
                                heading="This is not your room"
                                detail="Only the browser that made it can broadcast to it."
                                test="error"
                            >
                                <A href=format!("/room/{key}") attr:class="button">
                                    "Watch it"
                                </A>
                                <A href="/live" attr:class="button primary">
                                    "Start your own"
                                </A>
                            </Message>
                        </main>
                    }
                        .into_any()
                }
                Visit::Stale(key, sentence) => {
                    view! {
                        <main class="page">
                            <Message
                                heading="This link does not work any more"
                                detail=sentence
                                test="stale-link"
                            >
                                <A href=format!("/room/{key}") attr:class="button">
                                    "Watch the room"
                                </A>
                            </Message>
                        </main>
                    }
                        .into_any()
                }
                Visit::Over => {
                    view! {
                        <main class="page">
                            <Message
                                heading="This broadcast has ended"
                                detail="Its room is closed. A new broadcast gets a new link."
                                test="ended"
                            >
                                <A href="/live" attr:class="button primary">
                                    "Go live again"
                                </A>
                            </Message>
                        </main>
                    }
                        .into_any()
                }
                Visit::Unknown(sentence) => {
                    view! {
                        <main class="page">
                            <Message
                                heading="The room could not be loaded"
                                detail=sentence
                                test="error"
                            >
                                <button
                                    type="button"
                                    class="button"
                                    data-test="try-again"
                                    on:click=move |_| desk.try_again()
                                >
                                    "Try again"
                                </button>
                            </Message>
                        </main>
                    }
                        .into_any()
                }
            }}
        </div>
    }
}
