//! Hooks that tell causes: without them the slots are followed all the same.

use super::{Alternative, Helper, How, Programs, Spec, at, kprobe};
use vswap_common::{Field, Hook};

/// Copies of an exit.
const fn exit(
    function: &'static str,
    args: &'static [&'static str],
    names: &'static [&'static str],
) -> Helper {
    Helper { function, args, programs: Programs { how: How::Fexit, names }, optional: false }
}

/// A bracket around a function: entry and exit.
const fn around(
    function: &'static str,
    args: &'static [&'static str],
    helpers: &'static [Helper],
) -> Alternative {
    Alternative { function, args, fields: &[], instead: None, helpers }
}

const fn spec(hook: Hook, how: How, shows: &'static str, alternatives: &'static [Alternative]) -> Spec {
    Spec { hook, how, shows, vital: false, allocator: false, alternatives }
}

const STATUS: &[Field] =
    &[Field::ArgWalk, Field::LruWritten, Field::LruSpared, Field::LruFailed, Field::LruStopped];
const ITEM: &[&str] = &["list_head *", "list_lru_one *", "void *"];
const ITEM_WITH_LOCK: &[&str] = &["list_head *", "list_lru_one *", "_", "void *"];
const DONE: &[&str] = &["shrink_done", "shrink_done_2"];
const WORKER: Helper = kprobe("shrink_worker", &["work_struct *"], &["shrink_work"]);

pub(super) const SHRINK_ITEM: Spec = spec(
    Hook::ShrinkItem,
    How::Kprobe,
    "why zswap writes a page back, or spares it",
    &[
        Alternative {
            function: "shrink_memcg_cb",
            args: ITEM,
            fields: STATUS,
            instead: None,
            helpers: &[exit("shrink_memcg_cb", ITEM, DONE), WORKER],
        },
        Alternative {
            function: "shrink_memcg_cb",
            args: ITEM_WITH_LOCK,
            fields: STATUS,
            instead: None,
            helpers: &[exit("shrink_memcg_cb", ITEM_WITH_LOCK, DONE), WORKER],
        },
    ],
);
pub(super) const SHRINK_SCAN: Spec = spec(
    Hook::ShrinkScan,
    How::Fexit,
    "zswap's shrinker ends a walk",
    &[at("zswap_shrinker_scan", &["shrinker *", "shrink_control *"], &[])],
);
pub(super) const SHRINK_LIMIT: Spec = spec(
    Hook::ShrinkLimit,
    How::Fexit,
    "zswap's limits: a walk ends; a cgroup is over its own",
    &[at("shrink_memcg", &["mem_cgroup *"], &[])],
);
pub(super) const KSWAPD: Spec =
    spec(Hook::Kswapd, How::Kprobe, "reclaim by kswapd", &[at("balance_pgdat", &["_", "_", "_"], &[])]);

const DIRECT_ARGS: &[&str] = &["zonelist *", "_", "_", "_"];
pub(super) const DIRECT: Spec = spec(
    Hook::Direct,
    How::Kprobe,
    "direct reclaim",
    &[around(
        "try_to_free_pages",
        DIRECT_ARGS,
        &[exit("try_to_free_pages", DIRECT_ARGS, &["direct_exit", "direct_exit_2"])],
    )],
);
const MEMCG_ARGS: &[&str] = &["mem_cgroup *", "_", "_", "_", "_"];
pub(super) const MEMCG: Spec = spec(
    Hook::MemcgReclaim,
    How::Kprobe,
    "reclaim of a cgroup at its limit",
    &[around(
        "try_to_free_mem_cgroup_pages",
        MEMCG_ARGS,
        &[exit("try_to_free_mem_cgroup_pages", MEMCG_ARGS, &["memcg_exit", "memcg_exit_2"])],
    )],
);
const ASKED: &[&str] = &["proact_exit", "proact_exit_2"];
const ASKED_ARGS: &[&str] = &["char *", "mem_cgroup *", "_"];
const WRITTEN_ARGS: &[&str] = &["kernfs_open_file *", "char *", "_", "_"];
pub(super) const PROACTIVE: Spec = spec(
    Hook::Proactive,
    How::Kprobe,
    "reclaim that somebody asked for",
    &[
        around("user_proactive_reclaim", ASKED_ARGS, &[exit("user_proactive_reclaim", ASKED_ARGS, ASKED)]),
        around("memory_reclaim", WRITTEN_ARGS, &[exit("memory_reclaim", WRITTEN_ARGS, ASKED)]),
    ],
);
const PAGES_ARGS: &[&str] = &["list_head *"];
pub(super) const PAGEOUT: Spec = spec(
    Hook::Pageout,
    How::Kprobe,
    "reclaim of named pages (MADV_PAGEOUT, DAMON)",
    &[around(
        "reclaim_pages",
        PAGES_ARGS,
        &[exit("reclaim_pages", PAGES_ARGS, &["pages_exit", "pages_exit_2"])],
    )],
);
