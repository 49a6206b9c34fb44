# docs/metrics.md is made of the metric tables; promtool reads what the golden files say a scrape looks like.
add_executable(metrics_doc ${CMAKE_CURRENT_LIST_DIR}/metrics_doc.cpp)
ecmp_share_precompiled(metrics_doc)
target_link_libraries(metrics_doc PRIVATE shell core)
add_test(NAME "tidy: docs/metrics.md is what the metric table says"
         COMMAND metrics_doc ${PROJECT_SOURCE_DIR}/docs/metrics.md)
add_test(NAME "tidy: promtool check metrics is silent"
         COMMAND ${CMAKE_CURRENT_LIST_DIR}/metrics_lint.sh ${PROJECT_SOURCE_DIR}/tests/golden/render/metrics.txt
                 ${PROJECT_SOURCE_DIR}/tests/golden/render/own_metrics.txt)
set_tests_properties("tidy: docs/metrics.md is what the metric table says" "tidy: promtool check metrics is silent"
                     PROPERTIES LABELS tidy SKIP_RETURN_CODE 77)
