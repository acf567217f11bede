//! `vswap repair`: what is whole of a damaged trace, as a trace that is whole.

use super::drain::Progress;
use crate::cli::RepairArgs;
use crate::exit::Exit;
use crate::meta::{Trailer, Update};
use crate::recorder::{Options, Recorder, Sink};
use crate::trace::{Item, TraceError, TraceReader, file};
use anyhow::Context;
use std::fs::File;
use vswap_common::{Kind, Record};

/// Runs `vswap repair`.
///
/// # Errors
/// If the input holds nothing whole, or the output cannot be written.
pub fn run(args: &RepairArgs) -> anyhow::Result<Exit> {
    let shown = || args.file.display().to_string();
    let input = File::open(&args.file).with_context(|| format!("open {}", args.file.display()))?;
    let len = input.metadata().with_context(shown)?.len();
    let mut reader = TraceReader::new(input).map_err(crate::source::trace::explain).with_context(shown)?;
    let options = Options::default();
    let sink = Sink::new(file::create(&args.output, args.force)?, options.sync)?;
    let mut recorder = Recorder::new(sink, reader.header(), options, None)?;
    let mut progress = Progress::new();
    let mut records: Vec<Record> = Vec::new();
    let mut last = Update::default();
    let written = |result: Result<(), TraceError>| result.context("write the repaired trace");
    let trailer = loop {
        records.clear();
        let item = reader.next(&mut records).map_err(crate::source::trace::explain).with_context(shown)?;
        written(recorder.take(&[], &records))?;
        match item {
            Item::Records => {}
            Item::Update(update) => {
                written(recorder.take(std::slice::from_ref(&update), &[]))?;
                if !update.hooks.is_empty() {
                    last.hooks = update.hooks;
                }
            }
            Item::End(trailer) => break trailer,
        }
        progress.show_share(reader.offset() as f64 / len.max(1) as f64);
    };
    drop(progress);
    let damage = reader.damage().cloned();
    let gone = damage.as_ref().map_or(0, |d| d.lost_records);
    let reason = if damage.is_some() { "repaired" } else { "copied" };
    let mut trailer = trailer.unwrap_or_else(|| Trailer {
        lost: last.hooks.iter().map(crate::meta::HookTotals::missing).sum(),
        hooks: last.hooks,
        clock: reader.header().clock,
        reason: reason.to_owned(),
        ..Trailer::default()
    });
    trailer.lost = trailer.lost.saturating_add(gone);
    let done = recorder.finish(&trailer)?;
    match damage {
        None => crate::say!("vswap: {} is whole; {} records copied", args.file.display(), done.records),
        Some(damage) => crate::say!(
            "vswap: {}: {damage}. {} records are in {}, {gone} are known to be missing and stand there as a {}",
            args.file.display(),
            done.records,
            args.output.display(),
            Kind::Gap.name()
        ),
    }
    Ok(Exit::Ok)
}
