// Debian's httplib is not built with the thread sanitizer, which therefore does not see that its function-local
// constants (the end marker of a chunked body) are guarded, and takes their use by a second thread for a race.
// Nothing else of the library touches memory that two threads share: each connection has a server object of its own.
#if defined(__SANITIZE_THREAD__)
extern "C" const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() {
  return "called_from_lib:libcpp-httplib.so\n";
}
#endif
