//! The rung below functions: which of the kernel's tracepoints are there, with arguments that fit, and which sums they
//! give. Pure: from BTF to a plan.

use super::btf::Btf;
use super::hooks::How;
use crate::meta::{HookPlan, HookState};
use vswap_common::tally::{BY_CGROUP, Items, Origin, Tally};
use vswap_common::{Field, Layout, MISSING};

/// A program and the tracepoint it is for.
struct Spec {
    program: &'static str,
    /// `system:name`, as tracefs has it.
    tracepoint: &'static str,
    /// Types of the arguments that the program reads, from the first one on; `_` is any.
    args: &'static [&'static str],
    fields: &'static [Field],
    shows: &'static str,
}

const MEMCG: &[Field] = &[Field::MemcgCgroup, Field::CgroupKn, Field::KnId];
const BIO: &[Field] = &[
    Field::BioDevice,
    Field::BioOp,
    Field::BioSize,
    Field::DeviceNumber,
    Field::OpBits,
    Field::OpRead,
    Field::OpWrite,
];

/// Programs in the order in which they are attached: the end of a bracket before its begin.
const SPECS: &[Spec] = &[
    Spec {
        program: "t_events",
        tracepoint: "memcg:count_memcg_events",
        args: &["mem_cgroup *", "_", "long unsigned int"],
        fields: MEMCG,
        shows: "pages in and out by kind, for each cgroup",
    },
    Spec {
        program: "t_state",
        tracepoint: "memcg:mod_memcg_state",
        // Its width is looked at below.
        args: &["mem_cgroup *", "_", "_"],
        fields: MEMCG,
        shows: "slots charged and given back, pages in zswap, for each cgroup",
    },
    Spec {
        program: "t_direct_out",
        tracepoint: "vmscan:mm_vmscan_direct_reclaim_end",
        args: &[],
        fields: &[],
        shows: "end of direct reclaim",
    },
    Spec {
        program: "t_direct_in",
        tracepoint: "vmscan:mm_vmscan_direct_reclaim_begin",
        args: &[],
        fields: &[],
        shows: "begin of direct reclaim",
    },
    Spec {
        program: "t_memcg_out",
        tracepoint: "vmscan:mm_vmscan_memcg_reclaim_end",
        args: &[],
        fields: &[],
        shows: "end of a cgroup's reclaim",
    },
    Spec {
        program: "t_memcg_in",
        tracepoint: "vmscan:mm_vmscan_memcg_reclaim_begin",
        args: &[],
        fields: &[],
        shows: "begin of a cgroup's reclaim",
    },
    Spec {
        program: "t_kswapd_out",
        tracepoint: "vmscan:mm_vmscan_kswapd_sleep",
        args: &[],
        fields: &[],
        shows: "kswapd goes to sleep",
    },
    Spec {
        program: "t_kswapd_in",
        tracepoint: "vmscan:mm_vmscan_kswapd_wake",
        args: &[],
        fields: &[],
        shows: "kswapd wakes up",
    },
    Spec {
        program: "t_written",
        tracepoint: "vmscan:mm_vmscan_write_folio",
        args: &["folio *"],
        fields: &[],
        shows: "folios that reclaim writes, and for whom",
    },
    Spec {
        program: "t_bio",
        tracepoint: "block:block_bio_queue",
        args: &["bio *"],
        fields: BIO,
        shows: "requests to swap devices",
    },
];

/// One program of the plan.
#[derive(Clone, Debug)]
pub struct Point {
    /// Name in the eBPF object.
    pub program: &'static str,
    /// `system:name`.
    pub tracepoint: &'static str,
    /// What it makes visible.
    pub shows: &'static str,
    /// Why it is not used, if so.
    pub target: Result<(), String>,
}

impl Point {
    /// Name without the system: what BTF and the attaching call know.
    pub fn name(&self) -> &'static str {
        self.tracepoint.split_once(':').map_or(self.tracepoint, |(_, name)| name)
    }

    /// The form in which doctor and JSON show it.
    pub fn describe(&self) -> HookPlan {
        let reason = self.target.as_ref().err().cloned().unwrap_or_default();
        HookPlan {
            hook: self.program.to_owned(),
            function: self.tracepoint.to_owned(),
            how: How::Tracepoint.name().to_owned(),
            shows: self.shows.to_owned(),
            state: if self.target.is_ok() { HookState::Ok } else { HookState::Blind },
            reason,
            ..HookPlan::default()
        }
    }
}

/// Tracepoints and numbers of items chosen for one kernel.
#[derive(Clone, Debug)]
pub struct TallyPlan {
    /// In the order of attaching.
    pub points: Vec<Point>,
    /// For the programs.
    pub items: Items,
}

/// Makes the plan.
pub fn plan(btf: &Btf, layout: &Layout) -> TallyPlan {
    let mut items = Items::EMPTY;
    for tally in Tally::ALL.iter().take(BY_CGROUP) {
        let number = match tally.origin() {
            Origin::Event(name) => btf.enum_value("vm_event_item", name),
            Origin::Up(name) | Origin::Down(name) => btf.enum_value("memcg_stat_item", name),
            _ => None,
        };
        items.items[*tally as usize] = number.and_then(|n| u32::try_from(n).ok()).unwrap_or(MISSING);
    }
    let mut points: Vec<Point> = SPECS
        .iter()
        .map(|spec| Point {
            program: spec.program,
            tracepoint: spec.tracepoint,
            shows: spec.shows,
            target: fits(spec, btf, layout),
        })
        .collect();
    match btf.tracepoint("mod_memcg_state").as_deref() {
        Some([_, _, value]) if value == "int" => {}
        Some([_, _, value]) if value == "long int" => items.wide = 1,
        Some(other) => {
            refuse(&mut points, "t_state", format!("mod_memcg_state hands out ({})", other.join(", ")));
        }
        None => {}
    }
    let none = |origin: fn(&Origin) -> bool| {
        (0..BY_CGROUP).all(|i| !origin(&Tally::ALL[i].origin()) || items.items[i] == MISSING)
    };
    if none(|o| matches!(o, Origin::Event(_))) {
        refuse(&mut points, "t_events", "BTF has no events of swap in vm_event_item".to_owned());
    }
    if none(|o| matches!(o, Origin::Up(_))) {
        refuse(&mut points, "t_state", "BTF has no MEMCG_SWAP in memcg_stat_item".to_owned());
    }
    TallyPlan { points, items }
}

fn refuse(points: &mut [Point], program: &str, why: String) {
    if let Some(point) = points.iter_mut().find(|p| p.program == program && p.target.is_ok()) {
        point.target = Err(why);
    }
}

fn fits(spec: &Spec, btf: &Btf, layout: &Layout) -> Result<(), String> {
    let (_, name) = spec.tracepoint.split_once(':').unwrap_or(("", spec.tracepoint));
    let Some(args) = btf.tracepoint(name) else {
        return Err(format!("this kernel has no tracepoint {}", spec.tracepoint));
    };
    let same = |(want, got): (&&str, &String)| *want == "_" || got == want;
    if args.len() < spec.args.len() || !spec.args.iter().zip(&args).all(same) {
        return Err(format!("{name} hands out ({}), expected ({})", args.join(", "), spec.args.join(", ")));
    }
    let missing: Vec<&str> =
        spec.fields.iter().filter(|f| layout.get(**f).is_none()).map(|f| f.label()).collect();
    if missing.is_empty() { Ok(()) } else { Err(format!("BTF has no {}", missing.join(", "))) }
}

/// Where a sum comes from, in words.
pub fn place(tally: Tally) -> String {
    match tally.origin() {
        Origin::Event(name) => format!("memcg:count_memcg_events {name}"),
        Origin::Up(name) | Origin::Down(name) => format!("memcg:mod_memcg_state {name}"),
        Origin::Bio => "block:block_bio_queue".to_owned(),
        _ => "vmscan".to_owned(),
    }
}

/// The program with this name.
pub fn program_name(name: &str) -> Option<&'static str> {
    SPECS.iter().map(|spec| spec.program).find(|program| *program == name)
}

/// Programs that a sum needs attached.
pub const fn programs_of(tally: Tally) -> &'static [&'static str] {
    match tally.origin() {
        Origin::Event(_) => &["t_events"],
        Origin::Up(_) | Origin::Down(_) => &["t_state"],
        Origin::Bio => &["t_bio"],
        Origin::Own => &[],
        _ => match tally {
            Tally::WrittenDirect => &["t_written", "t_direct_in", "t_direct_out"],
            Tally::WrittenMemcg => &["t_written", "t_memcg_in", "t_memcg_out"],
            Tally::WrittenKswapd => &["t_written", "t_kswapd_in", "t_kswapd_out"],
            Tally::DirectReclaims | Tally::DirectNs => &["t_direct_in", "t_direct_out"],
            Tally::MemcgReclaims | Tally::MemcgNs => &["t_memcg_in", "t_memcg_out"],
            Tally::KswapdRuns | Tally::KswapdNs => &["t_kswapd_in", "t_kswapd_out"],
            _ => &["t_written"],
        },
    }
}

/// The sums that these programs give, on a kernel with these items; for the others the reason.
pub fn given(points: &[HookPlan], items: &Items, tally: Tally) -> Result<(), String> {
    for program in programs_of(tally) {
        match points.iter().find(|p| p.hook == *program) {
            Some(point) if point.state == HookState::Ok => {}
            Some(point) => return Err(format!("{}: {}", point.function, point.reason)),
            None => return Err(format!("{program} is not planned")),
        }
    }
    let number = items.items.get(tally as usize);
    match tally.origin() {
        Origin::Event(name) | Origin::Up(name) | Origin::Down(name) if number == Some(&MISSING) => {
            Err(format!("this kernel does not count {name}"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::btf::fixture::{self, Generation};
    use super::super::layout;
    use super::*;

    fn planned(b: fixture::Builder) -> TallyPlan {
        let btf = Btf::parse(b.build()).unwrap();
        plan(&btf, &layout::resolve(&btf))
    }

    fn why(p: &TallyPlan, program: &str) -> String {
        p.points.iter().find(|p| p.program == program).unwrap().target.clone().err().unwrap_or_default()
    }

    #[test]
    fn every_tracepoint_of_the_newest_kernel_is_used_with_its_own_numbers() {
        let p = planned(fixture::swap_table_memcg());
        assert!(p.points.iter().all(|p| p.target.is_ok()), "{:?}", p.points);
        assert_eq!(p.items.items[Tally::ZswpWb as usize], 114);
        assert_eq!(
            p.items.items[Tally::SlotsCharged as usize],
            p.items.items[Tally::SlotsUncharged as usize]
        );
        let shown: Vec<HookPlan> = p.points.iter().map(Point::describe).collect();
        assert_eq!(given(&shown, &p.items, Tally::PswpOut), Ok(()));
        assert_eq!(
            given(&shown, &p.items, Tally::ThpOut),
            Err("this kernel does not count THP_SWPOUT".to_owned())
        );
        assert_eq!(p.items.wide, 0);
    }

    #[test]
    fn a_kernel_whose_cgroups_do_not_count_aloud_keeps_the_rest() {
        let p = planned(fixture::described(Generation::SlotCaches));
        assert_eq!(why(&p, "t_events"), "this kernel has no tracepoint memcg:count_memcg_events");
        assert_eq!(p.points.iter().filter(|p| p.target.is_err()).count(), 2);
        let shown: Vec<HookPlan> = p.points.iter().map(Point::describe).collect();
        assert!(given(&shown, &p.items, Tally::PswpIn).unwrap_err().contains("count_memcg_events"));
        assert_eq!(given(&shown, &p.items, Tally::BytesWritten), Ok(()));
    }

    #[test]
    fn other_arguments_turn_a_tracepoint_off() {
        let mut b = fixture::Builder::new();
        let memcg = b.structure("mem_cgroup", 64, &[]);
        let memcg = b.pointer(memcg);
        let short = b.integer("short int", 2);
        b.enumeration("memcg_stat_item", &[("MEMCG_SWAP", 3)]);
        b.tracepoint("mm_vmscan_write_folio", &[memcg]);
        b.tracepoint("count_memcg_events", &[memcg, 1]);
        b.tracepoint("mod_memcg_state", &[memcg, 1, short]);
        let p = planned(b);
        assert_eq!(
            why(&p, "t_written"),
            "mm_vmscan_write_folio hands out (mem_cgroup *), expected (folio *)"
        );
        assert!(why(&p, "t_events").contains("expected (mem_cgroup *, _, long unsigned int)"));
        assert!(why(&p, "t_state").contains("BTF has no mem_cgroup.css.cgroup"), "{}", why(&p, "t_state"));

        let mut b = fixture::Builder::new();
        let css = b.structure("cgroup_subsys_state", 64, &[("cgroup", 1, 0), ("parent", 1, 48)]);
        let memcg = b.structure("mem_cgroup", 64, &[("css", css, 0)]);
        b.structure("cgroup", 64, &[("kn", 1, 0)]);
        b.structure("kernfs_node", 64, &[("id", 1, 0)]);
        let memcg = b.pointer(memcg);
        let long = b.integer("long int", 8);
        b.enumeration("memcg_stat_item", &[("MEMCG_SWAP", 3)]);
        b.tracepoint("mod_memcg_state", &[memcg, 1, long]);
        let p = planned(b);
        assert_eq!((why(&p, "t_state").as_str(), p.items.wide), ("", 1));
    }
}
