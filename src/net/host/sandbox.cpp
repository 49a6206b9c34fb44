#include "net/host/sandbox.hpp"

#include <array>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <span>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace ecmp::net {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#else
#error "no system call table for this architecture: see docs/adr/0018"
#endif
static_assert(std::endian::native == std::endian::little, "arguments are read by their low halves");

/// Allowed whatever their arguments are.
constexpr auto kAllowed = std::to_array<std::uint32_t>({
    // The probing loop and the resolver: packets, netlink, the capture's ring, wake-ups.
    __NR_ppoll,
    __NR_sendmmsg,
    __NR_sendmsg,
    __NR_sendto,
    __NR_recvmsg,
    __NR_recvmmsg,
    __NR_recvfrom,
    __NR_getsockopt,  // libpcap: what was dropped
    __NR_setsockopt,  // libpcap: another filter when flows come and go
    __NR_read,
    __NR_write,
    __NR_readv,
    __NR_writev,
    __NR_eventfd2,
    // HTTP, its clients, TLS, DNS: connections come and go.
    __NR_accept4,
    __NR_accept,
    __NR_bind,
    __NR_connect,
    __NR_getpeername,
    __NR_getsockname,
    __NR_listen,
    __NR_shutdown,
    __NR_epoll_create1,
    __NR_epoll_ctl,
    __NR_epoll_pwait,
    __NR_pselect6,
    __NR_sendfile,
    // Files: configuration, discovery, certificates, /etc/resolv.conf, /proc/self; and the history, which writes.
    __NR_openat,
    __NR_close,
    __NR_close_range,
    __NR_dup,
    __NR_dup3,
    __NR_pipe2,
    __NR_fcntl,
    __NR_flock,
    __NR_fstat,
    __NR_newfstatat,
    __NR_statx,
    __NR_statfs,
    __NR_fstatfs,
    __NR_lseek,
    __NR_getdents64,
    __NR_faccessat,
    __NR_faccessat2,
    __NR_readlinkat,
    __NR_getcwd,
    __NR_pread64,
    __NR_preadv,
    __NR_pwrite64,
    __NR_pwritev,
    __NR_fsync,
    __NR_fdatasync,
    __NR_sync_file_range,
    __NR_ftruncate,
    __NR_fallocate,
    __NR_fadvise64,
    __NR_mkdirat,
    __NR_renameat,
    __NR_renameat2,
    __NR_unlinkat,
    __NR_fchmod,
    __NR_fchmodat,
    __NR_umask,
    __NR_inotify_init1,
    __NR_inotify_add_watch,
    __NR_inotify_rm_watch,
    __NR_memfd_create,  // databases of addresses are held in memory
    // Memory and threads; of mmap, mprotect, clone and tgkill only some, see below.
    __NR_brk,
    __NR_munmap,
    __NR_mremap,
    __NR_madvise,
    __NR_msync,
    __NR_futex,
    __NR_set_robust_list,
    __NR_get_robust_list,
    __NR_rseq,
    __NR_set_tid_address,
    __NR_membarrier,
    __NR_sched_yield,
    __NR_sched_getaffinity,
    __NR_getpriority,
    __NR_setpriority,  // the resolver yields to the probing loop
    __NR_exit,
    __NR_exit_group,
    // Signals to stop and to reload, and what follows a stop and a continue.
    __NR_rt_sigaction,
    __NR_rt_sigprocmask,
    __NR_rt_sigreturn,
    __NR_rt_sigtimedwait,
    __NR_sigaltstack,
    __NR_restart_syscall,
    // Time and facts.
    __NR_clock_gettime,
    __NR_clock_getres,
    __NR_clock_nanosleep,
    __NR_nanosleep,
    __NR_gettimeofday,
    __NR_adjtimex,       // reads how far the clock may be off: to set it takes a capability
    __NR_clock_adjtime,  // as which libc calls it
    __NR_getrandom,
    __NR_getpid,
    __NR_gettid,
    __NR_getppid,
    __NR_getuid,
    __NR_geteuid,
    __NR_getgid,
    __NR_getegid,
    __NR_getrusage,
    __NR_getcpu,
    __NR_sysinfo,
    __NR_uname,
#ifdef __x86_64__
    // Older names of the same, which newer architectures do not have.
    __NR_poll,
    __NR_select,
    __NR_epoll_wait,
    __NR_open,
    __NR_stat,
    __NR_lstat,
    __NR_access,
    __NR_readlink,
    __NR_dup2,
    __NR_mkdir,
    __NR_rmdir,
    __NR_rename,
    __NR_unlink,
    __NR_chmod,
    __NR_time,
#endif
});

/// No library comes here by chance.
constexpr auto kDeadly = std::to_array<std::uint32_t>({
    __NR_execve,           __NR_execveat,        __NR_ptrace,        __NR_bpf,
    __NR_init_module,      __NR_finit_module,    __NR_delete_module, __NR_process_vm_writev,
    __NR_process_vm_readv, __NR_kexec_load,      __NR_mount,         __NR_umount2,
    __NR_pivot_root,       __NR_chroot,          __NR_setns,         __NR_unshare,
    __NR_userfaultfd,      __NR_perf_event_open, __NR_add_key,       __NR_request_key,
    __NR_keyctl,           __NR_reboot,          __NR_swapon,        __NR_io_uring_setup,
    __NR_setuid,           __NR_setresuid,       __NR_setreuid,      __NR_setgid,
    __NR_setresgid,        __NR_setregid,        __NR_setgroups,     __NR_capset,
    __NR_personality,
});

constexpr std::uint32_t low_half(std::size_t argument) {
  return static_cast<std::uint32_t>(offsetof(seccomp_data, args) + argument * sizeof(std::uint64_t));
}

/// Writes classic BPF (Documentation/userspace-api/seccomp_filter.rst). The accumulator holds the call's number but
/// within the part that looks at one call's arguments, which always returns.
class Writer {
 public:
  void load(std::size_t offset) { add(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset)); }
  void done(std::uint32_t action) { add(BPF_RET | BPF_K, action); }
  void mask(std::uint32_t bits) { add(BPF_ALU | BPF_AND | BPF_K, bits); }
  /// Returns `action` if the accumulator is `value`.
  void done_if(std::uint32_t value, std::uint32_t action) {
    jump(BPF_JEQ, value, 0, 1);
    done(action);
  }
  void done_unless(std::uint32_t value, std::uint32_t action) {
    jump(BPF_JEQ, value, 1, 0);
    done(action);
  }
  void done_from(std::uint32_t value, std::uint32_t action) {
    jump(BPF_JGE, value, 0, 1);
    done(action);
  }

  /// One call whose arguments decide: `body` has to return in every case.
  template <typename Body>
  void call(std::uint32_t number, const Body& body) {
    const std::size_t at = program_.size();
    jump(BPF_JEQ, number, 0, 0);
    body();
    program_[at].jf = static_cast<std::uint8_t>(program_.size() - at - 1);
  }
  /// One of the low halves of `argument` that are in `values` is allowed, everything else gets `action`.
  void call_with(std::uint32_t number, std::size_t argument, std::span<const std::uint32_t> values,
                 std::uint32_t action) {
    call(number, [&] {
      load(low_half(argument));
      for (const std::uint32_t value : values)
        done_if(value, SECCOMP_RET_ALLOW);
      done(action);
    });
  }

  std::vector<sock_filter> take() { return std::move(program_); }

 private:
  void add(int code, std::uint32_t operand) { program_.push_back({static_cast<std::uint16_t>(code), 0, 0, operand}); }
  void jump(int condition, std::uint32_t operand, std::uint8_t yes, std::uint8_t no) {
    program_.push_back({static_cast<std::uint16_t>(BPF_JMP | condition | BPF_K), yes, no, operand});
  }

  std::vector<sock_filter> program_;
};

constexpr std::uint32_t failing(std::uint32_t error_number) {
  return SECCOMP_RET_ERRNO | error_number;
}

void write_argument_rules(Writer& writer, std::uint32_t otherwise) {
  // No new packet sockets (what we have was opened before), none of the kernel's less trodden families.
  constexpr auto kFamilies = std::to_array<std::uint32_t>({AF_INET, AF_INET6, AF_UNIX, AF_NETLINK});
  writer.call_with(__NR_socket, 0, kFamilies, failing(EAFNOSUPPORT));
  // libraries that wake their own threads
  constexpr auto kPairs = std::to_array<std::uint32_t>({AF_UNIX});
  writer.call_with(__NR_socketpair, 0, kPairs, failing(EAFNOSUPPORT));
  // Memory is writable or runs, never both. A library that is loaded later (NSS, OpenSSL's providers) is mapped from
  // its file, readable and executable.
  for (const std::uint32_t number : {std::uint32_t{__NR_mmap}, std::uint32_t{__NR_mprotect}}) {
    writer.call(number, [&] {
      writer.load(low_half(2));
      writer.mask(number == __NR_mmap ? PROT_EXEC | PROT_WRITE : PROT_EXEC);
      writer.done_if(number == __NR_mmap ? PROT_EXEC | PROT_WRITE : PROT_EXEC, failing(EPERM));
      writer.done(SECCOMP_RET_ALLOW);
    });
  }
  // Threads, no processes. clone3 passes its flags where no filter can look: libc falls back to clone.
  writer.call(__NR_clone, [&] {
    writer.load(low_half(0));
    writer.mask(CLONE_THREAD | CLONE_VM);
    writer.done_if(CLONE_THREAD | CLONE_VM, SECCOMP_RET_ALLOW);
    writer.done(failing(EPERM));
  });
  writer.done_if(__NR_clone3, failing(ENOSYS));
  // abort() and assert() signal their own process.
  const std::array<std::uint32_t, 1> self = {static_cast<std::uint32_t>(::getpid())};
  writer.call_with(__NR_tgkill, 0, self, failing(EPERM));
  // Limits are read, not set (prlimit64 with a new limit), and of ourselves only.
  writer.call(__NR_prlimit64, [&] {
    writer.load(low_half(2));
    writer.done_unless(0, failing(EPERM));
    writer.load(low_half(2) + sizeof(std::uint32_t));
    writer.done_unless(0, failing(EPERM));
    writer.done(SECCOMP_RET_ALLOW);
  });
  // TCGETS: is standard output a terminal? SIOCGIFINDEX, FIONREAD, FIONBIO: c-ares and libc.
  constexpr auto kRequests = std::to_array<std::uint32_t>({TCGETS, SIOCGIFINDEX, FIONREAD, FIONBIO});
  writer.call_with(__NR_ioctl, 1, kRequests, failing(ENOTTY));
  // Names of threads and mappings; and what our own facts are read by.
  constexpr auto kOptions = std::to_array<std::uint32_t>(
      {PR_SET_NAME, PR_GET_NAME, PR_SET_VMA, PR_SET_TIMERSLACK, PR_GET_DUMPABLE, PR_CAPBSET_READ});
  writer.call_with(__NR_prctl, 0, kOptions, failing(EPERM));
  writer.done(otherwise);
}

}  // namespace

std::vector<sock_filter> sandbox_program(Sandbox mode) {
  Writer writer;
  writer.load(offsetof(seccomp_data, arch));
  writer.done_unless(kArchitecture, SECCOMP_RET_KILL_PROCESS);
  writer.load(offsetof(seccomp_data, nr));
#ifdef __x86_64__
  // The x32 table has the same architecture and other numbers.
  writer.done_from(0x40000000, SECCOMP_RET_KILL_PROCESS);
#endif
  for (const std::uint32_t number : kAllowed)
    writer.done_if(number, SECCOMP_RET_ALLOW);
  for (const std::uint32_t number : kDeadly)
    writer.done_if(number, SECCOMP_RET_KILL_PROCESS);
  write_argument_rules(writer, mode == Sandbox::kill ? SECCOMP_RET_KILL_PROCESS : failing(ENOSYS));
  return writer.take();
}

std::optional<Error> enter_sandbox(Sandbox mode) {
  if (mode == Sandbox::off || !kSandboxBuilt) return std::nullopt;
  std::vector<sock_filter> program = sandbox_program(mode);
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter) != 0) {
    return Error{std::string("cannot filter system calls: ") + strerror(errno) + " (--sandbox=off goes without)"};
  }
  return std::nullopt;
}

}  // namespace ecmp::net
