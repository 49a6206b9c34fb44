// What daemons leave in the kernel, as their sources have it, and what the kernel itself has before any of them ran.
#include "net/host/clock_error.hpp"

#include <string>

#include "catch.hpp"

using namespace ecmp;
using namespace ecmp::net;
using namespace std::chrono_literals;

namespace {

timex state_of(int status, long maxerror, long esterror) {
  timex state{};
  state.status = status;
  state.maxerror = maxerror;
  state.esterror = esterror;
  return state;
}

}  // namespace

TEST_CASE("A clock that a daemon keeps and estimates is off by what that daemon says", "[clock]") {
  CHECK(clock_error_of(state_of(STA_PLL | STA_NANO, 2500, 40), TIME_OK) == 2500us);  // ntpd: bound and jitter
  CHECK(clock_error_of(state_of(0, 700, 900), TIME_OK) == 900us);
  CHECK(clock_error_of(state_of(0, 700, 100), TIME_INS) == 700us);  // a leap second is near
  timex slewing = state_of(STA_PLL, 1000, 10);
  slewing.offset = -300;  // microseconds, unless STA_NANO says otherwise
  CHECK(clock_error_of(slewing, TIME_OK) == 1300us);
  slewing.status |= STA_NANO;
  CHECK(clock_error_of(slewing, TIME_OK) == 1000300ns);
}

TEST_CASE("A clock that nobody keeps, or whose error nobody estimates, is not synchronised", "[clock]") {
  CHECK_FALSE(clock_error_of(state_of(STA_UNSYNC, 16000000, 16000000), TIME_ERROR));  // after a boot
  CHECK_FALSE(clock_error_of(state_of(STA_UNSYNC, 100, 100), TIME_OK));
  CHECK_FALSE(clock_error_of(state_of(STA_CLOCKERR, 100, 100), TIME_OK));
  CHECK_FALSE(clock_error_of(state_of(STA_PLL | STA_NANO, 12000, 0), TIME_OK));  // systemd-timesyncd
  CHECK_FALSE(clock_error_of(state_of(0, 0, 16000000), TIME_OK));                // phc2sys
  CHECK_FALSE(clock_error_of(state_of(0, 16000000, 100), TIME_OK));
  CHECK_FALSE(clock_error_of(state_of(0, 100, 100), -1));  // a filter of system calls forbids it
}

TEST_CASE("An NTP server is looked for before it is asked", "[clock]") {
  // As proc(5) has it, on a little-endian machine: addresses are in the order of memory.
  const std::string head = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n";
  const auto line = [](const char* local) {
    return std::string("  293: ") + local + " 00000000:0000 07 00000000:00000000 00:00000000 00000000     0\n";
  };
  CHECK(has_ntp_server(head + line("0100007F:0143") + line("0100007F:007B")));
  CHECK(has_ntp_server(head + line("00000000:007B")));
  CHECK_FALSE(has_ntp_server(head));
  CHECK_FALSE(has_ntp_server(head + line("0100007F:0143")));  // chronyd's command port
  CHECK_FALSE(has_ntp_server(head + line("0A00000A:007B")));  // at another address alone
  CHECK_FALSE(has_ntp_server("  293: 0100007F:007"));
  CHECK_FALSE(has_ntp_server(""));
}
