//! The command of `record -- CMD`: started before the recorder gives up its privileges, so that it keeps the user's,
//! and held until every hook is attached, so that nothing it does is missed.
//!
//! ```text
//! record  - spawns ->  vswap exec-held CMD     stops itself
//!  attach, give up privileges                      |
//!         - SIGCONT ->                            CMD
//! ```

use crate::exit::{Exit, ExitError};
use anyhow::Context;
use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitOptions, getpid, kill_process, set_parent_process_death_signal, waitpid,
};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

/// Subcommand that holds: not for people.
pub const SUBCOMMAND: &str = "exec-held";

/// A command that waits. Ended if it is dropped before it was let go.
pub(super) struct Held(Option<Child>);

impl Held {
    /// Starts `command` and waits until it is held; `None` if it is empty.
    ///
    /// # Errors
    /// Names the program that cannot be run.
    pub(super) fn spawn(command: &[String]) -> anyhow::Result<Option<Self>> {
        let Some(program) = command.first() else { return Ok(None) };
        let path = std::env::var_os("PATH").unwrap_or_default();
        if find(program, &std::env::split_paths(&path).collect::<Vec<_>>()).is_none() {
            return Err(ExitError::new(Exit::Failure, format!("cannot run {program}: no such program")));
        }
        let child =
            Command::new("/proc/self/exe").arg0("vswap").arg(SUBCOMMAND).arg("--").args(command).spawn();
        let held = Self(Some(child.with_context(|| format!("cannot start {program}"))?));
        held.wait_until_stopped().with_context(|| format!("cannot hold {program}"))?;
        Ok(Some(held))
    }

    fn wait_until_stopped(&self) -> anyhow::Result<()> {
        loop {
            match waitpid(Some(self.pid()?), WaitOptions::UNTRACED) {
                Ok(Some((_, status))) if status.stopped() => return Ok(()),
                Ok(status) => anyhow::bail!("it ended at once ({status:?})"),
                // A signal for us: the recorder looks at its flag later.
                Err(Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
    }

    fn pid(&self) -> anyhow::Result<Pid> {
        let id = self.0.as_ref().and_then(|c| i32::try_from(c.id()).ok());
        id.and_then(Pid::from_raw).context("no process")
    }

    /// Lets the command run.
    ///
    /// # Errors
    /// If it is gone.
    pub(super) fn let_go(mut self) -> anyhow::Result<Child> {
        kill_process(self.pid()?, Signal::CONT).context("the command is gone")?;
        self.0.take().context("no process")
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            // It has not done anything yet, and must not stay behind stopped.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The file that runs as `program`, as a shell finds it.
fn find(program: &str, path: &[PathBuf]) -> Option<PathBuf> {
    let runs =
        |file: &Path| file.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0);
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(|f| runs(f));
    }
    path.iter().map(|dir| dir.join(program)).find(|f| runs(f))
}

/// The held side: stops, and becomes `command` when told to go on. Comes back only with an error.
///
/// # Errors
/// If the command cannot be run.
pub fn exec(command: &[String]) -> anyhow::Result<Exit> {
    let Some((program, args)) = command.split_first() else {
        return Err(ExitError::new(Exit::Usage, "no command"));
    };
    // A recorder killed before it let us go must not leave us behind; afterwards the command lives on its own.
    set_parent_process_death_signal(Some(Signal::KILL)).context("ask to die with the recorder")?;
    kill_process(getpid(), Signal::STOP).context("stop until the recorder has attached")?;
    set_parent_process_death_signal(None).context("live on without the recorder")?;
    let error = Command::new(program).args(args).exec();
    Err(ExitError::new(Exit::Failure, format!("cannot run {program}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_as_a_shell_does() {
        let path = [PathBuf::from("/nonexistent"), PathBuf::from("/bin")];
        assert_eq!(find("sh", &path), Some(PathBuf::from("/bin/sh")));
        assert_eq!(find("/bin/sh", &[]), Some(PathBuf::from("/bin/sh")));
        assert!(find("no-such-program", &path).is_none() && find("/bin", &path).is_none());
        assert!(find("/etc/passwd", &path).is_none(), "not executable");
    }

    #[test]
    fn missing_program_is_named_before_anything_starts() {
        let err = Held::spawn(&["no-such-program-here".to_owned()]).err().unwrap();
        assert!(err.to_string().contains("no-such-program-here"), "{err}");
        assert!(Held::spawn(&[]).unwrap().is_none());
    }
}
