// Any bytes as a FlatBuffer whose structure is looked for: it covers them, and finding it again finds the same.
#include "fuzz/decoding.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace libsync;
  const Bytes bytes(reinterpret_cast<const std::byte*>(data), reinterpret_cast<const std::byte*>(data) + size);
  const codec::Structure structure = codec::find_structure(bytes);
  fuzz::check_cover(structure);
  if (!structure.is_flatbuffer) return 0;
  for (const codec::Group& group : structure.groups) {
    for (const codec::Object& object : group.objects) fuzz::check(object.start < object.end && object.end <= size);
  }
  return 0;
}
