//! The designs the model can follow, as data.

use super::charge::Cgroup;
use super::vword::Tags;

/// How the virtual layer of a design behaves where RFC v1 and v2 differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Virtual {
    /// Tags of the virtual table.
    pub tags: Tags,
    /// Scans and full reclaim of the virtual device act on "physical swap more than half used" (v1; v2 ignores it).
    pub heeds_swap_full: bool,
    /// Bit C of a Pointer survives a later DUP (v1; v2 clears it when the count leaves 0).
    pub sticky_cache_only: bool,
    /// Full reclaim frees the owner's virtual slots too (v2); v1 takes only the backing.
    pub reclaims_owner: bool,
    /// A partly stored folio is undone inside `zswap_store` (v2); v1 leaves it to the next PREPARE.
    pub undoes_partial_store: bool,
    /// `memcg_table` of a physical cluster only from the first direct-mapped slot on (v2). Cost model only.
    pub lazy_memcg_table: bool,
}

/// One design of Linux swap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Policy {
    /// Name on the command line.
    pub name: &'static str,
    /// The virtual layer, if the design has one; then virtual slots are device 0.
    pub virt: Option<Virtual>,
    /// PUT with reclaim always tries to reclaim cached slots of the range, needed or not (plain).
    pub put_always_reclaims: bool,
}

/// Linux 7.2 and 7.3: swap tables, no virtual layer.
pub const SWAP_TABLE: Policy = Policy { name: "swap-table", virt: None, put_always_reclaims: true };

/// "Virtual Swap Space (Swap Table Edition)", RFC v1 on 7.2.
pub const VSWAP_RFC1: Policy = Policy {
    name: "vswap-rfc1",
    virt: Some(Virtual {
        tags: Tags::Rfc1,
        heeds_swap_full: true,
        sticky_cache_only: true,
        reclaims_owner: false,
        undoes_partial_store: false,
        lazy_memcg_table: false,
    }),
    put_always_reclaims: false,
};

/// The same series, RFC v2.
pub const VSWAP_RFC2: Policy = Policy {
    name: "vswap-rfc2",
    virt: Some(Virtual {
        tags: Tags::Rfc2,
        heeds_swap_full: false,
        sticky_cache_only: false,
        reclaims_owner: true,
        undoes_partial_store: true,
        lazy_memcg_table: true,
    }),
    put_always_reclaims: false,
};

/// All designs, in the order they are listed to users.
pub const POLICIES: [Policy; 3] = [SWAP_TABLE, VSWAP_RFC1, VSWAP_RFC2];

impl Policy {
    /// The design called `name`.
    pub fn named(name: &str) -> Option<Self> {
        POLICIES.into_iter().find(|policy| policy.name == name)
    }
}

/// Largest virtual device, slots: `min(arch maximum, 0xFFFFFE00)`.
pub const VIRTUAL_MAX: u64 = 0xFFFF_FE00;

/// What the model stands on: the design and the machine.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// The design.
    pub policy: Policy,
    /// CPUs, each with caches of its own. More appear on first use.
    pub cpus: usize,
    /// Kernel built with `CONFIG_THP_SWAP`: clusters of 512 slots and orders 0 to 9; else 256 and order 0.
    pub thp_swap: bool,
    /// Which memory controller counts swap.
    pub cgroup: Cgroup,
    /// Slots of the virtual device, header included; at most [`VIRTUAL_MAX`].
    pub virtual_max: u64,
}

impl Config {
    /// `policy` on the reference configuration with one CPU.
    pub const fn new(policy: Policy) -> Self {
        Self { policy, cpus: 1, thp_swap: true, cgroup: Cgroup::V2, virtual_max: VIRTUAL_MAX }
    }

    /// log2 of the slots in a cluster.
    pub const fn shift(&self) -> u32 {
        if self.thp_swap { 9 } else { 8 }
    }
}
