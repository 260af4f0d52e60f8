//! How good the picture is to be.

use leptos::prelude::*;

use crate::capture::Sources;
use crate::logic::quality::Quality;

/// A list of the qualities.
#[component]
pub fn QualityPicker(
    /// Of which picture.
    sources: Sources,
    /// Called with the choice.
    #[prop(into)]
    on_choose: Callback<Quality>,
) -> impl IntoView {
    let options = Quality::ALL.map(|quality| {
        view! {
            <option value=quality.name() selected=move || sources.quality.get() == quality>
                {quality.label()}
            </option>
        }
    });
    view! {
        <label class="field">
            <span>"Quality"</span>
            <select
                data-test="quality-select"
                on:change=move |event| {
                    on_choose.run(Quality::of_name(&event_target_value(&event)));
                }
            >
                {options}
            </select>
        </label>
    }
}
