// measure.h: sizes and speeds of a coder on a trace.
#pragma once

#include <cstddef>
#include <string>

#include "coder.h"
#include "trace_reader.h"

namespace libsync::tools {

struct Effort {
  // Each pair is encoded and applied this many times, and the median taken; fewer once a pair has taken
  // max_pair_seconds.
  std::size_t passes = 7;
  double max_pair_seconds = 0.5;
  // When the coder has taken this long no more pairs are begun: 0: never. Pairs come in an order that is spread evenly
  // over the trace and has no rhythm, so that those done are a fair sample.
  double max_seconds = 0;
};

struct Measurement {
  std::string coder;
  std::string note;
  bool timed = true;
  std::size_t lag = 0;
  std::size_t pairs = 0;  // measured
  std::size_t pairs_of_trace = 0;
  double snapshot_bytes_mean = 0;
  double patch_bytes_mean = 0;
  double patch_bytes_p99 = 0;
  // Bytes of target per second, all pairs together, each at its median.
  double encode_bytes_per_second = 0;
  double apply_bytes_per_second = 0;
  bool verified = true;  // every result was the target, byte for byte
};

// Each snapshot from the one `lag` before; 0: from nothing. Requires: the trace has more than `lag` snapshots.
Measurement measure(const traces::TraceReader& trace, std::size_t lag, Coder& coder, const Effort& effort);

// Bytes per second of memcmp over a snapshot and its copy: what a machine can compare.
double memcmp_bytes_per_second(const traces::TraceReader& trace, std::size_t passes);

}  // namespace libsync::tools
