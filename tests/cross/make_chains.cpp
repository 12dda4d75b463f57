// libsync-cross-chains --cases N [--seed S]: writes chains of patches to standard output until they hold N cases, with
// what this library's decoder says to each. For check.ts, which asks the TypeScript one. The same bytes for the same
// arguments.
//
// All numbers are little-endian. A chain: u32 bytes of the rest of it; u32 family, u32 chain in it, u32 prefix: steps
// that are no cases; u32 n and n bytes of the baseline; then each step: u16 error, u64 digest, u32 n and n bytes of
// patch.
#include <cstdio>
#include <cstring>
#include <limits>
#include <string>

#include "byte_writer.h"
#include "cross/chains.h"

namespace {

using namespace libsync;
using namespace libsync::cross;

void write_u32(ByteWriter& writer, std::size_t value) {
  for (unsigned shift = 0; shift < 32; shift += 8) writer.u8(static_cast<std::uint8_t>(value >> shift));
}

void write_bytes(ByteWriter& writer, BytesView bytes) {
  write_u32(writer, bytes.size());
  writer.bytes(bytes);
}

Bytes encode_chain(const Chain& chain, std::uint64_t family, std::size_t index) {
  Bytes body;
  ByteWriter writer(body);
  write_u32(writer, family);
  write_u32(writer, index);
  write_u32(writer, chain.n_prefix);
  write_bytes(writer, chain.baseline);
  for (const Step& step : chain.steps) {
    const auto error = static_cast<std::uint16_t>(step.error);
    writer.u8(static_cast<std::uint8_t>(error));
    writer.u8(static_cast<std::uint8_t>(error >> 8));
    writer.u64(step.digest.value);
    write_bytes(writer, step.patch);
  }
  Bytes all;
  ByteWriter framed(all);
  write_bytes(framed, body);
  return all;
}

bool read_number(const char* text, std::uint64_t& number) {
  char* end = nullptr;
  number = std::strtoull(text, &end, 10);
  return *text != '\0' && *end == '\0';
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t n_cases = 0, seed = 1;
  bool is_valid = argc % 2 == 1;
  for (int i = 1; is_valid && i < argc; i += 2) {
    const std::string name = argv[i];
    is_valid = (name == "--cases" && read_number(argv[i + 1], n_cases)) ||
               (name == "--seed" && read_number(argv[i + 1], seed));
  }
  if (!is_valid || n_cases == 0) {
    std::fprintf(stderr, "usage: %s --cases N [--seed S]\n", argv[0]);
    return 2;
  }
  // Families of one seed are none of another.
  std::uint64_t written = 0;
  for (std::uint64_t family = seed * 1'000'000; written < n_cases; ++family) {
    const std::vector<Chain> chains = make_family(family);
    for (std::size_t i = 0; i < chains.size() && written < n_cases; ++i) {
      const Bytes bytes = encode_chain(chains[i], family, i);
      if (std::fwrite(bytes.data(), 1, bytes.size(), stdout) != bytes.size()) return 1;
      written += chains[i].steps.size() - chains[i].n_prefix;
    }
  }
  return std::fflush(stdout) == 0 ? 0 : 1;
}
