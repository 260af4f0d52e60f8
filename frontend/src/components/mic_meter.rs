//! How loud the microphone is.

use gloo_timers::callback::Interval;
use leptos::prelude::*;
use web_sys::{AnalyserNode, AudioContext, AudioContextState, MediaStream};

use crate::capture::{Kind, Sources};
use crate::logic::level;

/// Time between two readings, in milliseconds.
const EVERY_MS: u32 = 80;
/// Samples in one reading.
const SAMPLES: usize = 1_024;

/// A meter that moves while the microphone hears something.
#[component]
pub fn MicMeter(
    /// The microphone.
    sources: Sources,
) -> impl IntoView {
    let percent = RwSignal::new(0_u8);
    let listener = StoredValue::new_local(None::<Listener>);
    Effect::new(move |_| {
        let stream = sources.stream().filter(|_| sources.has(Kind::Microphone));
        // Without a listener there is no meter, and the broadcast is none the worse.
        listener.set_value(stream.and_then(|stream| Listener::start(&stream, percent)));
        percent.set(0);
    });
    view! {
        <div
            class="meter"
            data-test="mic-meter"
            role="meter"
            aria-label="Microphone level"
            aria-valuemin="0"
            aria-valuemax="100"
            aria-valuenow=move || percent.get().to_string()
        >
            <div
                class="meter-level"
                style=("clip-path", move || format!("inset(0 {}% 0 0)", 100 - percent.get()))
            ></div>
        </div>
    }
}

/// Listens to a stream until it is dropped.
struct Listener {
    context: AudioContext,
    _reading: Interval,
}

impl Listener {
    fn start(stream: &MediaStream, percent: RwSignal<u8>) -> Option<Self> {
        let context = AudioContext::new().ok()?;
        let analyser: AnalyserNode = context.create_analyser().ok()?;
        analyser.set_fft_size(SAMPLES as u32);
        let source = context.create_media_stream_source(stream).ok()?;
        source.connect_with_audio_node(&analyser).ok()?;
        let mut samples = vec![0.0; SAMPLES];
        let watched = context.clone();
        let reading = Interval::new(EVERY_MS, move || {
            if watched.state() == AudioContextState::Suspended {
                // Some browsers start it only after the person has pressed something.
                let _ = watched.resume();
            }
            analyser.get_float_time_domain_data(&mut samples);
            let heard = level::percent(&samples);
            // Falls slower than it rises, as meters do.
            let shown = percent.try_get_untracked().unwrap_or(0);
            let next = heard.max(shown.saturating_sub(6));
            if next != shown {
                percent.try_set(next);
            }
        });
        Some(Self {
            context,
            _reading: reading,
        })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // Closing twice is the only way to fail.
        let _ = self.context.close();
    }
}
