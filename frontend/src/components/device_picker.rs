//! Which camera, which microphone.

use leptos::prelude::*;

use crate::capture::{self, Choice, Kind, Sources};

/// What the option for "none" is called inside the list; no device has this id.
const OFF: &str = "off";
/// What the option for the screen is called inside the list; no device has this id.
const SCREEN: &str = "screen";

/// A list of the devices of one kind.
#[component]
pub fn DevicePicker(
    /// Which kind.
    kind: Kind,
    /// What to choose from.
    sources: Sources,
    /// Called with the choice.
    #[prop(into)]
    on_choose: Callback<(Kind, Choice)>,
) -> impl IntoView {
    let (label, none, test) = match kind {
        Kind::Camera => ("Camera", "No camera", "camera-select"),
        Kind::Microphone => ("Microphone", "No microphone", "mic-select"),
    };
    let selected = Memo::new(move |_| {
        let none = match sources.choice(kind) {
            Choice::Off => OFF,
            Choice::Screen => SCREEN,
            Choice::Default | Choice::Device(_) => "",
        };
        sources
            .running_device(kind)
            .unwrap_or_else(|| none.to_owned())
    });
    let choose = move |event| {
        let choice = match event_target_value(&event).as_str() {
            "" => Choice::Default,
            OFF => Choice::Off,
            SCREEN => Choice::Screen,
            id => Choice::Device(id.to_owned()),
        };
        on_choose.run((kind, choice));
    };
    let options = move || {
        let devices = sources
            .devices
            .with(|devices| devices.of_kind(kind).to_vec());
        let selected = selected.get();
        let known = devices.iter().any(|device| device.id == selected)
            || selected == OFF
            || selected == SCREEN;
        let screen = (kind == Kind::Camera && capture::can_share_screen()).then(|| {
            view! {
                <option value=SCREEN selected=selected == SCREEN>
                    "Share your screen…"
                </option>
            }
        });
        let default = (!known).then(|| view! { <option value="" selected=true>"Default"</option> });
        let devices = devices
            .into_iter()
            .map(|device| {
                let is_selected = device.id == selected;
                view! {
                    <option value=device.id selected=is_selected>
                        {device.label}
                    </option>
                }
            })
            .collect_view();
        view! {
            {default}
            {devices}
            {screen}
            <option value=OFF selected=selected == OFF>
                {none}
            </option>
        }
    };
    view! {
        <label class="field">
            <span>{label}</span>
            <select data-test=test on:change=choose>
                {options}
            </select>
        </label>
    }
}
