//! A reader of the kernel's type information (BTF): struct members, enum values, function arguments.
//!
//! Follows `Documentation/bpf/btf.rst`. Total on any bytes: everything is bounds-checked, references are followed to
//! a limited depth, and nothing panics on a malformed blob. Unknown kinds end the parse with an error, because their
//! size cannot be known.

use std::collections::HashMap;
use thiserror::Error;

/// Why bytes are not usable BTF.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum BtfError {
    /// Too short for what a header or a type says.
    #[error("cut short at byte {0}")]
    Short(usize),
    /// Not BTF, or of the other byte order.
    #[error("no BTF magic (got {0:#06x})")]
    Magic(u16),
    /// A version we do not know.
    #[error("BTF version {0}, expected 1")]
    Version(u8),
    /// A kind of type we do not know, hence cannot skip.
    #[error("unknown BTF kind {kind} of type {id}")]
    Kind {
        /// The number.
        kind: u8,
        /// Type id.
        id: u32,
    },
}

/// Kinds we look up by name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum NamedKind {
    /// `struct` or `union`.
    Struct,
    /// `enum`.
    Enum,
    /// Function.
    Func,
    /// The typedef that tells a tracepoint's arguments.
    Tracepoint,
}

/// What the name of such a typedef begins with.
const TRACEPOINT: &str = "btf_trace_";

/// Where a member lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Member {
    /// Bytes from the start of the outermost struct.
    pub offset: u32,
    /// Its type.
    pub type_id: u32,
}

const HEADER: usize = 24;
/// References (typedef, const, anonymous nesting) followed at most this deep.
const MAX_DEPTH: u32 = 16;

/// Parsed BTF: an index over the raw bytes.
pub struct Btf {
    bytes: Vec<u8>,
    strings: usize,
    strings_end: usize,
    /// Byte position of each type; index 0 is `void` and unused.
    types: Vec<usize>,
    names: HashMap<(NamedKind, String), u32>,
}

#[derive(Clone, Copy)]
struct Type {
    pos: usize,
    kind: u8,
    vlen: usize,
    kind_flag: bool,
    size_or_type: u32,
    name: u32,
}

impl Btf {
    /// Indexes a BTF blob such as `/sys/kernel/btf/vmlinux`.
    ///
    /// # Errors
    /// [`BtfError`] with the place and cause.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, BtfError> {
        let magic = u16_at(&bytes, 0)?;
        if magic != 0xeb9f {
            return Err(BtfError::Magic(magic));
        }
        let version = *bytes.get(2).ok_or(BtfError::Short(2))?;
        if version != 1 {
            return Err(BtfError::Version(version));
        }
        let header_len = u32_at(&bytes, 4)? as usize;
        if header_len < HEADER {
            return Err(BtfError::Short(4));
        }
        let section = |at: usize| -> Result<(usize, usize), BtfError> {
            let start = header_len.checked_add(u32_at(&bytes, at)? as usize).ok_or(BtfError::Short(at))?;
            let end = start.checked_add(u32_at(&bytes, at + 4)? as usize).ok_or(BtfError::Short(at))?;
            if end > bytes.len() { Err(BtfError::Short(bytes.len())) } else { Ok((start, end)) }
        };
        let (type_start, type_end) = section(8)?;
        let (strings, strings_end) = section(16)?;
        let mut btf = Self { bytes, strings, strings_end, types: vec![0], names: HashMap::new() };
        btf.index(type_start, type_end)?;
        Ok(btf)
    }

    fn index(&mut self, start: usize, end: usize) -> Result<(), BtfError> {
        let mut pos = start;
        while pos < end {
            let id = self.types.len() as u32;
            let t = self.type_at(pos)?;
            let extra = match t.kind {
                2 | 7..=12 | 16 | 18 => 0,
                1 | 14 | 17 => 4,
                3 => 12,
                4 | 5 | 15 | 19 => 12 * t.vlen,
                6 | 13 => 8 * t.vlen,
                kind => return Err(BtfError::Kind { kind, id }),
            };
            let next = pos + 12 + extra;
            if next > end {
                return Err(BtfError::Short(pos));
            }
            let named = match t.kind {
                4 | 5 => Some(NamedKind::Struct),
                6 | 19 => Some(NamedKind::Enum),
                12 => Some(NamedKind::Func),
                8 => Some(NamedKind::Tracepoint),
                _ => None,
            };
            let name = match named {
                Some(NamedKind::Tracepoint) => self.string(t.name).and_then(|n| n.strip_prefix(TRACEPOINT)),
                Some(_) => self.string(t.name),
                None => None,
            };
            if let (Some(kind), Some(name)) = (named, name.filter(|n| !n.is_empty())) {
                let key = (kind, name.to_owned());
                self.names.entry(key).or_insert(id);
            }
            self.types.push(pos);
            pos = next;
        }
        Ok(())
    }

    fn type_at(&self, pos: usize) -> Result<Type, BtfError> {
        let info = u32_at(&self.bytes, pos + 4)?;
        Ok(Type {
            pos,
            name: u32_at(&self.bytes, pos)?,
            kind: (info >> 24 & 0x1f) as u8,
            vlen: (info & 0xffff) as usize,
            kind_flag: info >> 31 == 1,
            size_or_type: u32_at(&self.bytes, pos + 8)?,
        })
    }

    fn get(&self, id: u32) -> Option<Type> {
        if id == 0 {
            return None;
        }
        self.type_at(*self.types.get(id as usize)?).ok()
    }

    fn string(&self, offset: u32) -> Option<&str> {
        let start = self.strings.checked_add(offset as usize)?;
        let tail = self.bytes.get(start..self.strings_end)?;
        let len = tail.iter().position(|b| *b == 0)?;
        std::str::from_utf8(&tail[..len]).ok()
    }

    /// Id of the first type with this name.
    pub fn find(&self, kind: NamedKind, name: &str) -> Option<u32> {
        self.names.get(&(kind, name.to_owned())).copied()
    }

    /// Size of a named struct or union in bytes.
    pub fn size_of(&self, name: &str) -> Option<u32> {
        self.get(self.find(NamedKind::Struct, name)?).map(|t| t.size_or_type)
    }

    /// A member by path, e.g. `"id.id"`; looks into anonymous structs and unions as C does.
    pub fn member(&self, name: &str, path: &str) -> Option<Member> {
        let mut at = Member { offset: 0, type_id: self.find(NamedKind::Struct, name)? };
        for part in path.split('.') {
            let inner = self.member_in(self.resolve(at.type_id)?, part, MAX_DEPTH)?;
            at = Member { offset: at.offset.checked_add(inner.offset)?, type_id: inner.type_id };
        }
        Some(at)
    }

    fn member_in(&self, id: u32, wanted: &str, depth: u32) -> Option<Member> {
        let t = self.get(id)?;
        if !matches!(t.kind, 4 | 5) || depth == 0 {
            return None;
        }
        for i in 0..t.vlen {
            let at = t.pos + 12 + i * 12;
            let name = self.string(u32_at(&self.bytes, at).ok()?)?;
            let type_id = u32_at(&self.bytes, at + 4).ok()?;
            let raw = u32_at(&self.bytes, at + 8).ok()?;
            // With the kind flag the upper byte is a bit-field width; bit-fields have no byte address.
            let (bits, width) = if t.kind_flag { (raw & 0x00ff_ffff, raw >> 24) } else { (raw, 0) };
            if name == wanted {
                return (bits % 8 == 0 && width == 0).then_some(Member { offset: bits / 8, type_id });
            }
            if name.is_empty()
                && let Some(inner) =
                    self.resolve(type_id).and_then(|id| self.member_in(id, wanted, depth - 1))
            {
                return Some(Member {
                    offset: (bits / 8).checked_add(inner.offset)?,
                    type_id: inner.type_id,
                });
            }
        }
        None
    }

    /// Follows typedef, const, volatile, restrict and type tags to the type itself.
    fn resolve(&self, mut id: u32) -> Option<u32> {
        for _ in 0..MAX_DEPTH {
            let t = self.get(id)?;
            match t.kind {
                8..=11 | 18 => id = t.size_or_type,
                _ => return Some(id),
            }
        }
        None
    }

    /// Number of elements of an array member.
    pub fn array_len(&self, member: Member) -> Option<u32> {
        let t = self.get(self.resolve(member.type_id)?)?;
        if t.kind != 3 {
            return None;
        }
        u32_at(&self.bytes, t.pos + 20).ok()
    }

    /// Value of an enumerator, looked up in the named enum.
    pub fn enum_value(&self, name: &str, enumerator: &str) -> Option<u64> {
        self.value_in(self.get(self.find(NamedKind::Enum, name)?)?, enumerator)
    }

    /// Value of an enumerator of whatever enum has it first, for enums without a name. Looks at every type.
    pub fn any_enum_value(&self, enumerator: &str) -> Option<u64> {
        self.types.iter().skip(1).find_map(|pos| {
            let t = self.type_at(*pos).ok().filter(|t| matches!(t.kind, 6 | 19))?;
            self.value_in(t, enumerator)
        })
    }

    fn value_in(&self, t: Type, enumerator: &str) -> Option<u64> {
        let step = if t.kind == 19 { 12 } else { 8 };
        for i in 0..t.vlen {
            let at = t.pos + 12 + i * step;
            if self.string(u32_at(&self.bytes, at).ok()?)? == enumerator {
                let low = u64::from(u32_at(&self.bytes, at + 4).ok()?);
                let high = if t.kind == 19 { u64::from(u32_at(&self.bytes, at + 8).ok()?) << 32 } else { 0 };
                return Some(high | low);
            }
        }
        None
    }

    /// Type names of a function's arguments: `folio *` for a pointer to a struct, `int`-like names for scalars, and
    /// the name of its result last. `None` if BTF has no such function.
    pub fn signature(&self, func: &str) -> Option<Vec<String>> {
        let func = self.get(self.find(NamedKind::Func, func)?)?;
        let proto = self.get(func.size_or_type).filter(|t| t.kind == 13)?;
        let mut out = self.arguments(proto)?;
        out.push(self.type_name(proto.size_or_type, MAX_DEPTH));
        Some(out)
    }

    /// Type names of the arguments that a tracepoint hands to a program. `None` if BTF has no such tracepoint.
    pub fn tracepoint(&self, name: &str) -> Option<Vec<String>> {
        let typedef = self.get(self.find(NamedKind::Tracepoint, name)?)?;
        let pointer = self.get(typedef.size_or_type).filter(|t| t.kind == 2)?;
        let proto = self.get(pointer.size_or_type).filter(|t| t.kind == 13)?;
        let mut out = self.arguments(proto)?;
        // The first is the tracepoint's own, which programs do not get.
        if out.first()? != "void *" {
            return None;
        }
        Some(out.split_off(1))
    }

    fn arguments(&self, proto: Type) -> Option<Vec<String>> {
        (0..proto.vlen)
            .map(|i| {
                let id = u32_at(&self.bytes, proto.pos + 12 + i * 8 + 4).ok()?;
                Some(self.type_name(id, MAX_DEPTH))
            })
            .collect()
    }

    fn type_name(&self, id: u32, depth: u32) -> String {
        let Some(t) = self.get(id) else { return "void".to_owned() };
        if depth == 0 {
            return "?".to_owned();
        }
        match t.kind {
            2 => format!("{} *", self.type_name(t.size_or_type, depth - 1)),
            9..=11 | 18 => self.type_name(t.size_or_type, depth - 1),
            _ => self.string(t.name).unwrap_or("?").to_owned(),
        }
    }
}

fn u16_at(b: &[u8], at: usize) -> Result<u16, BtfError> {
    match b.get(at..).and_then(|t| t.first_chunk::<2>()) {
        Some(c) => Ok(u16::from_le_bytes(*c)),
        None => Err(BtfError::Short(at)),
    }
}

fn u32_at(b: &[u8], at: usize) -> Result<u32, BtfError> {
    match b.get(at..).and_then(|t| t.first_chunk::<4>()) {
        Some(c) => Ok(u32::from_le_bytes(*c)),
        None => Err(BtfError::Short(at)),
    }
}

#[cfg(test)]
#[path = "btf_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "btf_fixture.rs"]
pub mod fixture;
