//! The `vswap` binary: parse, dispatch, turn errors into exit codes.

use std::process::ExitCode;
use vswap_tui::cli::{Cli, Command};
use vswap_tui::{commands, exit, memory};

fn main() -> ExitCode {
    let cli = Cli::from_process();
    let level = match cli.verbose {
        0 => log::LevelFilter::Warn,
        1 => log::LevelFilter::Info,
        _ => log::LevelFilter::Debug,
    };
    env_logger::Builder::new().filter_level(level).format_target(false).init();
    if let Some(bytes) = cli.memory_limit {
        memory::limit_process(bytes);
    }
    let debug_bpf = cli.verbose > 1;
    let result = match cli.command {
        None => commands::live::run(&cli.live, debug_bpf),
        Some(Command::Live(args)) => commands::live::run(&args, debug_bpf),
        Some(Command::Demo(args)) => commands::demo::run(&args),
        Some(Command::Record(args)) => commands::record::run(&args, debug_bpf),
        Some(Command::Replay(args)) => commands::replay::run(&args),
        Some(Command::Report(args)) => commands::report::run(&args),
        Some(Command::Diff(args)) => commands::diff::run(&args),
        Some(Command::Export(args)) => commands::export::run(&args),
        Some(Command::Repair(args)) => commands::repair::run(&args),
        Some(Command::Slots(args)) => commands::slots::run(&args),
        Some(Command::Generate(args)) => commands::generate::run(&args),
        Some(Command::Doctor(args)) => commands::doctor::run(&args),
        Some(Command::Completions { shell }) => commands::shell::completions(shell),
        Some(Command::Man) => commands::shell::man(),
        Some(Command::ExecHeld { command }) => commands::held::exec(&command),
    };
    match result {
        Ok(code) => ExitCode::from(code as u8),
        Err(err) => {
            vswap_tui::say!("vswap: {err:#}");
            ExitCode::from(exit::code_of(&err) as u8)
        }
    }
}
