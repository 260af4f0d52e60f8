//! What a person opens.

pub mod embed;
pub mod home;
pub mod not_found;
pub mod studio;
pub mod watch;

pub use embed::Embed;
pub use home::Home;
pub use not_found::NotFound;
pub use studio::Studio;
pub use watch::Watch;
