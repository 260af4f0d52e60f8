//! The camera and the microphone of one studio.

use gloo_events::EventListener;
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::JsCast;
use web_sys::{MediaStream, MediaStreamTrack};

use super::{
    CaptureError, Choice, Devices, Kind, constrain, get_display_media, get_user_media,
    media_devices, tracks,
};
use crate::logic::quality::Quality;
use crate::storage;

/// What is being captured, and the person's choices about it; everything is switched off when the
/// component that made it ends.
#[derive(Clone, Copy)]
pub struct Sources {
    /// The devices to choose from.
    pub devices: RwSignal<Devices>,
    /// Why there is nothing at all.
    pub error: RwSignal<Option<CaptureError>>,
    /// What is missing although the broadcast can go on.
    pub notice: RwSignal<Option<String>>,
    /// Whether the microphone is muted.
    pub muted: RwSignal<bool>,
    /// Whether the picture is black.
    pub camera_off: RwSignal<bool>,
    /// Whether the person told the browser to share the screen no longer; whoever switches back to the
    /// camera takes it away.
    pub screen_ended: RwSignal<bool>,
    /// How good the camera's picture is to be.
    pub quality: RwSignal<Quality>,
    stream: RwSignal<Option<MediaStream>, LocalStorage>,
    camera: RwSignal<Choice>,
    microphone: RwSignal<Choice>,
    listeners: StoredValue<Vec<EventListener>, LocalStorage>,
}

impl Sources {
    /// Nothing captured yet; the devices chosen last time are chosen again.
    #[must_use]
    pub fn new() -> Self {
        let sources = Self {
            devices: RwSignal::default(),
            error: RwSignal::new(None),
            notice: RwSignal::new(None),
            muted: RwSignal::new(false),
            camera_off: RwSignal::new(false),
            screen_ended: RwSignal::new(false),
            quality: RwSignal::new(
                storage::get(storage::QUALITY)
                    .map_or(Quality::Standard, |name| Quality::of_name(&name)),
            ),
            stream: RwSignal::new_local(None),
            camera: RwSignal::new(Self::remembered(Kind::Camera)),
            microphone: RwSignal::new(Self::remembered(Kind::Microphone)),
            listeners: StoredValue::new_local(Vec::new()),
        };
        if let Ok(devices) = media_devices() {
            let plugged = EventListener::new(&devices, "devicechange", move |_| {
                spawn_local(sources.list_devices());
            });
            sources
                .listeners
                .update_value(|listeners| listeners.push(plugged));
        }
        on_cleanup(move || sources.close());
        sources
    }

    /// The device that was chosen last.
    #[must_use]
    pub fn remembered(kind: Kind) -> Choice {
        storage::get(storage_name(kind)).map_or(Choice::Default, Choice::Device)
    }

    /// The picture and the sound, while there are any.
    #[must_use]
    pub fn stream(self) -> Option<MediaStream> {
        self.stream.get()
    }

    /// The same without telling the reader of changes; `None` too once the studio is left.
    #[must_use]
    pub fn stream_untracked(self) -> Option<MediaStream> {
        self.stream.try_get_untracked().flatten()
    }

    /// The choice for this kind of device.
    #[must_use]
    pub fn choice(self, kind: Kind) -> Choice {
        self.choice_signal(kind).get()
    }

    /// The id of the device that is running, else of the one that was chosen.
    #[must_use]
    pub fn running_device(self, kind: Kind) -> Option<String> {
        match self.choice(kind) {
            Choice::Off | Choice::Screen => None,
            Choice::Device(id) => Some(id),
            Choice::Default => self.stream.with(|stream| {
                let track = tracks(stream.as_ref()?).find(|track| Kind::of(track) == kind)?;
                track.get_settings().get_device_id()
            }),
        }
    }

    /// Whether a track of this kind is captured.
    #[must_use]
    pub fn has(self, kind: Kind) -> bool {
        self.stream.with(|stream| {
            stream
                .as_ref()
                .is_some_and(|stream| tracks(stream).any(|track| Kind::of(&track) == kind))
        })
    }

    /// The track of this kind that is captured.
    #[must_use]
    pub fn track(self, kind: Kind) -> Option<MediaStreamTrack> {
        self.stream
            .with_untracked(|stream| tracks(stream.as_ref()?).find(|track| Kind::of(track) == kind))
    }

    /// Starts camera and microphone, or the one of them that works. Returns whether there is
    /// anything to broadcast; if not, [`Sources::error`] says why.
    pub async fn open(self) -> bool {
        self.close();
        self.error.try_set(None);
        self.notice.try_set(None);
        let choices = (
            self.camera.try_get_untracked(),
            self.quality.try_get_untracked(),
            self.microphone.try_get_untracked(),
        );
        let (Some(camera), Some(quality), Some(microphone)) = choices else {
            return false;
        };
        match capture(camera, quality, microphone).await {
            Ok((stream, notice)) => {
                if self.stream.is_disposed() {
                    // The page was left while the browser asked.
                    stop(&stream);
                    return false;
                }
                self.notice.set(notice);
                self.adopt(stream);
                self.list_devices().await;
                true
            }
            Err(error) => {
                self.error.try_set(Some(error));
                self.list_devices().await;
                false
            }
        }
    }

    /// Switches everything off.
    pub fn close(self) {
        if let Some(Some(stream)) = self.stream.try_update(Option::take) {
            stop(&stream);
        }
    }

    /// Switches to another device of the same kind, or to none, while the other kind goes on.
    /// Returns whether it worked; if not, a notice says why and the kind is off.
    pub async fn switch(self, kind: Kind, choice: Choice) -> bool {
        if choice == Choice::Screen {
            return self.share_screen().await;
        }
        self.choice_signal(kind).set(choice.clone());
        let remembered = storage_name(kind);
        match &choice {
            Choice::Device(id) => storage::set(remembered, id),
            Choice::Default => storage::remove(remembered),
            Choice::Off | Choice::Screen => {}
        }
        if self.stream.with_untracked(Option::is_none) {
            return self.open().await;
        }
        // First let go: a phone cannot open its second camera while the first one runs.
        self.put(kind, None);
        self.notice.set(None);
        if choice == Choice::Off {
            return true;
        }
        let quality = self.quality.get_untracked();
        let asked = match kind {
            Kind::Camera => get_user_media(&choice, quality, &Choice::Off).await,
            Kind::Microphone => get_user_media(&Choice::Off, quality, &choice).await,
        };
        match asked {
            Ok(stream) if self.stream.try_with_untracked(Option::is_some) != Some(true) => {
                stop(&stream);
                false
            }
            Ok(stream) => {
                self.put(kind, tracks(&stream).next().as_ref());
                true
            }
            Err(error) => {
                self.notice.try_set(Some(error.to_string()));
                false
            }
        }
    }

    /// Shows the screen in place of the camera. A person who thinks better of it keeps the camera.
    async fn share_screen(self) -> bool {
        if self.stream.with_untracked(Option::is_none) && !self.open().await {
            return false;
        }
        let Some(before) = self.camera.try_get_untracked() else {
            return false;
        };
        self.camera.set(Choice::Screen);
        match get_display_media().await {
            Ok(track) if self.stream.try_with_untracked(Option::is_some) != Some(true) => {
                track.stop();
                false
            }
            Ok(track) => {
                self.notice.set(None);
                self.put(Kind::Camera, Some(&track));
                true
            }
            Err(error) => {
                self.camera.try_set(before);
                if error != CaptureError::NotAllowed {
                    self.notice.try_set(Some(error.to_string()));
                }
                false
            }
        }
    }

    /// Makes the camera's picture better or smaller, while it runs; remembered. A screen is sent as it is.
    pub async fn set_quality(self, quality: Quality) {
        self.quality.set(quality);
        storage::set(storage::QUALITY, quality.name());
        let choice = self.camera.get_untracked();
        if let Some(track) = self
            .track(Kind::Camera)
            .filter(|_| choice != Choice::Screen)
        {
            constrain(&track, &choice.camera_constraints(quality)).await;
        }
    }

    /// Mutes the microphone, or the other way round.
    pub fn toggle_muted(self) {
        self.muted.update(|muted| *muted = !*muted);
        self.apply_switches();
    }

    /// Makes the picture black, or the other way round.
    pub fn toggle_camera_off(self) {
        self.camera_off.update(|off| *off = !*off);
        self.apply_switches();
    }

    fn apply_switches(self) {
        if let Some(track) = self.track(Kind::Microphone) {
            track.set_enabled(!self.muted.get_untracked());
        }
        if let Some(track) = self.track(Kind::Camera) {
            track.set_enabled(!self.camera_off.get_untracked());
        }
    }

    fn adopt(self, stream: MediaStream) {
        let ended = tracks(&stream)
            .map(|track| self.watch_for_its_end(&track))
            .collect::<Vec<_>>();
        self.listeners
            .update_value(|listeners| listeners.extend(ended));
        self.stream.set(Some(stream));
        self.apply_switches();
    }

    /// Replaces the track of a kind by a stream of its own, so that everybody who shows it notices.
    fn put(self, kind: Kind, track: Option<&MediaStreamTrack>) {
        let Some(old) = self.stream.get_untracked() else {
            return;
        };
        let Ok(new) = MediaStream::new() else { return };
        for kept in tracks(&old) {
            if Kind::of(&kept) == kind {
                kept.stop();
            } else {
                new.add_track(&kept);
            }
        }
        if let Some(track) = track {
            new.add_track(track);
            let ended = self.watch_for_its_end(track);
            self.listeners
                .update_value(|listeners| listeners.push(ended));
        }
        self.stream.set(Some(new));
        self.apply_switches();
    }

    /// A device that is unplugged ends its track; ours do not, being stopped.
    fn watch_for_its_end(self, track: &MediaStreamTrack) -> EventListener {
        let noun = match Kind::of(track) {
            Kind::Camera => "camera",
            Kind::Microphone => "microphone",
        };
        EventListener::new(track, "ended", move |_| {
            let is_screen = noun == "camera"
                && self
                    .camera
                    .try_with_untracked(|choice| *choice == Choice::Screen)
                    == Some(true);
            if is_screen {
                self.screen_ended.try_set(true);
                return;
            }
            self.notice.try_set(Some(format!(
                "The {noun} was disconnected. Please choose another."
            )));
        })
    }

    fn choice_signal(self, kind: Kind) -> RwSignal<Choice> {
        match kind {
            Kind::Camera => self.camera,
            Kind::Microphone => self.microphone,
        }
    }

    async fn list_devices(self) {
        if let Ok(devices) = Devices::list().await {
            self.devices.try_set(devices);
        }
    }
}

impl Default for Sources {
    fn default() -> Self {
        Self::new()
    }
}

/// Both devices, or the one there is with a sentence about the other.
async fn capture(
    camera: Choice,
    quality: Quality,
    microphone: Choice,
) -> Result<(MediaStream, Option<String>), CaptureError> {
    if camera == Choice::Off && microphone == Choice::Off {
        return Err(CaptureError::NothingChosen);
    }
    let both = match get_user_media(&camera, quality, &microphone).await {
        // A remembered device that is gone: take what there is.
        Err(CaptureError::Overconstrained) => {
            let or_default = |choice| {
                if choice == Choice::Off {
                    choice
                } else {
                    Choice::Default
                }
            };
            let (camera, microphone) = (or_default(camera.clone()), or_default(microphone.clone()));
            get_user_media(&camera, quality, &microphone).await
        }
        other => other,
    };
    let error = match both {
        Ok(stream) => return Ok((stream, None)),
        Err(error) => error,
    };
    let one_may_work = matches!(error, CaptureError::NotFound | CaptureError::InUse)
        && camera != Choice::Off
        && microphone != Choice::Off;
    if !one_may_work {
        return Err(error);
    }
    let missing = |noun: &str| {
        Some(match error {
            CaptureError::InUse => {
                format!("The {noun} is used by another program; the broadcast goes on without it.")
            }
            _ => format!("No {noun} was found; the broadcast goes on without it."),
        })
    };
    if let Ok(stream) = get_user_media(&Choice::Default, quality, &Choice::Off).await {
        return Ok((stream, missing("microphone")));
    }
    match get_user_media(&Choice::Off, quality, &Choice::Default).await {
        Ok(stream) => Ok((stream, missing("camera"))),
        Err(_) => Err(error),
    }
}

const fn storage_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Camera => storage::CAMERA,
        Kind::Microphone => storage::MICROPHONE,
    }
}

fn stop(stream: &MediaStream) {
    for track in tracks(stream) {
        track.unchecked_ref::<MediaStreamTrack>().stop();
    }
}
