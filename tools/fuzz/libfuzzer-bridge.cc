// What jazzer.js's addon calls of libFuzzer besides its public interface, made from what libFuzzer has inside. It takes
// the place of FuzzerTracePC.cpp, whose templates it needs.
#include "fuzzer/FuzzerTracePC.cpp"

extern "C" void __sanitizer_cov_trace_const_cmp8_with_pc(uintptr_t pc, uint64_t first, uint64_t second) {
  fuzzer::TPC.HandleCmp(pc, first, second);
}

extern "C" void __sanitizer_cov_trace_pc_indir_with_pc(void *caller, uintptr_t callee) {
  fuzzer::TPC.HandleCallerCallee(reinterpret_cast<uintptr_t>(caller), callee);
}
