//! CPU time, as Linux counts it: on a machine that others use too, the wall clock says nothing.

use std::time::Duration;

/// CPU time of this thread, exact to a scheduler's tick (1–4 ms): measure stretches of 100 ms and more.
///
/// # Panics
/// Where there is no `/proc`: the benches need Linux.
pub fn of_this_thread() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("benches need Linux's /proc");
    let nanos = text.split_ascii_whitespace().next().and_then(|word| word.parse().ok());
    Duration::from_nanos(nanos.expect("the first word of schedstat is nanoseconds on the CPU"))
}

/// User and system time of all threads of a process so far, and its greatest resident size in MiB.
///
/// # Panics
/// Where the process is gone, or there is no `/proc`.
pub fn of_process(pid: u32) -> (Duration, u64) {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process runs");
    // The name, in parentheses, may hold blanks.
    let (_, behind) = stat.rsplit_once(')').expect("stat names the program in parentheses");
    let mut fields = behind.split_ascii_whitespace().skip(11).filter_map(|word| word.parse::<u64>().ok());
    let (user, system) = (fields.next().expect("utime"), fields.next().expect("stime"));
    // `sysconf(_SC_CLK_TCK)` is 100 on every Linux that Rust runs on.
    let cpu = Duration::from_millis((user + system) * 10);
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
    (cpu, peak.unwrap_or(0_u64) / 1024)
}
