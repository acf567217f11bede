//! See the crate head for the place of this stage.
