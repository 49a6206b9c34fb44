# bash completion of ecmp_trace: made from the option table in src/trace/trace_options.cpp by the program trace_doc; edit the table, not this file
_ecmp_trace() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  # "--name=value" comes as three words.
  if [[ $current == "=" ]]; then
    current=
  elif [[ $previous == "=" ]]; then
    previous=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  COMPREPLY=()
  case $previous in
    -j|--json-file|--replay|--asn-database|--city-database|-l|--log|--simulate)
      compopt -o filenames 2> /dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      return ;;
    --flows)
      mapfile -t COMPREPLY < <(compgen -W 'auto' -- "$current")
      return ;;
    --interface)
      mapfile -t COMPREPLY < <(cd /sys/class/net && compgen -f -- "$current")
      return ;;
    --diagram)
      mapfile -t COMPREPLY < <(compgen -W 'ascii utf8 dot svg' -- "$current")
      return ;;
    --find)
      mapfile -t COMPREPLY < <(compgen -W 'loss' -- "$current")
      return ;;
    --hash-algorithm)
      mapfile -t COMPREPLY < <(compgen -W 'crc32 sha256' -- "$current")
      return ;;
    --log-level)
      mapfile -t COMPREPLY < <(compgen -W 'debug info warn error' -- "$current")
      return ;;
    -p|--dest-port|-s|--source-port|-P|--parallel-probes|--confidence|--max-flows|--p-min|-m|--max-ttl|--source-address|--fwmark|-c|--count|-i|--inter-ttl-delay|-d|--inter-probe-delay|-t|--timeout|--seed)
      return ;;
  esac
  if [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W '-T --tcp -U --udp -I --icmp --stamp -4 --ipv4 -6 --ipv6 -p --dest-port -s --source-port -P --parallel-probes --flows --confidence --max-flows --p-min -m --max-ttl --source-address --interface --fwmark -c --count -i --inter-ttl-delay -d --inter-probe-delay -t --timeout -J --json -j --json-file --report --diagram --find --replay -n --no-resolve --asn-database --city-database --hash-algorithm -l --log --log-level --simulate --seed -v --version -h --help' -- "$current")
  else
    mapfile -t COMPREPLY < <(compgen -A hostname -- "$current")
  fi
}
complete -F _ecmp_trace ecmp_trace
