//! BTF blobs of our own making for tests: a description in Rust, not a dump of any kernel.

#[path = "btf_builder.rs"]
mod builder;

pub use builder::Builder;

/// Generations of Linux swap that the tracer knows, oldest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Generation {
    /// 6.12: no tables; slots pass through per-CPU caches.
    SlotCaches,
    /// 6.18: counts and holds for the cache in a map, folios in the table, freed by entry.
    Hold,
    /// 7.0: counts in a map, freed by offset on the device, owners in a map.
    Map,
    /// 7.1: counts in the words.
    Count,
    /// 7.2: owners and zero flags in the cluster.
    Memcg,
    /// 7.3: I/O in batches.
    Ops,
    /// 7.2 with virtual swap as first posted: five tags in virtual words.
    VirtualRfc1,
    /// 7.2 with virtual swap as posted again: three tags.
    VirtualRfc2,
    /// Virtual swap as the memory management tree has it, on 7.3.
    Virtual,
}

/// A description of the newest generation.
pub fn swap_table_memcg() -> Builder {
    described(Generation::Ops)
}

/// A description of one generation. Offsets are invented: a test that passes with them cannot have guessed.
pub fn described(generation: Generation) -> Builder {
    described_with(generation, true)
}

/// The same of a kernel that was built without zswap.
pub fn without_zswap(generation: Generation) -> Builder {
    described_with(generation, false)
}

fn described_with(generation: Generation, zswap: bool) -> Builder {
    let batched = matches!(generation, Generation::Ops | Generation::Virtual);
    let virtual_swap = generation >= Generation::VirtualRfc1;
    let in_cluster = generation >= Generation::Memcg;
    let counted = generation >= Generation::Count;
    let tables = generation >= Generation::Hold;
    let held = generation == Generation::Hold;
    let mut b = Builder::new();
    let int = 1;
    let void_ptr = b.pointer(0);
    let inner = b.structure("", 16, &[("private", void_ptr, 0), ("swap", int, 0)]);
    let folio = b.structure(
        "folio",
        192,
        &[("flags", int, 0), ("", inner, 56), ("_flags_1", int, 72), ("memcg_data", int, 88)],
    );
    let folio_p = b.pointer(folio);
    b.enumeration(
        "pageflags",
        &[("PG_locked", 2), ("PG_uptodate", 4), ("PG_dirty", 5), ("PG_head", 9), ("PG_swapcache", 11)],
    );
    let ids = b.array(int, 512);
    b.structure("swap_memcg_table", 1024, &[("id", ids, 0)]);
    let list = b.structure("list_head", 24, &[("next", void_ptr, 0), ("prev", void_ptr, 8)]);
    let mut ci = vec![("count", int, 12), ("flags", int, 14), ("order", int, 15), ("list", list, 48)];
    if tables {
        let words = b.array(int, 512);
        b.structure("swap_table", 4096, &[("entries", words, 0)]);
        ci.push(("table", void_ptr, 24));
    }
    if counted {
        ci.push(("extend_table", void_ptr, 32));
    }
    if in_cluster {
        ci.push(("memcg_table", void_ptr, 40));
    }
    let ci = b.structure("swap_cluster_info", 80, &ci);
    let ci_p = b.pointer(ci);
    let lists = b.array(list, 10);
    let list_p = b.pointer(list);
    let page = b.structure("page", 80, &[]);
    let page_p = b.pointer(page);
    let ops = b.structure("swap_ops", 8, &[]);
    let ops_p = b.pointer(ops);
    let mut si = vec![
        ("flags", int, 8),
        ("prio", int, 20),
        ("type", int, 64),
        ("max", int, 68),
        ("cluster_info", ci_p, 96),
        ("pages", int, 400),
        ("free_clusters", list, 104),
        ("full_clusters", list, 128),
        ("nonfull_clusters", lists, 500),
        ("frag_clusters", lists, 740),
        ("inuse_pages", int, 408),
        ("users", int, 416),
    ];
    if batched {
        si.push(("ops", ops_p, 480));
    }
    if virtual_swap {
        si.push(("cluster_info_pool", int, 984));
    }
    if !in_cluster {
        si.push(("zeromap", void_ptr, 488));
    }
    if !counted {
        si.push(("swap_map", void_ptr, 496));
    }
    if !tables {
        si.push(("lowest_bit", int, 24));
    }
    if tables {
        let next = b.array(int, 10);
        let global = b.structure("swap_sequential_cluster", 48, &[("next", next, 4)]);
        let global_p = b.pointer(global);
        si.push(("global_cluster", global_p, 450));
        let devices = b.array(void_ptr, 10);
        let offsets = b.array(int, 10);
        b.structure("percpu_swap_cluster", 200, &[("si", devices, 8), ("offset", offsets, 96)]);
    }
    if !in_cluster {
        let (size, owner) = if tables { (4, "ids") } else { (2, "id") };
        b.structure("swap_cgroup", size, &[(owner, int, 0)]);
        b.structure("swap_cgroup_ctrl", 40, &[("map", void_ptr, 12)]);
    }
    let si = b.structure("swap_info_struct", 1000, &si);
    let si_p = b.pointer(si);
    let xa_slots = b.array(void_ptr, 64);
    b.structure("xa_node", 600, &[("shift", int, 3), ("slots", xa_slots, 48)]);
    let xarray = b.structure("xarray", 24, &[("xa_head", void_ptr, 16)]);
    b.structure("address_space", 200, &[("i_pages", xarray, 20)]);
    if zswap {
        let ze = b.structure("zswap_entry", 64, &[("swpentry", int, 16), ("length", int, 28)]);
        let ze_p = b.pointer(ze);
        b.func("zswap_entry_free", &[ze_p], 0);
        b.func("zswap_store", &[folio_p], int);
        b.func("zswap_swapon", &[int, int], int);
        b.func("zswap_swapoff", &[int], 0);
    }
    let bvec = b.structure("bio_vec", 24, &[("bv_page", void_ptr, 8), ("bv_len", int, 16)]);
    let bvecs = b.array(bvec, 32);
    let sio = b.structure("swap_iocb", 1000, &[("bvecs", bvecs, 100), ("nr_bvecs", int, 990)]);
    let sio_p = b.pointer(sio);
    let ctx = b.structure("swap_io_ctx", 16, &[]);
    let ctx_p = b.pointer(ctx);
    let bvec_p = b.pointer(bvec);
    let iter = b.structure("bvec_iter", 20, &[("bi_size", int, 12)]);
    let bdev = b.structure("block_device", 64, &[("bd_dev", int, 36)]);
    let bdev_p = b.pointer(bdev);
    let bio = b.structure(
        "bio",
        120,
        &[
            ("bi_status", int, 26),
            ("bi_io_vec", bvec_p, 72),
            ("bi_opf", int, 20),
            ("bi_iter", iter, 40),
            ("bi_bdev", bdev_p, 8),
        ],
    );
    let swp =
        [("SWP_SOLIDSTATE", 1 << 7), ("SWP_BLKDEV", 8), ("SWP_PAGE_DISCARD", 2), ("SWP_SYNCHRONOUS_IO", 1)];
    b.enumeration("", &swp);
    let lists = ["FREE", "NONFULL", "FRAG", "FULL", "DISCARD"].map(|list| format!("CLUSTER_FLAG_{list}"));
    let lists: Vec<(&str, u32)> = lists.iter().map(String::as_str).zip(1..).collect();
    b.enumeration("swap_cluster_flags", &lists);
    b.enumeration("req_op", &[("REQ_OP_READ", 3), ("REQ_OP_WRITE", 4)]);
    b.enumeration("req_flag_bits", &[("__REQ_FAILFAST_DEV", 9), ("__REQ_SWAP", 25)]);
    let bio_p = b.pointer(bio);
    // The folio changed places with the I/O context.
    let io = if batched { [ctx_p, folio_p] } else { [folio_p, void_ptr] };
    let kn = b.structure("kernfs_node", 128, &[("id", int, 104)]);
    let kn_p = b.pointer(kn);
    let cgroup = b.structure("cgroup", 512, &[("kn", kn_p, 208)]);
    let cgroup_p = b.pointer(cgroup);
    let css = b.structure("cgroup_subsys_state", 64, &[("cgroup", cgroup_p, 0), ("parent", void_ptr, 48)]);
    let id = b.structure("mem_cgroup_private_id", 8, &[("id", int, 0)]);
    let memcg = b.structure("mem_cgroup", 512, &[("css", css, 0), ("id", id, 240)]);
    let memcg_p = b.pointer(memcg);
    let mut objcg = vec![("memcg", memcg_p, 24)];
    if counted {
        objcg.push(("is_root", int, 60));
    }
    let objcg = b.structure("obj_cgroup", 64, &objcg);
    let objcg_p = b.pointer(objcg);
    let entry = b.structure("", 8, &[("val", int, 0)]);
    let entry = b.typedef("swp_entry_t", entry);
    let long = b.integer("long unsigned int", 8);
    if !tables {
        let entries = b.pointer(entry);
        b.func("add_to_swap_cache", &[folio_p, entry, int, void_ptr], int);
        b.func("__delete_from_swap_cache", &[folio_p, entry, void_ptr], 0);
        b.func("__mem_cgroup_try_charge_swap", &[folio_p, entry], int);
        b.func("swap_cgroup_record", &[entry, int, int], int);
        b.func("swap_entry_range_free", &[si_p, entry, int], 0);
        b.func("swap_range_alloc", &[si_p, long, int], 0);
        b.func("free_swap_slot", &[entry], 0);
        b.func("free_swap_and_cache_nr", &[entry, int], 0);
        b.func("swapcache_clear", &[si_p, entry, int], 0);
        b.func("swapcache_free_entries", &[entries, int], 0);
        b.func("folio_alloc_swap", &[folio_p], entry);
        b.func("swap_writepage", &[page_p, void_ptr], int);
        let bool = b.integer("_Bool", 1);
        let bool = b.typedef("bool", bool);
        if zswap {
            b.func("zswap_load", &[folio_p], bool);
        }
    } else if in_cluster {
        b.func("__swap_cache_do_add_folio", &[ci_p, folio_p, entry], 0);
        b.func("__swap_cache_do_del_folio", &[ci_p, folio_p, entry, void_ptr], 0);
        b.func("__mem_cgroup_try_charge_swap", &[folio_p], int);
    } else {
        b.func("__swap_cache_del_folio", &[ci_p, folio_p, entry, void_ptr], 0);
        b.func("__mem_cgroup_try_charge_swap", &[folio_p, entry], int);
        b.func("swap_cgroup_record", &[folio_p, int, entry], 0);
    }
    if tables {
        b.func("swap_writeout", &io, int);
        b.func("move_cluster", &[si_p, ci_p, list_p, int], 0);
        if zswap {
            b.func("zswap_load", &[folio_p], int);
        }
    }
    if held {
        let flags = b.typedef("gfp_t", int);
        b.func("swap_cache_add_folio", &[folio_p, entry, void_ptr], 0);
        b.func("swapcache_prepare", &[entry, int], int);
        b.func("swapcache_clear", &[si_p, entry, int], 0);
        b.func("folio_alloc_swap", &[folio_p, flags], int);
        b.func("swap_entries_free", &[si_p, ci_p, entry, int], 0);
        b.func("isolate_lock_cluster", &[si_p, list_p, int], ci_p);
    } else if tables {
        b.func("__swap_cache_add_folio", &[ci_p, folio_p, entry], 0);
        b.func("folio_alloc_swap", &[folio_p], int);
        b.func("folio_dup_swap", &[folio_p, page_p], int);
        b.func("swap_dup_entry_direct", &[entry], int);
        b.func("swap_put_entries_cluster", &[si_p, int, int, int], 0);
        b.func("isolate_lock_cluster", &[si_p, list_p], ci_p);
    }
    if counted {
        b.func("__swap_cluster_free_entries", &[si_p, ci_p, int, int], 0);
        b.func("swap_cluster_setup_bad_slot", &[si_p, ci_p, int, int], int);
    } else if generation == Generation::Map {
        b.func("swap_entries_free", &[si_p, ci_p, long, int], 0);
        b.func("swap_cluster_setup_bad_slot", &[ci_p, long], int);
    }
    b.func("add_swap_extent", &[si_p, long, long, long], int);
    b.func("obj_cgroup_charge_zswap", &[objcg_p, int], 0);
    b.func("swap_read_folio", &io, 0);
    if generation != Generation::Virtual {
        b.func("__swap_writepage", &io, 0);
    }
    if virtual_swap {
        virtual_layer(&mut b, generation, &Types { ci, ci_p, si_p, folio_p, void_ptr, entry, io });
    }
    if batched {
        b.func("swap_write_end", &[sio_p, int], 0);
        b.func("swap_read_end", &[sio_p, int], 0);
    } else {
        b.func("__end_swap_bio_write", &[bio_p], 0);
        b.func("end_swap_bio_write", &[bio_p], 0);
        b.func("end_swap_bio_read", &[bio_p], 0);
    }
    causes(&mut b, tables, list_p, memcg_p);
    let users = b.structure("percpu_ref", 16, &[]);
    let users = b.pointer(users);
    b.func("percpu_ref_resurrect", &[users], 0);
    b.func("swap_cgroup_swapoff", &[int], 0);
    tracepoints(&mut b, tables, [memcg_p, folio_p, bio_p, int, long]);
    let unsigned = b.integer("unsigned int", 4);
    b.func("shmem_unuse", &[unsigned], int);
    let image =
        if generation >= Generation::Map { "swap_alloc_hibernation_slot" } else { "get_swap_page_of_type" };
    b.func(image, &[int], entry);
    b
}

/// What vmscan, memcg and block tell; cgroups count aloud since the tables came. Numbers of items are invented too.
fn tracepoints(b: &mut Builder, aloud: bool, [memcg, folio, bio, int, long]: [u32; 5]) {
    b.enumeration(
        "vm_event_item",
        &[("PSWPIN", 12), ("PSWPOUT", 13), ("ZSWPIN", 112), ("ZSWPOUT", 113), ("ZSWPWB", 114)],
    );
    b.enumeration("memcg_stat_item", &[("MEMCG_SWAP", 61), ("MEMCG_ZSWAPPED", 67)]);
    if aloud {
        b.tracepoint("count_memcg_events", &[memcg, int, long]);
        b.tracepoint("mod_memcg_state", &[memcg, int, int]);
    }
    b.tracepoint("mm_vmscan_write_folio", &[folio]);
    b.tracepoint("block_bio_queue", &[bio]);
    for of in ["direct_reclaim", "memcg_reclaim"] {
        b.tracepoint(&format!("mm_vmscan_{of}_begin"), &[int, int]);
        b.tracepoint(&format!("mm_vmscan_{of}_end"), &[long]);
    }
    b.tracepoint("mm_vmscan_kswapd_wake", &[int, int, int]);
    b.tracepoint("mm_vmscan_kswapd_sleep", &[int]);
}

/// What tells causes: nearly the same since 6.12.
fn causes(b: &mut Builder, tables: bool, list_p: u32, memcg_p: u32) {
    let int = 1;
    let void_ptr = b.pointer(0);
    let mut named = |name| {
        let of = b.structure(name, 64, &[]);
        b.pointer(of)
    };
    let [lru, shrinker, control, work, zones, file] =
        ["list_lru_one", "shrinker", "shrink_control", "work_struct", "zonelist", "kernfs_open_file"]
            .map(&mut named);
    let char = b.integer("char", 1);
    let text = b.pointer(char);
    let status = [("LRU_REMOVED_RETRY", 11), ("LRU_ROTATE", 12), ("LRU_RETRY", 14), ("LRU_STOP", 15)];
    b.enumeration("lru_status", &status);
    if tables {
        b.func("shrink_memcg_cb", &[list_p, lru, void_ptr], int);
        b.func("user_proactive_reclaim", &[text, memcg_p, void_ptr], int);
    } else {
        b.func("shrink_memcg_cb", &[list_p, lru, void_ptr, void_ptr], int);
    }
    b.func("zswap_shrinker_scan", &[shrinker, control], int);
    b.func("shrink_memcg", &[memcg_p], int);
    b.func("shrink_worker", &[work], 0);
    b.func("balance_pgdat", &[void_ptr, int, int], int);
    b.func("try_to_free_pages", &[zones, int, int, void_ptr], int);
    b.func("try_to_free_mem_cgroup_pages", &[memcg_p, int, int, int, void_ptr], int);
    b.func("memory_reclaim", &[file, text, int, int], int);
    b.func("reclaim_pages", &[list_p], int);
}

/// Types that the virtual layer's functions take.
struct Types {
    ci: u32,
    ci_p: u32,
    si_p: u32,
    folio_p: u32,
    void_ptr: u32,
    entry: u32,
    io: [u32; 2],
}

/// What virtual swap adds: clusters with an index and a table of backings, tags, and functions by generation.
fn virtual_layer(b: &mut Builder, generation: Generation, t: &Types) {
    let int = 1;
    let long = b.integer("long unsigned int", 8);
    b.structure(
        "swap_cluster_info_dynamic",
        112,
        &[("ci", t.ci, 0), ("index", int, 84), ("virtual_table", t.void_ptr, 96)],
    );
    b.enumeration("", &[("SWP_USED", 1), ("SWP_VSWAP", 1 << 14)]);
    let (phys, zero, zswap, folio) = match generation {
        Generation::VirtualRfc1 => (1, 2, 3, 4),
        Generation::VirtualRfc2 => (1, 3, 2, 4),
        _ => (2, 3, 1, 4),
    };
    b.enumeration(
        "vswap_backing_type",
        &[
            ("VSWAP_NONE", 0),
            ("VSWAP_SWAPFILE", phys),
            ("VSWAP_ZERO", zero),
            ("VSWAP_ZSWAP", zswap),
            ("VSWAP_FOLIO", folio),
        ],
    );
    let (found, word) =
        if generation == Generation::VirtualRfc1 { (int, vec![long]) } else { (long, vec![]) };
    b.func("alloc_swap_scan_cluster", &[vec![t.si_p, t.ci_p, t.folio_p, long], word].concat(), found);
    b.func("__swap_cluster_free_phys_backing", &[t.si_p, t.ci_p, int, int], 0);
    b.func("__swap_cluster_finish_free", &[t.si_p, t.ci_p, int, int], 0);
    b.func("__mem_cgroup_record_swap", &[t.folio_p], 0);
    if generation == Generation::VirtualRfc1 {
        b.func("vswap_release_backing", &[t.ci_p, int, int], 0);
        b.func("vswap_store_folio", &[t.entry, t.folio_p], 0);
    } else {
        b.func("__vswap_release_backing", &[t.ci_p, int, int], 0);
        b.func("folio_release_non_phys_swap_backing", &[t.folio_p], 0);
    }
    if generation == Generation::Virtual {
        b.func("__swap_writeout", &t.io, 0);
    } else {
        b.func("__swap_writepage_phys", &[t.folio_p, t.void_ptr, t.entry], int);
    }
}
