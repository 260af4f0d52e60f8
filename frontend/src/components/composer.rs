//! Where people say, like and give.

use gloo_timers::callback::Timeout;
use leptos::html::Input;
use leptos::prelude::*;
use leptos::task::spawn_local;
use shared::events::Refusal;
use shared::limits::{COMMENT_CHARS, NAME_CHARS};
use shared::text::{self, Field};

use super::gift_tray::GiftTray;
use super::icon::{Glyph, Icon};
use crate::clock;
use crate::logic::{moderation, number};
use crate::realtime::{RoomFeed, Rules};
use crate::storage;

/// Characters that are left when the counter appears.
const COUNTER_FROM: usize = 50;

/// The name, the comment and, for viewers, likes and gifts.
#[component]
pub fn Composer(
    /// The room.
    feed: RoomFeed,
    /// Whether the host is writing: a host neither likes nor gives.
    #[prop(optional)]
    host: bool,
) -> impl IntoView {
    let ticker = clock::ticker();
    let default_name = if host { "Host" } else { "" };
    let name =
        RwSignal::new(storage::get(storage::NAME).unwrap_or_else(|| default_name.to_owned()));
    let draft = RwSignal::new(String::new());
    let sending = RwSignal::new(false);
    let refused = RwSignal::new(None::<String>);
    let wait_until = RwSignal::new(0);
    let clear_refusal = StoredValue::new_local(None::<Timeout>);
    let tray_is_open = RwSignal::new(false);
    let input = NodeRef::<Input>::new();

    let refuse = move |refusal: Refusal| {
        if let Some(wait) = refusal.retry_after_ms {
            wait_until.try_set(clock::server_now() + wait);
        }
        refused.try_set(Some(refusal.error));
        let shown_for = refusal.retry_after_ms.unwrap_or(0).clamp(5_000, 15_000);
        let clear = Timeout::new(u32::try_from(shown_for).unwrap_or(u32::MAX), move || {
            refused.try_set(None);
        });
        clear_refusal.try_set_value(Some(clear));
    };
    let wait_seconds = Memo::new(move |_| {
        // The ticker only says when to look: it is up to a second late.
        let _ = ticker.now();
        let left = wait_until.get().saturating_sub(clock::server_now());
        (left > 0).then(|| left.div_ceil(1_000))
    });
    let silenced = Memo::new(move |_| silence_now(feed.rules, ticker));
    let is_silenced = Memo::new(move |_| silenced.with(Option::is_some));

    let rename = move |event| {
        let typed = event_target_value(&event);
        if let Ok(accepted) = text::check(Field::Name, &typed) {
            storage::set(storage::NAME, accepted);
        } else if typed.trim().is_empty() {
            storage::remove(storage::NAME);
        }
        name.set(typed);
    };

    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if sending.get_untracked() || is_silenced.get_untracked() {
            return;
        }
        let typed = draft.get_untracked();
        let refusal = |error: text::TextError| Refusal {
            error: error.to_string(),
            retry_after_ms: None,
        };
        let said = match text::check(Field::Comment, &typed) {
            Ok(said) => said.to_owned(),
            Err(text::TextError::Empty(_)) => return,
            Err(error) => return refuse(refusal(error)),
        };
        let by = name.get_untracked();
        let by = match text::check(Field::Name, &by) {
            Ok(by) => Some(by.to_owned()),
            Err(text::TextError::Empty(_)) => None,
            Err(error) => return refuse(refusal(error)),
        };
        let wait = wait_until
            .get_untracked()
            .saturating_sub(clock::server_now());
        if wait > 0 {
            let seconds = wait.div_ceil(1_000);
            return refuse(Refusal {
                error: format!("Not sent yet: please wait {seconds} s. Your message stays here."),
                retry_after_ms: Some(wait),
            });
        }
        sending.set(true);
        spawn_local(async move {
            let result = feed.say(said, by).await;
            sending.try_set(false);
            match result {
                Ok(()) => {
                    refused.try_set(None);
                    if let Some(seconds) = untrack(|| feed.rules.wait_seconds()) {
                        wait_until.try_set(clock::server_now() + u64::from(seconds) * 1_000);
                    }
                    // Unless the person went on typing meanwhile.
                    draft.try_update(|draft| {
                        if *draft == typed {
                            draft.clear();
                        }
                    });
                }
                Err(refusal) => refuse(refusal),
            }
        });
        if let Some(input) = input.get_untracked() {
            // The button must not take a phone's keyboard away.
            let _ = input.focus();
        }
    };
    let give = move |(gift_id, count)| {
        spawn_local(async move {
            if let Err(refusal) = feed.give(gift_id, count).await {
                refuse(refusal);
            }
        });
    };

    let left = Memo::new(move |_| {
        let used = draft.with(|draft| draft.trim().chars().count());
        (used + COUNTER_FROM > COMMENT_CHARS).then(|| COMMENT_CHARS as i64 - used as i64)
    });
    let likes = Signal::derive(move || feed.likes.with(crate::logic::likes::LikeCounter::shown));
    let close_on_escape = move |event: leptos::ev::KeyboardEvent| {
        if event.key() == "Escape" {
            tray_is_open.set(false);
        }
    };

    view! {
        <form class="composer" on:submit=send on:keydown=close_on_escape>
            <Show when=move || tray_is_open.get() && !is_silenced.get()>
                <GiftTray on_give=give />
            </Show>
            <div role="alert">
                {move || {
                    refused
                        .get()
                        .map(|sentence| {
                            view! {
                                <p class="note small" data-test="composer-error">
                                    {sentence}
                                </p>
                            }
                        })
                }}
            </div>
            <Standing rules=feed.rules silenced />
            <label class="name-field">
                <span>"Chatting as"</span>
                <input
                    type="text"
                    data-test="name"
                    placeholder="Your name"
                    autocomplete="nickname"
                    maxlength=NAME_CHARS
                    prop:value=name
                    on:input=rename
                />
            </label>
            <div class="composer-row">
                <div class="composer-field">
                    <input
                        type="text"
                        data-test="composer"
                        aria-label="Comment"
                        placeholder=move || {
                            if is_silenced.get() { "You cannot write here" } else { "Say something" }
                        }
                        disabled=is_silenced
                        autocomplete="off"
                        enterkeyhint="send"
                        node_ref=input
                        prop:value=draft
                        on:input=move |event| draft.set(event_target_value(&event))
                    />
                    {move || {
                        left.get()
                            .map(|left| {
                                view! {
                                    <span class="counter" class:over=move || { left < 0 }>
                                        {left}
                                        <span class="visually-hidden">" characters left"</span>
                                    </span>
                                }
                            })
                    }}
                    <button
                        type="submit"
                        class="send"
                        data-test="send"
                        aria-label="Send"
                        aria-disabled=move || wait_seconds.get().is_some().to_string()
                        disabled=is_silenced
                    >
                        {move || match wait_seconds.get() {
                            Some(seconds) => view! { <span>{seconds} "s"</span> }.into_any(),
                            None => view! { <Icon glyph=Glyph::Send /> }.into_any(),
                        }}
                    </button>
                </div>
                {(!host)
                    .then(|| {
                        view! {
                            <button
                                type="button"
                                class="icon-button large"
                                data-test="gift-open"
                                aria-label="Gifts"
                                aria-expanded=move || tray_is_open.get().to_string()
                                disabled=is_silenced
                                on:click=move |_| tray_is_open.update(|open| *open = !*open)
                            >
                                <Icon glyph=Glyph::Gift />
                            </button>
                            <button
                                type="button"
                                class="like"
                                data-test="like"
                                aria-label=move || format!("Like; {} likes so far", likes.get())
                                on:click=move |_| feed.like()
                            >
                                <Icon glyph=Glyph::Heart />
                                <span data-test="likes">
                                    {move || number::compact(likes.get())}
                                </span>
                            </button>
                        }
                    })}
            </div>
        </form>
    }
}

/// Why this person may not speak now, and for how long yet.
fn silence_now(rules: Rules, ticker: clock::Ticker) -> Option<(String, Option<String>)> {
    let silence = rules.silence.get()?;
    match silence.until {
        None => Some((silence.reason, None)),
        Some(until) => Some((silence.reason, Some(moderation::left(until, ticker.now())?))),
    }
}

/// What the host's rules mean for the person who writes here.
#[component]
fn Standing(rules: Rules, silenced: Memo<Option<(String, Option<String>)>>) -> impl IntoView {
    let reason = Memo::new(move |_| silenced.with(|now| Some(now.as_ref()?.0.clone())));
    let left = move || silenced.with(|now| now.as_ref()?.1.clone());
    // The clock is beside the region: it would be read out each second.
    view! {
        <div class="standing" class:silenced=move || reason.with(Option::is_some)>
            <div role="status">
                {move || {
                    reason.get().map(|reason| view! { <p data-test="silenced">{reason}</p> })
                }}
            </div>
            {move || left().map(|left| view! { <b data-test="silenced-for">{left}</b> })}
        </div>
        <Show when=move || rules.slow_mode.get() != 0 && reason.with(Option::is_none)>
            <p class="slow-mode" data-test="slow-mode">
                <Icon glyph=Glyph::Clock />
                {move || format!("Slow mode: a message every {}", moderation::slow_mode(rules.slow_mode.get()))}
            </p>
        </Show>
    }
}
