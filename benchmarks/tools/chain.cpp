#include "chain.h"

#include <fstream>

#include "libsync_coder.h"

namespace libsync::tools {
namespace {

void write_u32(std::ofstream& file, std::size_t value) {
  for (int shift = 0; shift < 32; shift += 8) file.put(static_cast<char>(value >> shift));
}

void write_bytes(std::ofstream& file, BytesView bytes) {
  write_u32(file, bytes.size());
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace

bool write_chain(const traces::TraceReader& trace, const std::string& path) {
  if (trace.size() == 0) return false;
  std::ofstream file(path, std::ios::binary);
  write_u32(file, trace.size() - 1);
  write_bytes(file, trace.snapshot(0));
  const auto coder = make_libsync_coder();
  Bytes patch;
  for (std::size_t i = 1; i < trace.size(); ++i) {
    coder->prepare(trace.snapshot(i - 1), trace.snapshot(i));
    coder->before_encode();
    if (!coder->encode(patch)) return false;
    write_bytes(file, patch);
  }
  file.close();
  return file.good();
}

}  // namespace libsync::tools
