//! After the broadcast.

use leptos::prelude::*;
use leptos_router::components::A;

use super::desk::Desk;
use crate::clock;
use crate::components::banner::ErrorNote;
use crate::components::stat::Figure;
use crate::logic::publisher::{Phase, Why};
use crate::logic::{elapsed, number};

/// How it went, and the way to the next one.
#[component]
pub(super) fn Summary(desk: Desk) -> impl IntoView {
    // The cameras have nothing to do any more.
    desk.sources.close();
    let ended_at = clock::server_now();
    let room = desk.last.get_untracked();
    let lasted = room.as_ref().and_then(|room| room.started_at).map_or_else(
        || "0:00".to_owned(),
        |since| elapsed::between(since, ended_at),
    );
    let peak = room.as_ref().map_or(0, |room| u64::from(room.peak_viewers));
    let likes = room.as_ref().map_or(0, |room| room.likes);
    let detail = match untrack(|| desk.broadcast.phase()) {
        Phase::Ended(Why::Elsewhere) => {
            "The room was closed: the connection was lost for too long, or it was ended elsewhere."
        }
        _ => "Thank you for sharing. Here is how it went.",
    };
    view! {
        <main class="page">
            <section class="summary card" data-test="summary">
                <h1>"Your broadcast has ended"</h1>
                <p>{detail}</p>
                <ErrorNote text=desk.feed.notice test="cut-off" />
                <dl class="figures">
                    <Figure label="Duration">{lasted}</Figure>
                    <Figure label="Peak viewers">{number::compact(peak)}</Figure>
                    <Figure label="Likes">{number::compact(likes)}</Figure>
                </dl>
                <div class="message-actions">
                    <A href="/" attr:class="button">"See who is live"</A>
                    <A href="/live" attr:class="button primary">"Go live again"</A>
                </div>
            </section>
        </main>
    }
}
