//! Kills the programs that were started when this program ends, even if it is killed.
//!
//! ```text
//!  this program ──"+GROUP", "-GROUP"──▶ guard: at the end of its input it kills the groups that are left
//! ```
//!
//! The guard is a shell that only reads, in a process group of its own, so that signals of the
//! terminal do not reach it. Its input ends when this program ends, also after SIGKILL. This works
//! without any setup in `main`.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Write};
use std::os::unix::process::CommandExt;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use kamea::before_exit;
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::process::{Pid, Signal, kill_process_group};

/// The script of the guard.
const SCRIPT: &str = r#"
trap '' HUP INT QUIT TERM
groups=' '
while read -r line; do
    id=${line#?}
    case $line in
    +*) groups="$groups$id " ;;
    -*) case $groups in *" $id "*) groups="${groups%% $id *} ${groups#* $id }" ;; esac ;;
    esac
done
for id in $groups; do kill -s KILL -- "-$id"; done
"#;

static GUARD: LazyLock<Mutex<Guard>> = LazyLock::new(|| {
    before_exit(|| lock().kill_all());
    Mutex::new(Guard::new())
});

/// The groups that were started, and the guard process.
struct Guard {
    groups: BTreeSet<i32>,
    /// The input of the guard; `None` if it could not be started, or has ended.
    input: Option<ChildStdin>,
    /// Messages that the guard has not read yet.
    untold: Vec<u8>,
}

/// Registers a group, so that it is killed when this program ends.
pub(super) fn watch(group: Pid) {
    let mut guard = lock();
    guard.groups.insert(group.as_raw_nonzero().get());
    guard.tell('+', group);
}

/// Unregisters a group. Call this while the system cannot have reused the number of the group.
pub(super) fn let_go(group: Pid) {
    let mut guard = lock();
    guard.groups.remove(&group.as_raw_nonzero().get());
    guard.tell('-', group);
}

fn lock() -> MutexGuard<'static, Guard> {
    GUARD.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Guard {
    fn new() -> Self {
        let input = start().inspect_err(|error| {
            log::warn!("programs that are started may outlive this one, because no guard for them can be started: {error}");
        });
        Self {
            groups: BTreeSet::new(),
            input: input.ok(),
            untold: Vec::new(),
        }
    }

    fn tell(&mut self, what: char, group: Pid) {
        let Some(input) = &mut self.input else { return };
        let line = format!("{what}{}\n", group.as_raw_nonzero());
        self.untold.extend_from_slice(line.as_bytes());
        match input.write(&self.untold) {
            Ok(written) => drop(self.untold.drain(..written)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => {
                log::warn!(
                    "programs that are started may outlive this one: the guard has gone ({error})"
                );
                self.input = None;
            }
        }
    }

    fn kill_all(&self) {
        for group in self.groups.iter().filter_map(|id| Pid::from_raw(*id)) {
            // The group may be empty by now.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

fn start() -> io::Result<ChildStdin> {
    let mut guard = Command::new("/bin/sh")
        .args(["-c", SCRIPT, "guard"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .current_dir("/")
        .process_group(0)
        .spawn()?;
    let input = guard.stdin.take().ok_or(ErrorKind::BrokenPipe)?;
    // Workers write to it when processes end, and must not wait.
    fcntl_setfl(&input, OFlags::NONBLOCK)?;
    Ok(input)
}

#[cfg(test)]
mod tests;
