//! What the kernel tells about our programs and links beside their descriptors: `/proc/self/fdinfo`. Reading it takes
//! no capability and, unlike the system call, does not make the kernel skip kprobe programs meanwhile.

use std::fs;
use std::os::fd::RawFd;

/// The number called `name` of an open descriptor of ours; `None` if this kernel does not tell it.
pub(super) fn number(fd: RawFd, name: &str) -> Option<u64> {
    find(&fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).ok()?, name)
}

/// Descriptors of links to a kprobe that count what the kprobe missed (Linux 6.17), with the id of their program.
pub(super) fn counting_links() -> Vec<(RawFd, u64)> {
    let Ok(dir) = fs::read_dir("/proc/self/fdinfo") else { return Vec::new() };
    dir.flatten()
        .filter_map(|entry| {
            let fd = entry.file_name().to_str()?.parse().ok()?;
            Some((fd, program_of(&fs::read_to_string(entry.path()).ok()?)?))
        })
        .collect()
}

fn program_of(text: &str) -> Option<u64> {
    text.lines().find(|l| l.starts_with("link_type:"))?;
    find(text, "missed")?;
    find(text, "prog_id")
}

fn find(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':'))?;
    value.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_by_its_whole_name() {
        let text = "pos:\t0\nprog_type:\t2\nrun_cnt:\t77\nrecursion_misses:\t3\nodd:\tx\n";
        assert_eq!((find(text, "recursion_misses"), find(text, "run_cnt")), (Some(3), Some(77)));
        assert_eq!((find(text, "run"), find(text, "odd"), find("", "pos")), (None, None, None));
    }

    #[test]
    fn only_links_that_count_are_taken() {
        let link = "link_type:\tkprobe\nlink_id:\t9\nprog_tag:\tab\nprog_id:\t41\nname:\tdo_x\nmissed:\t5\n";
        assert_eq!(program_of(link), Some(41));
        assert_eq!(program_of(&link.replace("missed", "other")), None, "an older kernel");
        assert_eq!(program_of("prog_id:\t41\nmissed:\t1\n"), None, "not a link");
        assert_eq!(number(-1, "pos"), None);
    }
}
