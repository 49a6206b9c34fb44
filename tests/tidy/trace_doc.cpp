// Writes what is made of ecmp_trace's option table and of the keys of its live view: the manual and the completions of
// shells. `trace_doc ROOT` says whether the files below ROOT are that text, `trace_doc --write ROOT` writes them.

#include <algorithm>
#include <fmt/format.h>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "trace/trace_options.hpp"
#include "tui/key_table.hpp"

namespace {

using ecmp::TraceOption;
using ecmp::TraceValue;

constexpr std::string_view kMadeBy =
    "made from the option table in src/trace/trace_options.cpp by the program trace_doc; edit the table, not this file";

std::string replaced(std::string_view text, char what, std::string_view with) {
  std::string out;
  for (const char character : text) {
    if (character == what) {
      out += with;
    } else {
      out += character;
    }
  }
  return out;
}

/// What a shell can be told in one line: the first sentence.
std::string brief(const TraceOption& option) {
  const std::string_view help = option.help;
  return std::string(help.substr(0, std::min(help.find(". "), std::min(help.find(": "), help.find(';')))));
}

std::string names(const TraceOption& option, std::string_view separator) {
  const std::string letter = option.letter != 0 ? fmt::format("-{}{}", option.letter, separator) : "";
  return fmt::format("{}--{}", letter, option.name);
}

// --- the manual
// --------------------------------------------------------------------------------------------------------

std::string roff(std::string_view text) {
  const std::string escaped = replaced(replaced(text, '\\', "\\e"), '-', "\\-");
  return escaped.starts_with('.') || escaped.starts_with('\'') ? "\\&" + escaped : escaped;
}

void append_option(std::string& out, const TraceOption& option) {
  out += ".TP\n";
  if (option.letter != 0) out += fmt::format("\\fB\\-{}\\fR, ", option.letter);
  out += fmt::format("\\fB\\-\\-{}\\fR", roff(option.name));
  if (!option.value.empty()) out += fmt::format(" \\fI{}\\fR", roff(option.value));
  out += fmt::format("\n{}", roff(option.help));
  if (option.kind == TraceValue::words && option.name != "flows") out += ": " + replaced(option.words, ' ', ", ");
  out += ".\n";
  if (!option.otherwise.empty()) out += fmt::format("Default: {}.\n", roff(option.otherwise));
}

constexpr std::string_view kManualHead = R"(.TH ECMP_TRACE 1 "2026-11-23" "ecmp_exporter" "User Commands"
.SH NAME
ecmp_trace \- trace the parallel paths to a destination
.SH SYNOPSIS
.B ecmp_trace
.RI [ OPTION ]...
.I DESTINATION
.SH DESCRIPTION
.B ecmp_trace
follows the paths to
.IR DESTINATION ,
an address or a name, with several flows at a time.
A flow is a fixed set of the header values that routers hash: addresses, protocol and ports.
Each flow has a source port of its own, so that routers with several equal\-cost next hops keep it on one path, and
different flows on different ones.
Every round sends one probe for each TTL of a flow, and tells what became of it.
.PP
Without
.BR \-\-json ,
.B \-\-report
and
.B \-\-diagram
a live view fills the terminal, until
.B q
or Ctrl\-C ends it.
A summary is printed at the end; with
.B \-\-json
to standard error.
.PP
A hop that does not answer while a later hop of the same round does is
.IR silent :
routers limit how often they answer, and this says nothing about the traffic.
One that was found to do so is asked only as often as it answers, and marked
.IR limited .
.I Loss
means that nothing at a hop or beyond it answered.
.SH OPTIONS
)";

constexpr std::string_view kManualTail = R"(.SH JSON LINES
Each line is an object for one finished round of one flow.
.B probe_id
is the flow, from 0;
.B probe_num
its round, from 0;
.B path_hash
a hash of the addresses of its path;
.BR source_ip ,
.BR source_port ,
.BR destination_ip ,
.B destination_port
and
.B protocol
what routers hash;
.B destination_ptr
the name of the address;
.B reached_dest
whether the destination answered in this round;
.B timestamp
when the round began.
.B hops
has an object for each TTL:
.BR ttl ,
.B ip
and its name
.B ptr
(empty if nobody answered),
.B rtt
in microseconds and
.B rtt_ns
in nanoseconds,
.BR timeout ,
.B silent
and, only where it holds,
.B limited
(see above),
.B recv_time
(when the reply came),
.B reply
(what kind it was),
.B reply_ttl
and
.BR mpls .
.B path
is an identifier of the path that tells unknown hops apart,
.B path_ordinal
its number in order of appearance,
.B changed
the kind of a change of path that this round confirms,
.B loss
whether the round was lost, and
.B window
the figures of the path over the last five minutes.
.SH EXIT STATUS
.TP
.B 0
The end was reached, or asked for; also when the destination was not reached.
.TP
.B 1
A failure: no privilege, a name without address, a file that cannot be written.
Values that make no sense.
.TP
.B 2
Arguments that cannot be understood.
.SH PRIVILEGE
Sending probes needs CAP_NET_RAW and nothing else.
.B ecmp_trace
may be run as root, or be given that capability:
.PP
.RS
.EX
setcap cap_net_raw+ep /usr/bin/ecmp_trace
.EE
.RE
.SH ENVIRONMENT
.TP
.BR TERM ", " COLORTERM
What the terminal can show: 256 colours, or all of them if COLORTERM is
.IR truecolor .
.TP
.B NO_COLOR
If set and not empty, the view has no colours.
.TP
.BR LC_ALL ", " LC_CTYPE ", " LANG
The view draws with ASCII characters unless the locale says UTF\-8.
.SH EXAMPLES
Watch sixteen flows to the HTTPS port of a host:
.PP
.RS
.EX
ecmp_trace \-P16 www.example.com
.EE
.RE
.PP
Keep what they see, without a screen:
.PP
.RS
.EX
ecmp_trace \-U \-P16 \-J 192.0.2.1 > rounds.json
.EE
.RE
.PP
A picture of the paths:
.PP
.RS
.EX
ecmp_trace \-P32 \-c3 \-\-diagram svg 2001:db8::1 > fan.svg
.EE
.RE
.SH SEE ALSO
.BR traceroute (1),
.BR mtr (8),
.BR setcap (8)
)";

std::string manual() {
  std::string out = fmt::format(".\\\" {}\n{}", kMadeBy, kManualHead);
  const ecmp::TraceSection* section = nullptr;
  for (const TraceOption& option : ecmp::trace_options()) {
    if (section == nullptr || *section != option.section) out += fmt::format(".SS {}\n", title_of(option.section));
    section = &option.section;
    append_option(out, option);
  }
  out += "A time is a sum of numbers with units, such as 500ms, 1.5s or 1m30s.\n.SH KEYS OF THE LIVE VIEW\n";
  for (const ecmp::tui::Binding& binding : ecmp::tui::bindings())
    out += fmt::format(".TP\n\\fB{}\\fR\n{}\n", roff(binding.key_names()), roff(binding.does));
  return out.append(kManualTail);
}

// --- completions
// -------------------------------------------------------------------------------------------------------

std::string bash() {
  std::string files, nothing, words, all;
  for (const TraceOption& option : ecmp::trace_options()) {
    all += (all.empty() ? "" : " ") + names(option, " ");
    if (option.value.empty()) continue;
    if (option.kind == TraceValue::words) {
      words +=
          fmt::format("    {})\n      mapfile -t COMPREPLY < <(compgen -W '{}' -- \"$current\")\n      return ;;\n",
                      names(option, "|"), option.words);
    } else if (option.kind == TraceValue::interface) {
      words += fmt::format(
          "    {})\n      mapfile -t COMPREPLY < <(cd /sys/class/net && compgen -f -- \"$current\")\n      return ;;\n",
          names(option, "|"));
    } else {
      std::string& list = option.kind == TraceValue::file ? files : nothing;
      list += (list.empty() ? "" : "|") + names(option, "|");
    }
  }
  return fmt::format(R"(# bash completion of ecmp_trace: {}
_ecmp_trace() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD - 1]}}
  # "--name=value" comes as three words.
  if [[ $current == "=" ]]; then
    current=
  elif [[ $previous == "=" ]]; then
    previous=${{COMP_WORDS[COMP_CWORD - 2]}}
  fi
  COMPREPLY=()
  case $previous in
    {})
      compopt -o filenames 2> /dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      return ;;
{}    {})
      return ;;
  esac
  if [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W '{}' -- "$current")
  else
    mapfile -t COMPREPLY < <(compgen -A hostname -- "$current")
  fi
}}
complete -F _ecmp_trace ecmp_trace
)",
                     kMadeBy, files, words, nothing, all);
}

std::string zsh_action(const TraceOption& option) {
  switch (option.kind) {
    case TraceValue::words:
      return fmt::format("({})", option.words);
    case TraceValue::file:
      return "_files";
    case TraceValue::interface:
      return "_net_interfaces";
    case TraceValue::none:
    case TraceValue::number:
    case TraceValue::duration:
    case TraceValue::port:
    case TraceValue::address:
      break;
  }
  return " ";
}

std::string zsh() {
  std::string out = fmt::format("#compdef ecmp_trace\n# {}\n_arguments -s -S \\\n", kMadeBy);
  for (const TraceOption& option : ecmp::trace_options()) {
    const std::string text = replaced(replaced(brief(option), '\'', "'\\''"), ':', "\\:");
    const std::string both =
        option.letter != 0 ? fmt::format("'({})'{{{}}}", names(option, " "), names(option, ",")) : names(option, "");
    // An '=' behind a long name: its value may come in the same word.
    const std::string value =
        option.value.empty() ? "" : fmt::format(":{}:{}", replaced(option.value, '|', " or "), zsh_action(option));
    out += fmt::format("  {}'[{}]{}' \\\n", both, text, value);
  }
  return out + "  '1:destination:_hosts'\n";
}

std::string fish() {
  std::string out = fmt::format("# fish completion of ecmp_trace: {}\ncomplete -c ecmp_trace -f\n", kMadeBy);
  out += "complete -c ecmp_trace -a '(__fish_print_hostnames)'\n";
  for (const TraceOption& option : ecmp::trace_options()) {
    out += "complete -c ecmp_trace";
    if (option.letter != 0) out += fmt::format(" -s {}", option.letter);
    out += fmt::format(" -l {}", option.name);
    if (option.kind == TraceValue::words) out += fmt::format(" -x -a '{}'", option.words);
    if (option.kind == TraceValue::interface) out += " -x -a '(__fish_print_interfaces)'";
    if (option.kind == TraceValue::file) out += " -r -F";
    if (!option.value.empty() && option.kind != TraceValue::words && option.kind != TraceValue::file &&
        option.kind != TraceValue::interface)
      out += " -x";
    out += fmt::format(" -d '{}'\n", replaced(brief(option), '\'', "\\'"));
  }
  return out;
}

struct Document {
  std::string_view path;
  std::string text;
};

std::vector<Document> documents() {
  return {{"docs/ecmp_trace.1", manual()},
          {"packaging/completions/ecmp_trace.bash", bash()},
          {"packaging/completions/_ecmp_trace", zsh()},
          {"packaging/completions/ecmp_trace.fish", fish()}};
}

int compare(const std::string& root) {
  int differing = 0;
  for (const Document& document : documents()) {
    const std::string path = fmt::format("{}/{}", root, document.path);
    std::ifstream stream(path, std::ios::binary);
    const std::string found((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
    if (stream && found == document.text) continue;
    const auto differs = std::mismatch(found.begin(), found.end(), document.text.begin(), document.text.end()).first;
    std::cerr << path << ":" << 1 + std::count(found.begin(), differs, '\n')
              << ": not what the option table says; write it anew with trace_doc --write\n";
    differing = 1;
  }
  return differing;
}

int write(const std::string& root) {
  for (const Document& document : documents()) {
    std::ofstream stream(fmt::format("{}/{}", root, document.path), std::ios::binary);
    stream << document.text;
    if (!stream.flush()) {
      std::cerr << document.path << ": cannot be written\n";
      return 1;
    }
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2) return compare(argv[1]);
  if (argc == 3 && argv[1] == std::string_view("--write")) return write(argv[2]);
  std::cerr << "usage: trace_doc [--write] ROOT\n";
  return 2;
}
