//! What the guest's console says about its health. Pure: lines in, verdict out.

use std::collections::VecDeque;

/// Lines kept for the failure message.
const TAIL: usize = 40;

/// Words the kernel uses when it is in trouble.
const TROUBLE: [&str; 8] = [
    "BUG:",
    "Oops",
    "Kernel panic",
    "self-detected stall",
    "detected stalls on",
    "general protection fault",
    "blocked for more than",
    "WARNING: CPU",
];

/// The console so far.
#[derive(Debug, Default)]
pub(crate) struct Console {
    tail: VecDeque<String>,
    started: bool,
    done: Option<u8>,
    trouble: Option<String>,
}

impl Console {
    /// Takes the next line.
    pub(crate) fn line(&mut self, line: &str) {
        if let Some((_, rest)) = line.split_once("VSWAP-GUEST-DONE rc=") {
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            // A code we cannot read is a failure, never a success.
            self.done = Some(digits.parse().unwrap_or(u8::MAX));
        }
        self.started |= line.contains("VSWAP-GUEST-START");
        if self.trouble.is_none() && TROUBLE.iter().any(|word| line.contains(word)) {
            self.trouble = Some(line.to_owned());
        }
        if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(line.to_owned());
    }

    /// Exit code of the script, once it has ended.
    pub(crate) fn done(&self) -> Option<u8> {
        self.done
    }

    /// The guest's first program has run.
    pub(crate) fn started(&self) -> bool {
        self.started
    }

    /// The first line that says the kernel is in trouble.
    pub(crate) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// The trouble is a breakpoint that the kernel did not set, or has taken away already.
    pub(crate) fn stray_breakpoint(&self) -> bool {
        self.trouble().is_some_and(|line| line.contains("int3: 0000"))
    }

    /// The last lines.
    pub(crate) fn tail(&self) -> String {
        self.tail.iter().map(|line| format!("    | {line}\n")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn console(lines: &[&str]) -> Console {
        let mut console = Console::default();
        lines.iter().for_each(|line| console.line(line));
        console
    }

    #[test]
    fn the_end_and_its_code() {
        assert_eq!(console(&["VSWAP-GUEST-START", "hello"]).done(), None);
        assert!(console(&["VSWAP-GUEST-START 7.3"]).started() && !console(&["BUG: x"]).started());
        assert_eq!(console(&["VSWAP-GUEST-DONE rc=0\r"]).done(), Some(0));
        assert_eq!(console(&["noise VSWAP-GUEST-DONE rc=13"]).done(), Some(13));
        assert_eq!(console(&["VSWAP-GUEST-DONE rc="]).done(), Some(255));
        assert_eq!(console(&["VSWAP-GUEST-DONE rc=999"]).done(), Some(255));
    }

    #[test]
    fn kernel_trouble_is_kept() {
        let console = console(&["fine", "[ 3.1] BUG: unable to handle page fault", "Kernel panic", "x"]);
        assert_eq!(console.trouble(), Some("[ 3.1] BUG: unable to handle page fault"));
        assert!(console.tail().contains("| x\n") && !console.stray_breakpoint());
    }

    #[test]
    fn a_breakpoint_of_nobody_is_told_apart() {
        assert!(
            console(&["[    7.3] Oops: int3: 0000 [#1] PREEMPT SMP NOPTI", "Kernel panic"])
                .stray_breakpoint()
        );
        // Only when it is the first that was wrong.
        assert!(!console(&["[ 3.1] BUG: kernel NULL pointer", "Oops: int3: 0000 [#2]"]).stray_breakpoint());
    }

    #[test]
    fn the_tail_is_bounded() {
        let lines: Vec<String> = (0..1000).map(|i| i.to_string()).collect();
        let console = console(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(console.tail().lines().count(), TAIL);
        assert!(console.tail().contains("| 999\n") && console.trouble().is_none());
    }
}
