//! The virtual device: in no list that user space can read, so a program of ours is asked for it.

use crate::meta::DeviceInfo;
use anyhow::{Context, bail};
use aya::Ebpf;
use aya::programs::{Program, RawTracePointRunOptions, TestRun};
use vswap_common::scan::answer;
use vswap_common::slot::MAX_DEVICES;

/// The program that tells it.
const PROGRAM: &str = "virtual_device";
/// Bit of its answer: slots are in use.
const IN_USE: u32 = 1 << 8;

/// The virtual device of a kernel that was built with one.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct VirtualDevice {
    /// For the header. It has no size to speak of and no priority among devices.
    pub(super) info: DeviceInfo,
    /// Slots of it are in use.
    pub(super) in_use: bool,
}

/// Asks for it; `None` while the kernel's virtual swap is switched off.
///
/// # Errors
/// If the program cannot be run or the kernel's variables cannot be read: every slot may be a virtual one.
pub(super) fn find(ebpf: &Ebpf) -> anyhow::Result<Option<VirtualDevice>> {
    let Some(Program::RawTracePoint(program)) = ebpf.program(PROGRAM) else {
        bail!("the eBPF object has no program {PROGRAM}: built from another version");
    };
    let run = program.test_run(RawTracePointRunOptions::new()).context("ask for the virtual swap device")?;
    read(run.return_value)
}

fn read(told: u32) -> anyhow::Result<Option<VirtualDevice>> {
    if told & answer::FAULT != 0 {
        bail!("the virtual swap device could not be read");
    }
    if told & answer::NONE != 0 {
        return Ok(None);
    }
    let dev = (told & 0xff) as u8;
    if usize::from(dev) >= MAX_DEVICES {
        bail!("the virtual swap device has the number {dev}, which no device has");
    }
    let info = DeviceInfo { dev, name: "vswap".to_owned(), r#virtual: true, ..DeviceInfo::default() };
    Ok(Some(VirtualDevice { info, in_use: told & IN_USE != 0 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_and_absurd_ones_refused() {
        let found = read(3 | IN_USE).unwrap().unwrap();
        assert_eq!((found.info.dev, found.info.r#virtual, found.in_use), (3, true, true));
        assert!(!read(0).unwrap().unwrap().in_use);
        assert_eq!(read(answer::NONE).unwrap(), None);
        assert!(read(answer::FAULT).is_err() && read(200).is_err());
    }
}
