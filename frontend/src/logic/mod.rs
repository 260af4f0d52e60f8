//! What the page decides, without a browser: input and time in, state and commands out.
//!
//! Everything here is tested on the host. Randomness comes in as a number in `0.0..1.0`, time as
//! milliseconds since the Unix epoch.

pub mod backoff;
pub mod chat_log;
pub mod codecs;
pub mod elapsed;
pub mod gifts;
pub mod health;
pub mod hearts;
pub mod level;
pub mod likes;
pub mod live_delay;
pub mod moderation;
pub mod number;
pub mod path;
pub mod patience;
pub mod poster;
pub mod publisher;
pub mod quality;
pub mod rooms;
pub mod shortcut;
pub mod studio;
pub mod viewer;
