//! What the page remembers in this browser (`localStorage`).
//!
//! A browser may forbid it (private windows); then nothing is remembered, and nothing breaks.

use leptos::prelude::window;
use serde::{Deserialize, Serialize};
use shared::api::{CreatedRoom, NewHost, RotatedStreamKey};
use shared::person::SessionId;
use shared::room::RoomKey;

use crate::browser;

/// Name in the chat.
pub const NAME: &str = "golive.name";
/// Volume, `0` to `1`.
pub const VOLUME: &str = "golive.volume";
/// Whether the player is muted.
pub const MUTED: &str = "golive.muted";
/// How the viewer wants to watch; see [`PathChoice::name`](crate::logic::path::PathChoice::name).
pub const PATH: &str = "golive.path";
/// Title of the last broadcast.
pub const TITLE: &str = "golive.title";
/// `dark` or `light`; absent means as the system.
pub const THEME: &str = "golive.theme";
/// What a server that lets not everybody broadcast asks for.
pub const CREATE_TOKEN: &str = "golive.create_token";
/// Device id of the camera chosen last.
pub const CAMERA: &str = "golive.camera";
/// Device id of the microphone chosen last.
pub const MICROPHONE: &str = "golive.microphone";
/// How good the picture is to be; see [`Quality::name`](crate::logic::quality::Quality::name).
pub const QUALITY: &str = "golive.quality";
/// See [`session`].
const SESSION: &str = "golive.session";

const ROOM_PREFIX: &str = "golive.room.";
const WINDOW_PREFIX: &str = "golive.window.";
const ENCODER_PREFIX: &str = "golive.encoder.";

fn storage() -> Option<web_sys::Storage> {
    window().local_storage().ok().flatten()
}

/// What is remembered under `name`.
#[must_use]
pub fn get(name: &str) -> Option<String> {
    storage()?.get_item(name).ok().flatten()
}

/// Remembers `value` under `name`.
pub fn set(name: &str, value: &str) {
    if let Some(storage) = storage() {
        // A full storage only means that it will not be remembered.
        let _ = storage.set_item(name, value);
    }
}

/// Forgets what is under `name`.
pub fn remove(name: &str) {
    if let Some(storage) = storage() {
        let _ = storage.remove_item(name);
    }
}

/// What rooms know this browser by, made up at random when it is first asked for; where nothing is
/// remembered, another one each time.
#[must_use]
pub fn session() -> Option<SessionId> {
    let remembered = get(SESSION).and_then(|session| session.parse().ok());
    remembered.or_else(|| {
        let session: SessionId = browser::random_text()?.parse().ok()?;
        set(SESSION, session.as_str());
        Some(session)
    })
}

/// What makes this browser the host of a room. Deliberately without `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostSecrets {
    /// For the API: end the room, mark comments as the host's.
    pub host_token: String,
    /// For WHIP. Only the device that made the room, or the key, has it.
    #[serde(default)]
    pub stream_key: Option<String>,
    /// For RTMP, where the server takes it.
    #[serde(default)]
    pub rtmp: Option<RtmpFields>,
}

/// What streaming software asks for. Deliberately without `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RtmpFields {
    /// OBS's field "Server".
    pub server: String,
    /// OBS's field "Stream Key"; holds the secret. Empty where [`HostSecrets::stream_key`] is absent.
    pub stream_key: String,
    /// Where players watch.
    pub play: Option<String>,
}

impl HostSecrets {
    /// What the server told of a new room.
    #[must_use]
    pub fn of(created: &CreatedRoom) -> Self {
        let links = &created.links;
        let fields = links.rtmp_server.clone().zip(links.rtmp_stream_key.clone());
        Self {
            host_token: created.host_token.clone(),
            stream_key: Some(created.stream_key.clone()),
            rtmp: fields.map(|(server, stream_key)| RtmpFields {
                server,
                stream_key,
                play: links.rtmp_play.clone(),
            }),
        }
    }

    /// What the server told this device, which came by a link.
    #[must_use]
    pub fn of_device(device: &NewHost) -> Self {
        let links = &device.links;
        Self {
            host_token: device.host_token.clone(),
            stream_key: None,
            rtmp: links.rtmp_server.clone().map(|server| RtmpFields {
                server,
                stream_key: String::new(),
                play: links.rtmp_play.clone(),
            }),
        }
    }

    /// What this browser publishes with: a host's token does where the stream key is elsewhere.
    #[must_use]
    pub fn publishing(&self) -> &str {
        self.stream_key.as_deref().unwrap_or(&self.host_token)
    }

    /// Takes in a new stream key.
    pub fn rotate(&mut self, rotated: RotatedStreamKey) {
        self.stream_key = Some(rotated.stream_key);
        // Without the new key the fields are of no use.
        self.rtmp = self
            .rtmp
            .take()
            .zip(rotated.rtmp_stream_key)
            .map(|(fields, stream_key)| RtmpFields {
                stream_key,
                ..fields
            });
    }
}

/// The secrets of a room that this browser made.
#[must_use]
pub fn host_secrets(key: &RoomKey) -> Option<HostSecrets> {
    serde_json::from_str(&get(&format!("{ROOM_PREFIX}{key}"))?).ok()
}

/// Remembers the secrets of a room, so that a reload can go on.
pub fn set_host_secrets(key: &RoomKey, secrets: &HostSecrets) {
    if let Ok(json) = serde_json::to_string(secrets) {
        set(&format!("{ROOM_PREFIX}{key}"), &json);
    }
}

/// Forgets a room that has ended.
pub fn forget_room(key: &RoomKey) {
    remove(&format!("{ROOM_PREFIX}{key}"));
    remove(&publishing_window(key));
    remove(&format!("{ENCODER_PREFIX}{key}"));
}

/// Whether streaming software, rather than this browser, broadcasts to a room.
#[must_use]
pub fn uses_encoder(key: &RoomKey) -> bool {
    get(&format!("{ENCODER_PREFIX}{key}")).is_some()
}

/// Remembers whether streaming software broadcasts to a room.
pub fn set_uses_encoder(key: &RoomKey, uses: bool) {
    let name = format!("{ENCODER_PREFIX}{key}");
    if uses {
        set(&name, "1");
    } else {
        remove(&name);
    }
}

/// Under which name the window that publishes to a room leaves its mark; a change of it tells the
/// other windows.
#[must_use]
pub fn publishing_window(key: &RoomKey) -> String {
    format!("{WINDOW_PREFIX}{key}")
}
