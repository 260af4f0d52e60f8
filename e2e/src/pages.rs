//! What a person does on each page, in terms of the page's `data-test` attributes.

mod chat;
mod home;
mod moderation;
mod studio;
mod watch;

pub use chat::{Chat, ChatLine};
pub use home::HomePage;
pub use studio::StudioPage;
pub use watch::WatchPage;
