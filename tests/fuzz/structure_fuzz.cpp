// Any bytes as a FlatBuffer whose structure is looked for: what is found covers them.
#include "fuzz/decoding.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace libsync;
  const Bytes bytes(reinterpret_cast<const std::byte*>(data), reinterpret_cast<const std::byte*>(data) + size);
  const codec::Structure structure = codec::find_structure(bytes);
  fuzz::check_cover(structure);
  return 0;
}
