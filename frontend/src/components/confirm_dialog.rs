//! Asks before something that cannot be taken back.

use leptos::html::Dialog;
use leptos::prelude::*;

/// A modal question; the browser keeps the focus inside and closes it on Escape.
#[component]
pub fn ConfirmDialog(
    /// Whether it is on the screen.
    open: RwSignal<bool>,
    /// The question.
    heading: &'static str,
    /// What follows from a yes.
    detail: &'static str,
    /// The word for yes.
    confirm: &'static str,
    /// The word for no.
    cancel: &'static str,
    /// The `data-test` of the word for yes.
    test: &'static str,
    /// Called on yes.
    #[prop(into)]
    on_confirm: Callback<()>,
) -> impl IntoView {
    let dialog = NodeRef::<Dialog>::new();
    Effect::new(move |_| {
        let Some(dialog) = dialog.get() else { return };
        if !open.get() {
            dialog.close();
        } else if !dialog.open() {
            // Fails only for a dialog that is open or not in the page.
            let _ = dialog.show_modal();
        }
    });
    let yes = move |_| {
        open.set(false);
        on_confirm.run(());
    };
    view! {
        <dialog
            class="dialog"
            aria-label=heading
            node_ref=dialog
            on:close=move |_| open.set(false)
        >
            <h2>{heading}</h2>
            <p>{detail}</p>
            <div class="dialog-actions">
                <button type="button" class="button" on:click=move |_| open.set(false)>
                    {cancel}
                </button>
                <button type="button" class="button strong" data-test=test on:click=yes>
                    {confirm}
                </button>
            </div>
        </dialog>
    }
}
