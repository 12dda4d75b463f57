// trace_reader.h: the snapshots of a trace file (layout: libsync/trace_writer.h).
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "libsync/result.h"
#include "libsync/types.h"

namespace libsync::traces {

// Maps the file, so that a trace may be larger than memory. One that is cut short while it is read ends the process.
class TraceReader {
 public:
  // Checks everything up to the last byte of the file before it returns.
  // Errors: kMalformed, with the reason: no such file, not a trace, not closed by its writer, cut short, something
  // after the last snapshot.
  static Result<TraceReader> open(const std::string& path);
  TraceReader(TraceReader&& other) noexcept;
  TraceReader& operator=(TraceReader&&) = delete;
  ~TraceReader();

  std::size_t size() const { return snapshots_.size(); }
  // Requires: index < size(). Valid as long as the reader; not aligned.
  BytesView snapshot(std::size_t index) const { return snapshots_[index]; }

 private:
  explicit TraceReader(BytesView file) : file_(file) {}
  // Null, or what is wrong.
  const char* parse();

  BytesView file_;
  std::vector<BytesView> snapshots_;
};

}  // namespace libsync::traces
