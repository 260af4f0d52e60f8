//! Rooms: who may do what in them, whether they are live, who is watching.
//!
//! A [`room::Room`] joins what belongs to it: its [`lifecycle`], its secrets, its stage, its
//! [`viewers`], its chat. [`publishing`] says who may publish. The [`registry::Registry`] knows them all;
//! [`upkeep`] ends and forgets them.

pub mod audience;
pub mod hosts;
pub mod lifecycle;
pub mod publishing;
pub mod registry;
pub mod room;
pub mod secret;
mod upkeep;
pub mod viewers;
