//! The limit of open files: every connection is one.

/// More than this is never asked for: so many connections want other limits first.
const ENOUGH: u64 = 65_536;

/// Raises the soft limit as far as the hard one allows, and tells how many files may be open; `None` where that is not
/// known.
#[cfg(unix)]
pub fn raise() -> Option<u64> {
    use nix::sys::resource::{Resource::RLIMIT_NOFILE, getrlimit, setrlimit};
    let (soft, hard) = getrlimit(RLIMIT_NOFILE).ok()?;
    let wanted = hard.min(ENOUGH);
    if soft < wanted {
        match setrlimit(RLIMIT_NOFILE, wanted, hard) {
            Ok(()) => return Some(wanted),
            Err(error) => tracing::warn!(%error, soft, "the limit of open files cannot be raised"),
        }
    }
    Some(soft)
}

/// Not known here.
#[cfg(not(unix))]
pub fn raise() -> Option<u64> {
    None
}
