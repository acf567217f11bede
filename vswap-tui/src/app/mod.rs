//! The dashboard's state and what changes it, apart from drawing.
//!
//! ```text
//! keys ----> keymap ---> Message -.
//! resize --------------> Message -+-> update(&mut App) -> Effect (for the pump: pause, speed, interval, step)
//! pump ----> Frame ----> Message -'        |
//!                                          v
//!                                   ui::draw(&App)      (pure: reads, never changes)
//! ```
//!
//! What a view needs from millions of slots was counted by the collector; what it needs from a frame's history or
//! clusters is counted here once a frame ([`summary`]), not once a drawing.

pub mod frame;
pub mod grid;
pub mod keymap;
pub mod layout;
pub mod message;
pub mod state;
pub mod summary;
pub mod totals;
pub mod update;

pub use frame::{End, Frame, Playback};
pub use message::{Effect, Message};
pub use state::{App, Origin, Paint, View};
pub use update::update;
