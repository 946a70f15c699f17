//! Giving up system calls that serving does not need (`-o drop_privileges`).
//!
//! The list names what an intruder would want and a cache never does, instead of all that a cache
//! does: a new version of the system library may then use a new call without stopping the daemon.
//! A call on the list fails with "operation not permitted"; nothing is killed.

use std::collections::BTreeMap;

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};

/// Calls that nothing makes once the daemon serves: to run programs, to look into other processes,
/// to become someone else, to change the system, to reach other hosts.
const DENIED: &[i64] = &[
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_bpf,
    libc::SYS_capset,
    libc::SYS_chroot,
    libc::SYS_connect,
    libc::SYS_delete_module,
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_finit_module,
    libc::SYS_init_module,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_mount,
    libc::SYS_open_by_handle_at,
    libc::SYS_perf_event_open,
    libc::SYS_personality,
    libc::SYS_pivot_root,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_setgid,
    libc::SYS_setgroups,
    libc::SYS_setns,
    libc::SYS_setregid,
    libc::SYS_setresgid,
    libc::SYS_setresuid,
    libc::SYS_setreuid,
    libc::SYS_setuid,
    libc::SYS_socket,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
];

/// Confines all threads of this process, for good.
///
/// # Errors
///
/// When the kernel has no such filter, or not for this kind of machine.
pub(super) fn confine() -> Result<(), String> {
    seccompiler::apply_filter_all_threads(&filter()?).map_err(|error| error.to_string())
}

fn filter() -> Result<BpfProgram, String> {
    let machine = TargetArch::try_from(std::env::consts::ARCH).map_err(|e| e.to_string())?;
    let denied = DENIED.iter().map(|call| (*call, Vec::new()));
    let denied: BTreeMap<_, _> = denied.collect();
    let refuse = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    SeccompFilter::new(denied, SeccompAction::Allow, refuse, machine)
        .and_then(BpfProgram::try_from)
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::process::Command;

    use super::*;

    #[test]
    fn a_confined_thread_still_serves_but_starts_no_program() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let client = TcpStream::connect(address).unwrap();
        // On a thread of its own: the other tests stay free.
        let (accepted, program, socket) = std::thread::spawn(move || {
            seccompiler::apply_filter(&filter().unwrap()).unwrap();
            let program = Command::new("/bin/true").status();
            (listener.accept(), program, TcpListener::bind("127.0.0.1:0"))
        })
        .join()
        .unwrap();
        assert_eq!(accepted.unwrap().1, client.local_addr().unwrap());
        for error in [program.unwrap_err(), socket.unwrap_err()] {
            assert_eq!(error.raw_os_error(), Some(libc::EPERM));
        }
    }
}
