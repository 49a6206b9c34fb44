# The manual and the completions of ecmp_trace are made of its option table.
add_executable(trace_doc ${CMAKE_CURRENT_LIST_DIR}/trace_doc.cpp)
ecmp_share_precompiled(trace_doc)
target_link_libraries(trace_doc PRIVATE shell core)
add_test(NAME "tidy: the manual and the completions are what the option table says"
         COMMAND trace_doc ${PROJECT_SOURCE_DIR})
set_tests_properties("tidy: the manual and the completions are what the option table says" PROPERTIES LABELS tidy)
