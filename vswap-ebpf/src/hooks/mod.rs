//! The hooks, one file per stage in a slot's life. Each program is a thin entry around a plain function.

mod alloc;
mod cache;
mod device;
mod free;
mod io;
mod zswap;
