// Any stream against any baseline, below the digest: it either gives a target or is refused, within the bytes it was
// given; and what an in-place patch did can be undone. Then the pair that came of it is coded, and must come back.
// Input: two bytes n, one byte flags and size, n baseline bytes, then the stream.
#include <algorithm>
#include <cstdlib>

#include "codec/codec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace libsync;
  if (size < 4) return 0;
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  const std::size_t baseline_size = std::min<std::size_t>(data[0] + 256u * data[1], size - 3);
  const Bytes baseline(bytes + 3, bytes + 3 + baseline_size);
  const BytesView stream(bytes + 3 + baseline_size, size - 3 - baseline_size);
  if (baseline.empty()) return 0;
  const codec::Structure structure = codec::find_structure(baseline);
  std::uint32_t covered = 0;
  for (std::uint32_t i = 0; i < structure.objects.size(); ++i) {
    if (structure.object(i).start != covered) std::abort();
    covered = structure.object(i).end;
  }
  if (covered != baseline.size()) std::abort();

  Bytes target;
  bool is_target = false;
  if ((data[2] & 1) != 0) {
    target = baseline;
    codec::Undo undo;
    is_target = codec::decode_in_place(structure, stream, target.data(), undo);
    Bytes undone = target;
    undo.restore(undone.data());
    if (undone != baseline) std::abort();
  } else {
    // Within a few bytes of the baseline, as targets are, or anything.
    const std::size_t wanted = (data[2] & 2) != 0 ? baseline.size() + (data[2] >> 2) - 32 : 8u * (data[2] >> 2);
    target.resize(std::min<std::size_t>(wanted, 1 << 17));
    is_target = codec::decode_moved(structure, baseline, stream, target);
  }
  if (!is_target || target.empty()) return 0;
  const codec::Structure target_structure = codec::find_structure(target);
  Bytes again;
  if (target.size() == baseline.size()) {
    bool moves = false;
    const bool is_said = codec::encode_in_place(structure, baseline, target, again, moves);
    Bytes back = baseline;
    codec::Undo undo;
    if (is_said && (!codec::decode_in_place(structure, again, back.data(), undo) || back != target)) std::abort();
    again.clear();
  }
  if (structure.is_flatbuffer && target_structure.is_flatbuffer) {
    const bool is_said = codec::encode_moved(structure, baseline, target_structure, target, again);
    Bytes back(target.size());
    if (is_said && (!codec::decode_moved(structure, baseline, again, back) || back != target)) std::abort();
  }
  return 0;
}
