//! A disagreement with the kernel: the model's own choice leaves no trace, the kernel's is taken, and from then on
//! both go the same way.

mod model_bed;

use model_bed::{Bed, Mode};
use vswap_common::Entry;
use vswap_tui::model::invariant::Checker;
use vswap_tui::model::policy::{SWAP_TABLE, VSWAP_RFC1};
use vswap_tui::model::{DeviceSpec, End, Folio, Oracle, Undisturbed};

/// The kernel took this slot.
struct Kernel(Entry);

impl Oracle for Kernel {
    fn agrees(&mut self, at: Entry) -> bool {
        at == self.0
    }
}

/// The clusters whose locks another CPU holds.
struct LockedClusters(&'static [u32]);

impl Oracle for LockedClusters {
    fn locked(&mut self, _: u8, cluster: u32) -> bool {
        self.0.contains(&cluster)
    }
}

#[test]
fn a_mismatch_installs_nothing_and_force_takes_the_kernels_slot() {
    let mut bed = Bed::new(SWAP_TABLE, Mode::Direct);
    let p = bed.swapon(&DeviceSpec::block(2048));
    bed.alloc(0, 0);
    let before = bed.lists(p);
    assert_eq!(before, "free [c1 c2 c3] frag0 [c0(2)]");

    // The model would take the first free cluster; the kernel took the second: the first was locked.
    let kernel = Entry::new(p, 1024);
    let outcome = bed.outcome(1, 0, 0, &mut Kernel(kernel));
    assert_eq!((outcome.slot, outcome.end), (None, End::Mismatch(Entry::new(p, 512))));
    assert_eq!((bed.lists(p), bed.pc(1, 0)), (before, (None, 0)));

    let folio = Folio { pfn: 1, order: 0, memcg: 7 };
    assert_eq!(bed.model.force_alloc(1, folio, kernel), Ok(0));
    assert_eq!((bed.lists(p).as_str(), bed.pc(1, 0)), ("free [c1 c3] frag0 [c0(2) c2(1)]", (Some(p), 1025)));
    assert_eq!(bed.model.charges().get(7).swap, 1);
    assert_eq!(bed.outcome(1, 0, 0, &mut Kernel(kernel.add(1))).end, End::Done);

    // A slot that the model believes used is freed first.
    assert_eq!(bed.model.force_alloc(2, folio, kernel), Ok(1));
    let mut checker = Checker::default();
    assert!(checker.check(&bed.model), "{:?}", checker.broken());
}

#[test]
fn locked_clusters_are_passed_over_and_a_list_of_locked_ones_looks_empty() {
    let mut bed = Bed::new(SWAP_TABLE, Mode::Direct);
    let p = bed.swapon(&DeviceSpec::block(2048));
    assert_eq!(bed.outcome(0, 0, 0, &mut LockedClusters(&[0])).slot, Some(Entry::new(p, 512)));
    assert_eq!(bed.outcome(1, 2, 0, &mut LockedClusters(&[2])).slot, Some(Entry::new(p, 1536)));
    assert_eq!(bed.outcome(2, 2, 0, &mut LockedClusters(&[2, 3])).slot, None);
    assert_eq!(bed.lists(p), "free [c2] nonfull0 [c0(1)] frag0 [c1(1)] frag2 [c3(4)]");
}

#[test]
fn a_mismatch_in_a_new_virtual_cluster_or_a_backing_is_taken_back_too() {
    let mut bed = Bed::new(VSWAP_RFC1, Mode::Backing);
    let p = bed.swapon(&DeviceSpec::block(1024));
    let kernel = Entry::new(0, 1024);
    let outcome = bed.outcome(0, 0, 7, &mut Kernel(kernel));
    assert_eq!((outcome.end, bed.lists(0).as_str()), (End::Mismatch(Entry::new(0, 512)), ""));
    bed.model.force_alloc(0, Folio { pfn: 1, order: 0, memcg: 7 }, kernel).unwrap();
    assert_eq!((bed.lists(0).as_str(), bed.vc(0, 0)), ("frag0 [k2(1)]", 1025));
    // The index that was passed over is still the lowest.
    assert_eq!(bed.valloc(1, 0), 512);

    let phys = Entry::new(p, 512);
    assert!(bed.model.realloc(0, kernel, 0, &mut Kernel(phys)).1.is_err());
    assert_eq!(bed.lists(p), "free [c1] nonfull0 [c0(1)]");
    bed.model.force_backing(0, kernel, 0, phys).unwrap();
    assert_eq!((bed.lists(p).as_str(), bed.pc(0, 0)), ("nonfull0 [c0(1)] frag0 [c1(1)]", (Some(p), 513)));
    assert_eq!((bed.model.vword(kernel).phys(), bed.model.word(phys).owner()), (Some(phys), kernel));
    let mut checker = Checker::default();
    assert!(checker.check(&bed.model), "{:?}", checker.broken());
    bed.model.dup(kernel, 1, &mut Undisturbed).unwrap();
}
