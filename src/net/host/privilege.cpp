#include "net/host/privilege.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <system_error>
#include <unistd.h>
#include <vector>

#include "net/host/regular_file.hpp"

namespace ecmp::net {
namespace {

constexpr std::size_t kLargestStatus = std::size_t{64} << 10;

/// By number (linux/capability.h).
constexpr auto kCapabilities = std::to_array<std::string_view>({"chown",
                                                                "dac_override",
                                                                "dac_read_search",
                                                                "fowner",
                                                                "fsetid",
                                                                "kill",
                                                                "setgid",
                                                                "setuid",
                                                                "setpcap",
                                                                "linux_immutable",
                                                                "net_bind_service",
                                                                "net_broadcast",
                                                                "net_admin",
                                                                "net_raw",
                                                                "ipc_lock",
                                                                "ipc_owner",
                                                                "sys_module",
                                                                "sys_rawio",
                                                                "sys_chroot",
                                                                "sys_ptrace",
                                                                "sys_pacct",
                                                                "sys_admin",
                                                                "sys_boot",
                                                                "sys_nice",
                                                                "sys_resource",
                                                                "sys_time",
                                                                "sys_tty_config",
                                                                "mknod",
                                                                "lease",
                                                                "audit_write",
                                                                "audit_control",
                                                                "setfcap",
                                                                "mac_override",
                                                                "mac_admin",
                                                                "syslog",
                                                                "wake_alarm",
                                                                "block_suspend",
                                                                "audit_read",
                                                                "perfmon",
                                                                "bpf",
                                                                "checkpoint_restore"});
static_assert(kCapabilities.size() == CAP_CHECKPOINT_RESTORE + 1);

Error failure(const std::string& what) {
  return Error{what + ": " + strerror(errno)};
}

struct Account {
  uid_t uid = 0;
  gid_t gid = 0;
};

Result<Account> find_account(const std::string& user) {
  std::array<char, 16384> text{};
  passwd entry{};
  passwd* found = nullptr;
  const int error = ::getpwnam_r(user.c_str(), &entry, text.data(), text.size(), &found);
  if (found == nullptr) {
    return Error{"--user=" + user + ": " + (error == 0 ? std::string("there is no such user") : strerror(error))};
  }
  return Account{entry.pw_uid, entry.pw_gid};
}

std::optional<Error> become(const std::string& user, const Account& account) {
  // Groups first: whoever is not root any more cannot change them.
  const bool done = ::initgroups(user.c_str(), account.gid) == 0 &&
                    ::setresgid(account.gid, account.gid, account.gid) == 0 &&
                    ::setresuid(account.uid, account.uid, account.uid) == 0;
  if (!done) return failure("--user=" + user + ": cannot become that user");
  return std::nullopt;
}

void shrink_bounding_set() {
  // Best effort, needs CAP_SETPCAP. With no_new_privs nothing could be got back by it anyway; root's uid gives no
  // capabilities then either.
  for (unsigned long capability = 0; ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability)
    (void)::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
  (void)::prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
                                       SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED | SECBIT_KEEP_CAPS_LOCKED);
}

bool clear_capabilities() {
  (void)::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> none{};
  return ::syscall(SYS_capset, &header, none.data()) == 0;
}

/// What stands behind "NAME:" and blanks, up to the end of the line.
std::optional<std::string_view> field(std::string_view text, std::string_view name) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    at = end + 1;
    if (!line.starts_with(name) || line.size() <= name.size() || line[name.size()] != ':') continue;
    line.remove_prefix(name.size() + 1);
    const std::size_t begin = line.find_first_not_of(" \t");
    return begin == std::string_view::npos ? std::string_view() : line.substr(begin);
  }
  return std::nullopt;
}

std::string names_of(std::uint64_t set) {
  std::string names;
  for (unsigned i = 0; i < 64; ++i) {
    if ((set >> i & 1) == 0) continue;
    if (!names.empty()) names += ',';
    names += i < kCapabilities.size() ? std::string(kCapabilities[i]) : std::to_string(i);
  }
  return names.empty() ? "none" : names;
}

}  // namespace

std::string open_failure(const std::string& what, int error_number) {
  if (error_number != EPERM && error_number != EACCES) return what + ": " + strerror(error_number);
  std::array<char, 4096> path{};
  const ssize_t size = ::readlink("/proc/self/exe", path.data(), path.size());
  const std::string program = size > 0 ? std::string(path.data(), static_cast<std::size_t>(size)) : "PROGRAM";
  return what + ": needs CAP_NET_RAW: run as root, or `setcap cap_net_raw+ep " + program + "`";
}

std::optional<std::size_t> count_threads() {
  std::error_code error;
  const std::filesystem::directory_iterator tasks("/proc/self/task", error);
  if (error) return std::nullopt;
  return static_cast<std::size_t>(std::distance(begin(tasks), end(tasks)));
}

std::optional<Error> drop_privileges(const std::string& user) {
#ifndef __SANITIZE_THREAD__  // which has a thread of its own
  if (const auto threads = count_threads(); threads && *threads > 1) {
    return Error{"cannot drop capabilities: there are " + std::to_string(*threads) +
                 " threads already, each with its own"};
  }
#endif
  std::optional<Account> account;
  if (!user.empty()) {
    auto found = find_account(user);
    if (!found.ok()) return Error{found.error()};
    account = *found;
  }
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failure("cannot set no_new_privs");
  shrink_bounding_set();
  if (account) {
    if (auto error = become(user, *account)) return error;
  }
  if (!clear_capabilities()) return failure("cannot drop capabilities");
  return std::nullopt;
}

std::optional<Privileges> parse_status(std::string_view text) {
  const auto uid = field(text, "Uid"), effective = field(text, "CapEff");
  const auto no_new_privs = field(text, "NoNewPrivs"), seccomp = field(text, "Seccomp");
  if (!uid || !effective || !no_new_privs) return std::nullopt;
  std::uint64_t set = 0;
  const auto [end, error] = std::from_chars(effective->data(), effective->data() + effective->size(), set, 16);
  if (error != std::errc{} || end != effective->data() + effective->size()) return std::nullopt;
  Privileges found;
  // Real, effective, saved and file system's: the second is what files are opened with.
  const std::size_t begin = std::min(uid->find('\t'), uid->size());
  const std::string_view rest = uid->substr(begin == uid->size() ? 0 : begin + 1);
  found.user = std::string(rest.substr(0, rest.find_first_not_of("0123456789")));
  found.capabilities = names_of(set);
  found.capability_set = set;
  found.no_new_privs = *no_new_privs == "1";
  found.seccomp = seccomp == "2" ? "filter" : seccomp == "1" ? "strict" : "off";
  return found;
}

std::optional<Privileges> read_privileges() {
  std::optional<Privileges> found;
  std::error_code error;
  for (std::filesystem::directory_iterator task("/proc/self/task", error), end; !error && task != end;
       task.increment(error)) {
    const auto text = read_file_or_pipe((task->path() / "status").string(), kLargestStatus);
    const auto one = text.ok() ? parse_status(*text) : std::nullopt;
    if (!one) continue;
    if (!found) {
      found = one;
      continue;
    }
    found->capability_set |= one->capability_set;
    found->no_new_privs = found->no_new_privs && one->no_new_privs;
    if (one->seccomp == "off") found->seccomp = one->seccomp;
  }
  if (!found) return std::nullopt;
  found->capabilities = names_of(found->capability_set);
  std::array<char, 16384> text{};
  passwd entry{};
  passwd* account = nullptr;
  if (::getpwuid_r(::geteuid(), &entry, text.data(), text.size(), &account) == 0 && account != nullptr)
    found->user = account->pw_name;
  return found;
}

}  // namespace ecmp::net
