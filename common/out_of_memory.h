// When memory runs out a daemon ends at once, with one line: nothing goes on half done. What it
// leaves behind is what a kill leaves behind, and both sides of the link recover from that.
#pragma once

namespace sluice {

/// For the rest of the process: when `new` finds no memory, "PROGRAM: out of memory: …" on stderr
/// and exit code 1, without destructors. `program` is a literal. First thing in main().
void end_when_out_of_memory(const char* program);

}  // namespace sluice
