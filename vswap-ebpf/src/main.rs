//! eBPF programs of vswap: one file per stage in a slot's life.
//!
//! ```text
//! kernel function -> hooks/* (read arguments) -> emit -> RING -> user space
//!                        |  ^
//!                        v  |
//!                      scratch (what this thread is in the middle of)
//! ```
//!
//! A hook reads its arguments and calls [`emit::emit`]. Offsets come from [`layout`], which user space fills from
//! BTF before loading. Hooks never touch maps directly, never loop without bound, never write kernel memory.
#![no_std]
#![no_main]
#![feature(core_intrinsics)]
#![allow(internal_features)]

mod call;
mod emit;
mod hooks;
mod layout;
mod maps;
mod scratch;
mod why;

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    // The verifier refuses any program from which this can be reached.
    loop {}
}

/// The kernel lends helpers only to programs that say GPL; the source is MIT OR Apache-2.0 as well.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
