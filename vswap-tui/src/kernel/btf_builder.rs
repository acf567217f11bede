//! Writes BTF for tests, type by type.

/// Writes BTF type by type.
#[derive(Default)]
pub struct Builder {
    types: Vec<u8>,
    strings: Vec<u8>,
    count: u32,
}

impl Builder {
    /// An empty blob with one 4-byte `int` as type 1.
    pub fn new() -> Self {
        let mut b = Self { strings: vec![0], ..Self::default() };
        b.raw("int", 1, 0, 4, &[0x0100_0020]);
        b
    }

    fn name(&mut self, s: &str) -> u32 {
        if s.is_empty() {
            return 0;
        }
        let at = self.strings.len() as u32;
        self.strings.extend_from_slice(s.as_bytes());
        self.strings.push(0);
        at
    }

    fn raw(&mut self, name: &str, kind: u32, vlen: usize, size_or_type: u32, rest: &[u32]) -> u32 {
        let name = self.name(name);
        for v in [name, kind << 24 | vlen as u32, size_or_type] {
            self.types.extend_from_slice(&v.to_le_bytes());
        }
        for v in rest {
            self.types.extend_from_slice(&v.to_le_bytes());
        }
        self.count += 1;
        self.count
    }

    /// A struct of `size` bytes with members (name, type, byte offset).
    pub fn structure(&mut self, name: &str, size: u32, members: &[(&str, u32, u32)]) -> u32 {
        let rest: Vec<u32> = members.iter().flat_map(|(n, t, off)| [self.name(n), *t, off * 8]).collect();
        self.raw(name, 4, members.len(), size, &rest)
    }

    /// An integer type of `size` bytes.
    pub fn integer(&mut self, name: &str, size: u32) -> u32 {
        self.raw(name, 1, 0, size, &[size * 8])
    }

    /// A pointer.
    pub fn pointer(&mut self, to: u32) -> u32 {
        self.raw("", 2, 0, to, &[])
    }

    /// A typedef.
    pub fn typedef(&mut self, name: &str, to: u32) -> u32 {
        self.raw(name, 8, 0, to, &[])
    }

    /// An array of `len` elements.
    pub fn array(&mut self, of: u32, len: u32) -> u32 {
        self.raw("", 3, 0, 0, &[of, 1, len])
    }

    /// An enum.
    pub fn enumeration(&mut self, name: &str, values: &[(&str, u32)]) -> u32 {
        let rest: Vec<u32> = values.iter().flat_map(|(n, v)| [self.name(n), *v]).collect();
        self.raw(name, 6, values.len(), 4, &rest)
    }

    /// A function with arguments of these types.
    pub fn func(&mut self, name: &str, args: &[u32], ret: u32) -> u32 {
        let rest: Vec<u32> = args.iter().flat_map(|t| [0, *t]).collect();
        let proto = self.raw("", 13, args.len(), ret, &rest);
        self.raw(name, 12, 0, proto, &[])
    }

    /// A tracepoint that hands out arguments of these types.
    pub fn tracepoint(&mut self, name: &str, args: &[u32]) -> u32 {
        let own = self.pointer(0);
        let rest: Vec<u32> = std::iter::once(&own).chain(args).flat_map(|t| [0, *t]).collect();
        let proto = self.raw("", 13, args.len() + 1, 0, &rest);
        let pointer = self.pointer(proto);
        self.typedef(&format!("btf_trace_{name}"), pointer)
    }

    /// The finished blob.
    pub fn build(self) -> Vec<u8> {
        let mut out = vec![0x9f, 0xeb, 1, 0];
        for v in [24, 0, self.types.len() as u32, self.types.len() as u32, self.strings.len() as u32] {
            out.extend_from_slice(&v.to_le_bytes());
        }
        out.extend_from_slice(&self.types);
        out.extend_from_slice(&self.strings);
        out
    }
}
