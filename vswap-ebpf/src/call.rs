//! A call of a kernel function, whichever way a program came to see it: at a trampoline, which hands out typed arguments
//! (and the result after them), or at a probe, which hands out registers.

use crate::layout::read_at;
use crate::maps::CALLS;
use aya_ebpf::EbpfContext;
use aya_ebpf::programs::{FEntryContext, FExitContext, ProbeContext, RetProbeContext};
use core::ffi::c_void;

/// A number cut out of a register.
pub trait Word {
    /// Its low bits.
    fn of(word: u64) -> Self;
}

macro_rules! words {
    ($($t:ty),*) => { $(impl Word for $t {
        #[inline(always)]
        fn of(word: u64) -> Self {
            word as Self
        }
    })* };
}
words!(u8, u16, u32, u64, i32);

/// A call that a hook looks at. The result is the argument after the last one.
pub trait Call: EbpfContext {
    /// Argument `n`.
    fn arg<T: Word>(&self, n: usize) -> T;

    /// Argument `n` as a number to compute with.
    fn number(&self, n: usize) -> Option<u64>;
}

/// Trampolines type arguments as pointers, with which the verifier lets nobody compute; a copy is a number to it.
#[inline(always)]
fn copied(ctx: &impl EbpfContext, n: usize) -> Option<u64> {
    read_at(ctx.as_ptr() as u64 + n as u64 * 8)
}

impl Call for FEntryContext {
    #[inline(always)]
    fn arg<T: Word>(&self, n: usize) -> T {
        T::of(FEntryContext::arg(self, n))
    }

    #[inline(always)]
    fn number(&self, n: usize) -> Option<u64> {
        copied(self, n)
    }
}

impl Call for FExitContext {
    #[inline(always)]
    fn arg<T: Word>(&self, n: usize) -> T {
        T::of(FExitContext::arg(self, n))
    }

    #[inline(always)]
    fn number(&self, n: usize) -> Option<u64> {
        copied(self, n)
    }
}

impl Call for ProbeContext {
    #[inline(always)]
    fn arg<T: Word>(&self, n: usize) -> T {
        T::of(ProbeContext::arg(self, n).unwrap_or(0))
    }

    #[inline(always)]
    fn number(&self, n: usize) -> Option<u64> {
        ProbeContext::arg(self, n)
    }
}

/// Arguments that are kept from entry to return.
pub const KEPT: usize = 4;
/// Room for them and the result, so that a masked index stays inside.
const WORDS: usize = 8;
const MASK: usize = WORDS - 1;

/// A return seen by a probe, with what was kept at the entry.
pub struct Returned {
    ctx: *mut c_void,
    words: [u64; WORDS],
}

impl Returned {
    /// A return of which only the result is wanted, as argument `at`.
    #[inline(always)]
    pub fn new(ctx: &RetProbeContext, at: usize) -> Self {
        let mut words = [0; WORDS];
        words[at & MASK] = ctx.ret();
        Self { ctx: ctx.as_ptr(), words }
    }

    /// A return whose entry [`keep`] saw; the result becomes argument `at`. `None` if the kernel skipped that.
    #[inline(always)]
    pub fn kept(ctx: &RetProbeContext, at: usize) -> Option<Self> {
        // The return address is off the stack by now.
        let frame = stack(ctx.regs).wrapping_sub(8);
        // SAFETY: copied at once; the frame belongs to the running thread.
        let args = unsafe { CALLS.get(frame) }.copied()?;
        let _ = CALLS.remove(frame);
        let mut words = [args[0], args[1], args[2], args[3], 0, 0, 0, 0];
        words[at & MASK] = ctx.ret();
        Some(Self { ctx: ctx.as_ptr(), words })
    }
}

impl EbpfContext for Returned {
    fn as_ptr(&self) -> *mut c_void {
        self.ctx
    }
}

impl Call for Returned {
    #[inline(always)]
    fn arg<T: Word>(&self, n: usize) -> T {
        T::of(self.words[n & MASK])
    }

    #[inline(always)]
    fn number(&self, n: usize) -> Option<u64> {
        Some(self.words[n & MASK])
    }
}

/// Keeps the arguments of a call for its return, by the place of its frame: calls of one function may nest. False if
/// there was no room.
#[inline(always)]
pub fn keep(ctx: &ProbeContext) -> bool {
    let word = |n| ctx.arg(n).unwrap_or(0);
    let args = [word(0), word(1), word(2), word(3)];
    CALLS.insert(stack(ctx.regs), args, 0).is_ok()
}

#[inline(always)]
fn stack(regs: *const aya_ebpf::bindings::pt_regs) -> u64 {
    // SAFETY: the context of a probe is the registers, which the verifier lets us read.
    unsafe { (*regs).rsp }
}
