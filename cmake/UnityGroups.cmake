# Files that are compiled as one, see Unity.cmake.
ecmp_unity_group(shell src/agent config_file.cpp history/history_store.cpp memory.cpp one_off/one_off.cpp
  http/page_routes.cpp http/paths_query.cpp process_usage.cpp http/web.cpp http/web_access.cpp)
ecmp_unity_group(shell src agent/history/event_log.cpp trace/line_output.cpp agent/log.cpp agent/own_metrics.cpp
  agent/one_off/probe_answers.cpp trace/round_queue.cpp agent/secret.cpp trace/trace_session.cpp
  agent/http/web_config_file.cpp)
ecmp_unity_group(shell src agent/agent.cpp agent/names/asn_file.cpp agent/history/history_files.cpp
  agent/history/path_names_file.cpp agent/http/scrape_stream.cpp trace/simulated_trace_network.cpp
  trace/trace_command_line.cpp trace/trace_network.cpp)
ecmp_unity_group(shell src agent/http/family_writer.cpp agent/http/graph_answers.cpp agent/discovery/http_poll.cpp
  agent/one_off/one_off_desk.cpp agent/history/round_log.cpp trace/trace.cpp trace/trace_options.cpp
  agent/tracing/tracing_change.cpp agent/tracing/tracing_search.cpp)
ecmp_unity_group(shell src agent/http/config_routes.cpp agent/discovery/discovery.cpp
  agent/history/history_segment.cpp agent/tracing/localiser.cpp agent/names/names.cpp agent/reload.cpp
  trace/stop_signals.cpp agent/http/topology_query.cpp agent/tracing/tracing.cpp)
ecmp_unity_group(core src/base compact.cpp ip_address.cpp sha256.cpp siphash.cpp url.cpp)
ecmp_unity_group(core src/config cross_checks.cpp document.cpp listen_address.cpp modules.cpp shard.cpp text.cpp
  write.cpp yaml_document.cpp)
ecmp_unity_group(core src/config config.cpp destinations.cpp json_document.cpp lexical_check.cpp reader.cpp
  web_config.cpp)
ecmp_unity_group(core src/config changes.cpp discovery.cpp networks.cpp probe_keys.cpp quantity.cpp reflector_section.cpp sections.cpp
  selection.cpp)
ecmp_unity_group(shell src/net probe_io/clock_mapping.cpp host/file_watch.cpp http/http_fetch.cpp
  dns/resolver_reply.cpp routing/route_lookup.cpp host/sandbox.cpp)
ecmp_unity_group(shell src/net probe_io/capture.cpp http/http_head.cpp http/http_routes.cpp http/listen_socket.cpp
  dns/name_cache.cpp host/privilege.cpp probe_io/raw_sender.cpp probe_io/send_failure.cpp http/tls_wire.cpp)
ecmp_unity_group(shell src/net probe_io/held_ports.cpp http/http_socket.cpp routing/neighbour_table.cpp
  probe_io/repeated_frames.cpp routing/route_table.cpp http/tls_context.cpp)
ecmp_unity_group(shell src/net http/http_answer.cpp http/http_encoding.cpp http/http_password.cpp http/http_server.cpp
  probe_io/loopback_direction.cpp routing/netlink_socket.cpp probe_io/packet_sender.cpp dns/resolver.cpp)
ecmp_unity_group(core src/packet checksum.cpp icmp_extension.cpp ip_view.cpp message.cpp probe_datagram.cpp quote.cpp
  reply_kind.cpp)
ecmp_unity_group(core src/path localisation/balance.cpp model/destination_model.cpp statistics/histogram.cpp
  statistics/intervals.cpp model/origin_table.cpp model/path_names.cpp statistics/view_sums.cpp)
ecmp_unity_group(core src/path model/ledger.cpp localisation/link_delay.cpp localisation/localisation.cpp
  localisation/loss_begin.cpp localisation/loss_run.cpp model/path_content.cpp statistics/statistics.cpp
  statistics/window.cpp)
ecmp_unity_group(core src/path model/change.cpp model/event_gathering.cpp model/flow_view.cpp history/history.cpp
  history/history_decode.cpp model/icmp_limit.cpp localisation/localisation_hops.cpp model/sightings.cpp)
ecmp_unity_group(core src/path localisation/balance_watch.cpp search/flow_cover.cpp history/history_block.cpp
  localisation/loss_explanation.cpp search/path_search.cpp model/quote_findings.cpp search/stopping_rule.cpp)
ecmp_unity_group(core src/path localisation/crossings.cpp localisation/flow_graph.cpp
  statistics/flow_jitter.cpp statistics/flow_tally.cpp history/history_codec.cpp localisation/link_estimators.cpp
  model/path_registry.cpp)
ecmp_unity_group(core src/probe codec.cpp drive.cpp engine.cpp engine_receive.cpp)
ecmp_unity_group(core src/probe engine_send.cpp engine_streams.cpp live_round.cpp responder_pacing.cpp)
ecmp_unity_group(core src/render metrics/exposition.cpp fan/fan_order.cpp fan/fan_text.cpp figures.cpp
  json/json_parts.cpp json/path_hash.cpp metrics/series_labels.cpp json/topology.cpp)
ecmp_unity_group(core src/render metrics/accept.cpp fan/diagram_svg.cpp fan/diagram_text.cpp metrics/encoder.cpp
  fan/fan_tree.cpp json/ndjson.cpp report/search_text.cpp json/verdict_json.cpp)
ecmp_unity_group(core src/render fan/diagram.cpp fan/diagram_dot.cpp fan/fan.cpp report/page.cpp
  metrics/series.cpp report/trace_report.cpp)
ecmp_unity_group(core src/render append.cpp json/event_json.cpp report/find_report.cpp metrics/metric_table.cpp
  metrics/protobuf_encoder.cpp fan/svg_layout.cpp metrics/text_encoder.cpp)
ecmp_unity_group(simulation src/sim network.cpp packet_pool.cpp router.cpp scenario_fields.cpp topology.cpp wires.cpp)
ecmp_unity_group(simulation src/sim checksums.cpp destination.cpp oracle.cpp random.cpp scenario.cpp wire.cpp)
ecmp_unity_group(core src/stamp hmac.cpp key.cpp oneway_delay.cpp own_tlv.cpp packet.cpp rate_cells.cpp reflected_tlvs.cpp
  reflector.cpp session_table.cpp tlv.cpp)
ecmp_unity_group(core src/tui cells.cpp columns.cpp detail_view.cpp fan_tree.cpp figures.cpp)
ecmp_unity_group(core src/tui fan_view.cpp glyphs.cpp keys.cpp screen_writer.cpp text.cpp)
ecmp_unity_group(core src/tui help_view.cpp key_table.cpp live_view.cpp scene.cpp summary_view.cpp)
ecmp_unity_group(shell src/tui live_screen.cpp terminal.cpp)
ecmp_unity_group(unit_tests tests/unit/agent discovery_test.cpp one_off_test.cpp paths_query_test.cpp
  round_queue_test.cpp trace_command_line_test.cpp web_access_test.cpp)
ecmp_unity_group(unit_tests tests/unit/agent command_line_test.cpp history_files_test.cpp line_output_test.cpp
  own_metrics_test.cpp page_routes_test.cpp web_test.cpp)
ecmp_unity_group(unit_tests tests/unit/agent event_log_test.cpp graph_answers_test.cpp history_store_test.cpp
  log_test.cpp tracing_change_test.cpp tracing_test.cpp)
ecmp_unity_group(unit_tests tests/unit/base ip_address_test.cpp packed_array_test.cpp sha256_test.cpp siphash_test.cpp
  url_test.cpp)
ecmp_unity_group(unit_tests tests/unit/config changes_test.cpp config_test.cpp discovery_test.cpp
  listen_address_test.cpp modules_test.cpp quantity_test.cpp selection_test.cpp text_test.cpp)
ecmp_unity_group(unit_tests tests/unit/net capture_filter_test.cpp dns_test_server.cpp http_head_test.cpp)
ecmp_unity_group(unit_tests tests/unit/net http_password_test.cpp http_test_client.cpp netlink_message_test.cpp
  privilege_test.cpp)
ecmp_unity_group(unit_tests tests/unit/net http_answer_test.cpp route_table_test.cpp tls_wire_test.cpp)
ecmp_unity_group(unit_tests tests/unit/net http_abuse_test.cpp neighbour_table_test.cpp sandbox_test.cpp)
ecmp_unity_group(unit_tests tests/unit/net clock_mapping_test.cpp http_server_test.cpp resolver_reply_test.cpp)
ecmp_unity_group(unit_tests tests/unit/net http_encoding_test.cpp name_cache_test.cpp repeated_frames_test.cpp
  resolver_test.cpp)
ecmp_unity_group(unit_tests tests/unit/packet reply_kind_test.cpp robustness_test.cpp samples.cpp)
ecmp_unity_group(unit_tests tests/unit/packet checksum_test.cpp golden.cpp icmp_extension_test.cpp message_test.cpp
  probe_datagram_test.cpp)
ecmp_unity_group(unit_tests tests/unit/path history_codec_test.cpp localisation_blame_test.cpp window_test.cpp)
ecmp_unity_group(unit_tests tests/unit/path history_corpus_test.cpp model_change_test.cpp stopping_rule_test.cpp)
ecmp_unity_group(unit_tests tests/unit/path destination_model_test.cpp histogram_test.cpp)
ecmp_unity_group(unit_tests tests/unit/path history_test.cpp icmp_limit_test.cpp model_statistics_test.cpp)
ecmp_unity_group(unit_tests tests/unit/path localisation_math_test.cpp model_soak_test.cpp path_content_test.cpp)
ecmp_unity_group(unit_tests tests/unit/path event_gathering_test.cpp path_names_test.cpp path_search_test.cpp)
ecmp_unity_group(unit_tests tests/unit/path localisation_test.cpp model_begin_test.cpp origin_table_test.cpp)
ecmp_unity_group(unit_tests tests/unit/path flow_tally_test.cpp model_registry_test.cpp sticky_test.cpp)
ecmp_unity_group(unit_tests tests/unit/probe codec_test.cpp engine_rounds_test.cpp flow_index_test.cpp
  live_round_test.cpp responder_pacing_test.cpp)
ecmp_unity_group(unit_tests tests/unit/render append_test.cpp fan_test.cpp fan_text_test.cpp fans.cpp golden.cpp
  ndjson_test.cpp topology_test.cpp)
ecmp_unity_group(unit_tests tests/unit/stamp hmac_test.cpp own_tlv_test.cpp packet_test.cpp stamp_bytes.cpp
  tlv_test.cpp)
ecmp_unity_group(unit_tests tests/unit/render accept_test.cpp diagram_test.cpp exposition_test.cpp
  find_report_test.cpp page_test.cpp snapshots.cpp)
