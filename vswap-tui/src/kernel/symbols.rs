//! Names in `/proc/kallsyms`: is a function there, or only as a copy the compiler renamed?

use std::collections::HashSet;
use vswap_common::Address;
use vswap_common::scan::ADDRESSES;

/// Function and data names of the running kernel, and the addresses that the scan of its tables starts from. Nothing
/// else keeps an address, and none is ever written anywhere.
#[derive(Default, Debug)]
pub struct Symbols {
    names: HashSet<String>,
    suffixed: HashSet<String>,
    /// By [`Address`]; 0 where the kernel has no such variable, or hides where it is.
    addresses: [u64; ADDRESSES],
}

/// How a function name occurs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Occurs {
    /// Under its own name.
    Plain,
    /// Only with a compiler suffix (`.isra.0`, `.constprop.0`): fentry has no address for it.
    Suffixed,
    /// Not at all: inlined or not built.
    Absent,
}

impl Symbols {
    /// Parses the text of kallsyms; lines it does not understand are skipped.
    pub fn parse(text: &str) -> Self {
        let mut out = Self::default();
        for line in text.lines() {
            let mut words = line.split_whitespace();
            let (Some(address), Some(name)) = (words.next(), words.nth(1)) else { continue };
            if words.next().is_none() {
                out.locate(name, address);
            }
            match name.split_once('.') {
                Some((base, _)) if !base.is_empty() => out.suffixed.insert(base.to_owned()),
                _ => out.names.insert(name.to_owned()),
            };
        }
        out
    }

    /// Keeps the address of a variable that the scan starts from; a newer name of it goes before an older one.
    fn locate(&mut self, name: &str, address: &str) {
        for of in Address::ALL {
            let Some(age) = of.names().iter().position(|n| *n == name) else { continue };
            let place = &mut self.addresses[of as usize];
            if let Ok(address) = u64::from_str_radix(address, 16)
                && (age == 0 || *place == 0)
            {
                *place = address;
            }
        }
    }

    /// Addresses by [`Address`], 0 where the kernel does not tell.
    pub const fn addresses(&self) -> &[u64; ADDRESSES] {
        &self.addresses
    }

    /// How `name` occurs.
    pub fn occurs(&self, name: &str) -> Occurs {
        if self.names.contains(name) {
            Occurs::Plain
        } else if self.suffixed.contains(name) {
            Occurs::Suffixed
        } else {
            Occurs::Absent
        }
    }

    /// True when nothing could be read.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_variables_the_newest_name_first() {
        let at = |text: &str, of: Address| Symbols::parse(text).addresses()[of as usize];
        let text = "ffff10 b mem_cgroup_ids\nffff20 B swap_info\nffff30 b mem_cgroup_private_ids\nffff40 b mem_cgroup_ids\n";
        assert_eq!(at(text, Address::MemcgIds), 0xff_ff30);
        assert_eq!(at(text, Address::SwapInfo), 0xff_ff20);
        assert_eq!(at(text, Address::VmemmapBase), 0);
        assert_eq!(at("0000000000000000 B swap_info", Address::SwapInfo), 0, "hidden");
        assert_eq!(at("ff20 b swap_info\t[mod]", Address::SwapInfo), 0, "of a module, not the kernel's");
    }

    #[test]
    fn plain_suffixed_and_absent() {
        let s = Symbols::parse(
            "0000000000000000 T zswap_store\n0 t move_cluster.isra.0\nrubbish\n\n0 b swap_info\t[mod]\n",
        );
        assert_eq!(s.occurs("zswap_store"), Occurs::Plain);
        assert_eq!(s.occurs("move_cluster"), Occurs::Suffixed);
        assert_eq!(s.occurs("swap_info"), Occurs::Plain);
        assert_eq!(s.occurs("nope"), Occurs::Absent);
        assert!(Symbols::parse("").is_empty());
    }
}
