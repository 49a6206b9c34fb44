#include <cstdio>
#include <exception>

#include "agent/process_usage.hpp"
#include "trace/trace.hpp"
#include "trace/trace_command_line.hpp"

int main(int argc, char** argv) {
  ecmp::hold_standard_descriptors();
  const auto command_line = ecmp::parse_trace_command_line(argc, argv);
  if (const auto* exit = std::get_if<ecmp::EarlyExit>(&command_line)) return ecmp::take_leave(*exit);
  try {
    return ecmp::run_trace(std::get<ecmp::TraceRequest>(command_line));
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "Error: %s\n", failure.what());
    return 1;
  }
}
