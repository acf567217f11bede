//! Which differences there are, and why, as far as the trace tells.

use super::moves::{Place, Side};
use super::replay::Checker;
use super::request::{Look, Request, Way};
use super::{Cause, Divergence};
use crate::decode::Event;
use crate::model::{End, Flag, ListId, Outcome, Step};
use std::fmt::Write as _;
use vswap_common::Entry;

/// Clusters of a list, and lists of a way, that are named.
const SHOWN: usize = 8;

impl Checker {
    /// Requests in which model and kernel took different slots or ways.
    pub(super) fn misses(&self) -> u64 {
        let r = &self.result;
        r.allocations - r.agreed + (r.paths.compared - r.paths.agreed)
    }

    /// Holds the outcome of a request against the kernel's. The model's steps are those of the request.
    pub(super) fn judge(
        &mut self,
        e: &Event,
        request: &Request,
        kernel: Option<Entry>,
        outcome: &Outcome,
        agreed: bool,
    ) {
        self.result.allocations += 1;
        let way = request.compare(self.model.steps());
        if agreed {
            self.result.agreed += 1;
            self.judge_way(e, request, way);
            return;
        }
        let model = match outcome.end {
            End::Mismatch(at) => Some(at),
            _ => outcome.slot,
        };
        let cause = self.cause(e.cpu, request, kernel, model, way);
        *self.result.misses.entry(cause).or_default() += 1;
        if self.result.first_divergence.is_none() {
            let mut context = self.context(e.cpu, e.order, kernel.or(model).map_or(0, Entry::dev));
            let _ = write!(context, "\n  {}", self.ways(request));
            self.result.first_divergence = Some(Divergence {
                ts: e.ts,
                request: self.result.allocations,
                cpu: e.cpu,
                order: e.order,
                kernel: kernel.map(Into::into),
                model: model.map(Into::into),
                cause,
                context,
            });
        }
    }

    /// The same slot: by the same way?
    fn judge_way(&mut self, e: &Event, request: &Request, way: Way) {
        if !request.begun || request.forgot_looks {
            return;
        }
        self.result.paths.compared += 1;
        if way == Way::Same {
            self.result.paths.agreed += 1;
            return;
        }
        let cause = self.cause(e.cpu, request, None, None, way);
        // Made for the first only.
        let text = self.result.paths.first.is_none().then(|| {
            format!(
                "request {} at {} ns, cpu {}, order {}: {}",
                self.result.allocations,
                e.ts,
                e.cpu,
                e.order,
                self.ways(request)
            )
        });
        self.result.paths.miss(cause, || text.unwrap_or_default());
    }

    /// [`Cause::Model`] only when nothing else can explain the miss.
    fn cause(
        &self,
        cpu: u16,
        request: &Request,
        kernel: Option<Entry>,
        model: Option<Entry>,
        way: Way,
    ) -> Cause {
        let discarding = |at: Option<Entry>| {
            at.and_then(|at| {
                let dev = self.model.device(at.dev())?;
                self.model.cluster_state(at.dev(), dev.cluster_of(at.off()))
            })
            .is_some_and(|(flag, ..)| flag == Flag::Discard)
        };
        // Which of several devices comes first is not known before their priorities are told.
        let untold = || {
            if self.priorities_told {
                return false;
            }
            let devices = || self.model.devices().filter(|(_, dev)| !dev.virt);
            devices().count() > 1 && devices().any(|(d, _)| self.priorities[usize::from(d)].is_none())
        };
        if self.lost || !self.known || untold() {
            Cause::ColdStart
        } else if discarding(kernel) || discarding(model) {
            Cause::LateWorker
        } else if request.no_memory {
            Cause::Memory
        } else if way == Way::Skipped && self.by_cpu.len() > 1 {
            Cause::Contention
        } else if !request.begun {
            Cause::NotRecorded
        } else if self.foreign(cpu) != request.foreign_before || self.searched_elsewhere(cpu) {
            Cause::Contention
        } else {
            Cause::Model
        }
    }

    /// A search of another CPU is under way: it may have its slots, and a new virtual cluster, before it tells.
    fn searched_elsewhere(&self, cpu: u16) -> bool {
        self.requests.values().any(|other| other.begun && !other.told && other.cpu != cpu)
    }

    /// Takes the moves among the model's steps into the ledger and forgets the steps.
    pub(super) fn settle_moves(&mut self, ts: u64) {
        for i in 0..self.model.steps().len() {
            if let Step::Move(dev, cluster, flag, order) = self.model.steps()[i]
                && flag != Flag::None
                // A virtual cluster that goes is on no list after it, and nobody is told.
                && flag != Flag::Dead
            {
                self.moved((dev, cluster), Side::Model, Place::new(flag as u8, order), ts);
            }
        }
        self.model.clear_steps();
    }

    /// One side moved a cluster.
    pub(super) fn moved(&mut self, at: (u8, u32), side: Side, to: Place, ts: u64) {
        let odd = self.moves.take(at, side, to, &mut self.result.moves);
        if odd == 0 {
            return;
        }
        // Under one lock on one CPU there is nothing that could come in between.
        let cause = match (self.lost || !self.known, self.by_cpu.len()) {
            (true, _) => Cause::ColdStart,
            (false, 0 | 1) => Cause::Model,
            (false, _) => Cause::Contention,
        };
        for _ in 0..odd {
            self.result.moves.miss(cause, || {
                let (dev, cluster) = at;
                let who = if side == Side::Kernel { "kernel" } else { "model" };
                let place = place(to);
                format!("cluster {cluster} of device {dev} at {ts} ns: not both sides did what led the {who} to move it to {place}")
            });
        }
    }

    /// Lists asked by kernel and model, in words.
    fn ways(&self, request: &Request) -> String {
        let kernel: Vec<Look> = request.looks.clone();
        let model: Vec<Look> = self.model.steps().iter().filter_map(Look::by_model).collect();
        format!("the kernel's way: {}; the model's: {}", way(&kernel), way(&model))
    }

    /// Cache and lists as the model has them, in words.
    fn context(&self, cpu: u16, order: u8, dev: u8) -> String {
        let (cached, off) = self.model.cache(cpu.into()).physical(order);
        let mut out = match cached {
            Some(cached) => format!("cache of cpu {cpu}, order {order}: {cached}:{off}"),
            None => format!("cache of cpu {cpu}, order {order}: none"),
        };
        let Some(device) = self.model.device(dev) else { return out };
        for list in [ListId::Nonfull(order), ListId::Free, ListId::Frag(order), ListId::Full] {
            let _ = write!(out, "; {} ({})", name(list), device.lists.len(list));
            for c in device.lists.iter(list).take(SHOWN) {
                let _ = write!(out, " {c}");
            }
        }
        out
    }
}

fn way(looks: &[Look]) -> String {
    if looks.is_empty() {
        return "by the CPU's cache".into();
    }
    let mut out = String::new();
    for look in looks.iter().take(SHOWN) {
        let list = look.list.map_or("unknown list".into(), name);
        let found = look.found.map_or("nothing".to_owned(), |c| format!("cluster {c}"));
        let _ = write!(out, "{}{}:{list} -> {found}", if out.is_empty() { "" } else { ", " }, look.dev);
    }
    if looks.len() > SHOWN {
        let _ = write!(out, ", and {} more", looks.len() - SHOWN);
    }
    out
}

fn name(list: ListId) -> String {
    match list {
        ListId::Free => "free".into(),
        ListId::Nonfull(order) => format!("nonfull[{order}]"),
        ListId::Frag(order) => format!("frag[{order}]"),
        ListId::Full => "full".into(),
        ListId::Discard => "discard".into(),
    }
}

fn place(to: Place) -> String {
    match to.flag {
        1 => "free".into(),
        2 => format!("nonfull[{}]", to.order),
        3 => format!("frag[{}]", to.order),
        4 => "full".into(),
        5 => "discard".into(),
        other => format!("list {other}"),
    }
}
