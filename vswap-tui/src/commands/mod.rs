//! One file per subcommand: `run(args) -> exit code`. Glue only; the work is in the stages.

mod check;
pub mod demo;
pub mod diff;
pub mod doctor;
mod drain;
pub mod export;
pub mod generate;
pub mod held;
pub mod live;
pub mod record;
pub mod repair;
pub mod replay;
pub mod report;
pub mod shell;
pub mod slots;
mod totals;
mod view;
mod whatif;
