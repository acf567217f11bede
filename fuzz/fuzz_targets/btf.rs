//! The kernel's type information: a file of the kernel, or of whoever gave `doctor --root`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vswap_tui::kernel::btf::{Btf, NamedKind};

fuzz_target!(|data: &[u8]| {
    let Ok(btf) = Btf::parse(data.to_vec()) else { return };
    for name in ["swap_info_struct", "folio", "a", ""] {
        btf.find(NamedKind::Struct, name);
        btf.size_of(name);
        btf.enum_value(name, "A");
        for path in ["a", "a.b", "a.b.c", ""] {
            if let Some(member) = btf.member(name, path) {
                btf.array_len(member);
            }
        }
    }
});
