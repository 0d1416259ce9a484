//! What the system knows about a process: time, memory, limits.

use std::fs::read_to_string;
use std::process::Child;

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process_group, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};

use crate::Error;

/// `USER_HZ`: the unit of times in /proc. It is the same on every architecture that Linux still
/// supports.
const TICKS_PER_SECOND: f64 = 100.0;

/// User and system time until now, in microseconds, of all threads of a process and of the children
/// that it has waited for.
pub(crate) fn cpu_us(pid: u32) -> Result<f64, Error> {
    times(&format!("/proc/{pid}/stat"), 4)
}

/// User and system time of this thread until now, in microseconds.
pub(crate) fn thread_cpu_us() -> Result<f64, Error> {
    times("/proc/thread-self/stat", 2)
}

/// The sum of the first of the four times in a file, in microseconds.
fn times(path: &str, count: usize) -> Result<f64, Error> {
    let stat = read_to_string(path)?;
    // The name of the program, in parentheses, may contain anything. The state is the first field
    // behind it.
    let (_, fields) = stat.rsplit_once(") ").ok_or("an odd /proc/PID/stat")?;
    let mut times = fields.split(' ').skip(11).map(str::parse::<f64>);
    let mut ticks = 0.0;
    // utime, stime, cutime, cstime
    for _ in 0..count {
        ticks += times.next().ok_or("a short /proc/PID/stat")??;
    }
    Ok(ticks / TICKS_PER_SECOND * 1e6)
}

/// A process, and all its present descendants.
pub(crate) fn family(pid: u32) -> Result<Vec<u32>, Error> {
    let mut family = vec![pid];
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let children = read_to_string(task?.path().join("children"))?;
        for child in children.split_whitespace() {
            family.extend(self::family(child.parse()?)?);
        }
    }
    Ok(family)
}

/// A line of /proc/PID/status in kB, converted to bytes.
pub(crate) fn memory(pid: u32, field: &str) -> Result<f64, Error> {
    let status = read_to_string(format!("/proc/{pid}/status"))?;
    let value = status
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find_map(|(name, value)| (name == field).then_some(value))
        .ok_or_else(|| format!("no {field} in /proc/{pid}/status"))?;
    let kilobytes: f64 = value.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes * 1024.0)
}

/// Asks a child, the leader of its process group, to end with its group.
pub(crate) fn terminate(child: &Child) {
    // Until it has been waited for, its process id cannot be reused.
    let _ = kill_process_group(Pid::from_child(child), Signal::TERM);
}

/// Raises the limit of open files for the harness and its children to the hard limit.
pub(crate) fn raise_file_limit() -> Result<Option<u64>, Error> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    )?;
    Ok(limit.maximum)
}

/// Keeps this thread, and what it starts, off the servers' core.
pub(crate) fn leave_the_servers_core() -> Result<(), Error> {
    let cores = std::thread::available_parallelism()?.get();
    let mut set = CpuSet::new();
    // On a machine with a single core there is no other core.
    for core in 1.min(cores - 1)..cores {
        set.set(core);
    }
    Ok(sched_setaffinity(None, &set)?)
}
