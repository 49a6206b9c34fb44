# Files that are compiled as one, see Unity.cmake.
ecmp_unity_group(shell src/agent config_file.cpp history_store.cpp memory.cpp one_off.cpp page_routes.cpp
  paths_query.cpp process_usage.cpp web.cpp web_access.cpp)
ecmp_unity_group(shell src/agent event_log.cpp line_output.cpp log.cpp own_metrics.cpp
  probe_answers.cpp round_queue.cpp secret.cpp trace_session.cpp web_config_file.cpp)
ecmp_unity_group(shell src/agent agent.cpp asn_file.cpp history_files.cpp path_names_file.cpp scrape_stream.cpp
  simulated_trace_network.cpp trace_command_line.cpp trace_network.cpp)
ecmp_unity_group(shell src/agent family_encoding.cpp graph_answers.cpp http_poll.cpp one_off_desk.cpp round_log.cpp
  trace.cpp trace_options.cpp tracing_change.cpp tracing_search.cpp)
ecmp_unity_group(shell src/agent config_routes.cpp discovery.cpp history_segment.cpp localiser.cpp names.cpp
  reload.cpp stop_signals.cpp topology_query.cpp tracing.cpp)
ecmp_unity_group(core src/base compact.cpp ip_address.cpp sha256.cpp siphash.cpp url.cpp)
ecmp_unity_group(core src/config cross_checks.cpp document.cpp listen_address.cpp modules.cpp shard.cpp text.cpp
  write.cpp yaml_document.cpp)
ecmp_unity_group(core src/config config.cpp destinations.cpp json_document.cpp lexical_check.cpp reader.cpp
  web_config.cpp)
ecmp_unity_group(core src/config changes.cpp discovery.cpp networks.cpp probe_keys.cpp quantity.cpp reflector_section.cpp sections.cpp
  selection.cpp)
ecmp_unity_group(shell src/net clock_mapping.cpp file_watch.cpp http_fetch.cpp resolver_reply.cpp
  route_lookup.cpp sandbox.cpp)
ecmp_unity_group(shell src/net capture.cpp http_head.cpp http_routes.cpp listen_socket.cpp name_cache.cpp
  privilege.cpp raw_sender.cpp send_failure.cpp tls_wire.cpp)
ecmp_unity_group(shell src/net held_ports.cpp http_socket.cpp
  neighbour_table.cpp repeated_frames.cpp route_table.cpp tls_context.cpp)
ecmp_unity_group(shell src/net http_answer.cpp http_encoding.cpp http_password.cpp http_server.cpp
  loopback_direction.cpp netlink_socket.cpp packet_sender.cpp resolver.cpp)
ecmp_unity_group(core src/packet checksum.cpp icmp_extension.cpp ip_view.cpp message.cpp probe_datagram.cpp quote.cpp
  reply_kind.cpp)
ecmp_unity_group(core src/path balance.cpp destination_model.cpp histogram.cpp intervals.cpp origin_table.cpp
  path_names.cpp view_sums.cpp)
ecmp_unity_group(core src/path ledger.cpp link_delay.cpp localisation.cpp loss_begin.cpp loss_run.cpp path_content.cpp
  statistics.cpp window.cpp)
ecmp_unity_group(core src/path change.cpp event_gathering.cpp flow_view.cpp history.cpp history_decode.cpp
  icmp_limit.cpp localisation_hops.cpp sightings.cpp)
ecmp_unity_group(core src/path balance_watch.cpp flow_cover.cpp history_block.cpp loss_explanation.cpp path_search.cpp
  quote_findings.cpp stopping_rule.cpp)
ecmp_unity_group(core src/path blend.cpp crossings.cpp flow_graph.cpp flow_jitter.cpp flow_tally.cpp history_codec.cpp
  link_estimators.cpp path_registry.cpp)
ecmp_unity_group(core src/probe codec.cpp drive.cpp engine.cpp engine_receive.cpp)
ecmp_unity_group(core src/probe engine_send.cpp engine_streams.cpp live_round.cpp responder_pacing.cpp)
ecmp_unity_group(core src/render exposition.cpp fan_order.cpp fan_text.cpp figures.cpp json_parts.cpp path_hash.cpp
  series_labels.cpp topology.cpp)
ecmp_unity_group(core src/render accept.cpp diagram_svg.cpp diagram_text.cpp encoder.cpp fan_tree.cpp ndjson.cpp
  search_text.cpp verdict_json.cpp)
ecmp_unity_group(core src/render diagram.cpp diagram_dot.cpp fan.cpp page.cpp protobuf_encoder.cpp series.cpp
  trace_report.cpp)
ecmp_unity_group(core src/render append.cpp event_json.cpp find_report.cpp metric_table.cpp svg_layout.cpp
  text_encoder.cpp topology_graph.cpp)
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
ecmp_unity_group(unit_tests tests/unit/path blend_test.cpp destination_model_test.cpp histogram_test.cpp)
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
