//! The rules of the chat: slow mode, blocked words, and who may not speak.

use leptos::prelude::*;
use leptos::task::spawn_local;
use shared::events::{Action, Ban};

use crate::clock;
use crate::components::banner::ErrorNote;
use crate::components::icon::{Glyph, Icon};
use crate::logic::moderation;
use crate::realtime::RoomFeed;

/// Everything that the host can decide about the chat, but for what belongs to one comment.
#[component]
pub(super) fn ModerationPanel(feed: RoomFeed) -> impl IntoView {
    let trouble = RwSignal::new(None::<String>);
    let act = Callback::new(move |action| {
        trouble.set(None);
        spawn_local(async move {
            if let Err(refusal) = feed.moderate(action).await {
                trouble.try_set(Some(refusal.error));
            }
        });
    });
    view! {
        <section class="card moderation" aria-labelledby="moderation-heading" data-test="moderation">
            <h2 id="moderation-heading">"Moderation"</h2>
            <p class="hint">
                "Each message in the chat has a menu: delete it, pin it, or silence who wrote it."
            </p>
            <SlowModeField feed act />
            <Words feed act trouble />
            <Banned feed act />
            <ErrorNote text=trouble test="moderation-trouble" />
        </section>
    }
}

#[component]
fn SlowModeField(feed: RoomFeed, act: Callback<Action>) -> impl IntoView {
    let seconds = feed.rules.slow_mode;
    let choose = move |event| {
        if let Ok(seconds) = event_target_value(&event).parse() {
            act.run(Action::SlowMode { seconds });
        }
    };
    let options = move || {
        let now = seconds.get();
        let mut choices = moderation::SLOW_MODES.to_vec();
        // Another client may have set any number.
        if !choices.contains(&now) {
            choices.push(now);
            choices.sort_unstable();
        }
        choices
            .into_iter()
            .map(|choice| {
                view! {
                    <option value=choice selected=choice == now>
                        {moderation::slow_mode(choice)}
                    </option>
                }
            })
            .collect_view()
    };
    view! {
        <label class="field">
            <span>"Slow mode: time between two messages of a person"</span>
            <select data-test="slow-mode-select" on:change=choose>
                {options}
            </select>
        </label>
    }
}

#[component]
fn Words(
    feed: RoomFeed,
    act: Callback<Action>,
    trouble: RwSignal<Option<String>>,
) -> impl IntoView {
    let words = Memo::new(move |_| {
        let moderation = feed.rules.moderation;
        moderation.with(|moderation| {
            moderation
                .as_ref()
                .map_or_else(Vec::new, |all| all.words.clone())
        })
    });
    let typed = RwSignal::new(String::new());
    let add = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        match moderation::add_words(&words.get_untracked(), &typed.get_untracked()) {
            Ok(all) => {
                if all != words.get_untracked() {
                    act.run(Action::Words { words: all });
                }
                typed.set(String::new());
            }
            Err(sentence) => trouble.set(Some(sentence)),
        }
    };
    let remove = move |word: &str| {
        let mut left = words.get_untracked();
        left.retain(|there| there != word);
        act.run(Action::Words { words: left });
    };
    view! {
        <form class="field" on:submit=add>
            <label for="blocked-words">"Blocked words"</label>
            <div class="copy-row">
                <input
                    id="blocked-words"
                    type="text"
                    data-test="word"
                    autocomplete="off"
                    autocapitalize="off"
                    placeholder="Several with commas"
                    maxlength=moderation::TYPED_CHARS
                    prop:value=typed
                    on:input=move |event| typed.set(event_target_value(&event))
                />
                <button type="submit" class="button" data-test="add-word">
                    "Block"
                </button>
            </div>
            <ul class="words" aria-label="Blocked words">
                <For
                    each=move || words.get()
                    key=Clone::clone
                    children=move |word| {
                        let shown = word.clone();
                        view! {
                            <li>
                                <span>{shown}</span>
                                <button
                                    type="button"
                                    aria-label=format!("Allow {word} again")
                                    on:click=move |_| remove(&word)
                                >
                                    <Icon glyph=Glyph::Close />
                                </button>
                            </li>
                        }
                    }
                />
            </ul>
        </form>
    }
}

#[component]
fn Banned(feed: RoomFeed, act: Callback<Action>) -> impl IntoView {
    let ticker = clock::ticker();
    let bans = Memo::new(move |_| {
        let now = ticker.now();
        let is_on = |ban: &&Ban| ban.until.is_none_or(|until| now < until);
        feed.rules.moderation.with(|moderation| {
            let bans = moderation.as_ref().map(|all| all.bans.as_slice());
            let bans = bans.unwrap_or_default().iter().rev();
            bans.filter(is_on).cloned().collect::<Vec<_>>()
        })
    });
    let term = move |ban: &Ban| match ban.until {
        None if ban.covers_address => "Banned, with everybody at their address".to_owned(),
        None => "Banned".to_owned(),
        Some(until) => {
            let left = moderation::left(until, ticker.now()).unwrap_or_default();
            format!("Timed out, {left} left")
        }
    };
    view! {
        <div class="field">
            <span id="banned-heading">"Banned and timed out"</span>
            <Show when=move || bans.with(Vec::is_empty)>
                <p class="hint">"Nobody. Everybody is welcome to speak."</p>
            </Show>
            <ul class="banned" aria-labelledby="banned-heading">
                <For
                    each=move || bans.get()
                    key=|ban| (ban.author.clone(), ban.since)
                    children=move |ban| {
                        let (name, author) = (ban.name.clone(), ban.author.clone());
                        let label = format!("Let {name} speak again");
                        view! {
                            <li data-test="banned">
                                <span class="banned-name">{name}</span>
                                <span class="banned-term">{move || term(&ban)}</span>
                                <button
                                    type="button"
                                    class="button"
                                    data-test="unban"
                                    aria-label=label
                                    on:click=move |_| {
                                        act.run(Action::Unban { author: author.clone() });
                                    }
                                >
                                    "Lift"
                                </button>
                            </li>
                        }
                    }
                />
            </ul>
        </div>
    }
}
