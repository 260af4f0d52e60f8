//! What the page remembers in this browser (`localStorage`).
//!
//! A browser may forbid it (private windows); then nothing is remembered, and nothing breaks.

use leptos::prelude::window;
use serde::{Deserialize, Serialize};
use shared::room::RoomKey;

/// Name in the chat.
pub const NAME: &str = "golive.name";
/// Volume, `0` to `1`.
pub const VOLUME: &str = "golive.volume";
/// Whether the player is muted.
pub const MUTED: &str = "golive.muted";
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

const ROOM_PREFIX: &str = "golive.room.";
const WINDOW_PREFIX: &str = "golive.window.";

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

/// What makes this browser the host of a room. Deliberately without `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostSecrets {
    /// For the API: end the room, mark comments as the host's.
    pub host_token: String,
    /// For WHIP.
    pub stream_key: String,
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
}

/// Under which name the window that publishes to a room leaves its mark; a change of it tells the
/// other windows.
#[must_use]
pub fn publishing_window(key: &RoomKey) -> String {
    format!("{WINDOW_PREFIX}{key}")
}
