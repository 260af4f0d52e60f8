//! How the broadcast arrives, and what to change.

use gloo_timers::callback::Interval;
use leptos::prelude::*;
use leptos::task::spawn_local;
use shared::health::{Advice, Health, Verdict};

use super::desk::Desk;
use crate::components::copy_field::CopyField;
use crate::components::stat::Figure;
use crate::logic::health;
use crate::{api, browser};

/// Between two questions to the server, in milliseconds.
const POLL_MS: u32 = 2_000;

/// The verdict, the advice and the figures, kept fresh while it is shown.
#[component]
pub(super) fn HealthPanel(desk: Desk) -> impl IntoView {
    let known = RwSignal::new(Health::waiting());
    let own_round_trip = RwSignal::new(None);
    let trouble = RwSignal::new(None::<String>);
    let asking = StoredValue::new(false);
    let ask = move || {
        let Some(room) = desk.broadcast.room_untracked() else {
            return;
        };
        if asking.get_value() || !browser::page_is_visible() {
            return;
        }
        asking.set_value(true);
        spawn_local(async move {
            let answer = api::health(&room.key, &room.secrets.host_token).await;
            let (health, error) = match answer {
                Ok(health) => (Some(health), None),
                Err(error) => (None, Some(error.to_string())),
            };
            if let Some(health) = health {
                known.try_set(health);
            }
            trouble.try_set(error);
            own_round_trip.try_set(desk.broadcast.round_trip().await);
            asking.try_set_value(false);
        });
    };
    ask();
    StoredValue::new_local(Interval::new(POLL_MS, ask));

    let verdict = Memo::new(move |_| known.with(|health| health.verdict));
    let advice = Memo::new(move |_| known.with(|health| health.advice.clone()));
    let figures =
        Memo::new(move |_| known.with(|health| health::figures(health, own_round_trip.get())));
    view! {
        <section class="card health" aria-labelledby="health-heading" data-test="health">
            <div class="health-top">
                <h2 id="health-heading">"Health"</h2>
                <span
                    class="verdict"
                    role="status"
                    data-test="verdict"
                    data-verdict=move || health::class(verdict.get())
                >
                    {move || health::word(verdict.get())}
                </span>
            </div>
            <ul class="advice" aria-live="polite">
                {move || advice.get().into_iter().map(|advice| view! { <Item advice /> }).collect_view()}
            </ul>
            {move || {
                trouble.get().map(|sentence| view! { <p class="health-trouble">{sentence}</p> })
            }}
            <dl class="health-figures">
                {move || {
                    figures
                        .get()
                        .into_iter()
                        .map(|(label, figure)| view! { <Figure label>{figure}</Figure> })
                        .collect_view()
                }}
            </dl>
        </section>
    }
}

#[component]
fn Item(advice: Advice) -> impl IntoView {
    let bad = advice.code.verdict() == Verdict::Bad;
    view! {
        <li class:bad=bad data-test="advice">
            <p>{advice.sentence}</p>
            {advice
                .setting
                .map(|setting| {
                    view! {
                        <CopyField
                            label="x264 options"
                            visible_label=false
                            text=setting
                            test="setting"
                        />
                    }
                })}
        </li>
    }
}
