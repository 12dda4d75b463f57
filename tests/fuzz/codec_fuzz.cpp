// Any two streams against any baseline, below the digest, the second in the context of the first: each gives a target
// or is refused, within the bytes it was given; and what an in-place patch did can be undone. Then the targets that
// came of it are coded one after the other, and must come back. Slow, since all is found anew each time; decode_fuzz,
// symbols_fuzz, edits_fuzz and structure_fuzz each do a part of it many times faster. Input: two bytes n, one byte
// flags and size, two bytes m, n baseline bytes, m of the first stream, then the second.
#include <algorithm>
#include <cstdlib>
#include <optional>
#include <vector>

#include "codec/aligner.h"
#include "codec/follow.h"
#include "fuzz/decoding.h"

namespace {

using namespace libsync;

using fuzz::check_cover;

// The target, if the stream gives one.
std::optional<Bytes> decode(codec::Context& context, const Bytes& baseline, BytesView stream, std::uint8_t flags) {
  Bytes target;
  bool is_target = false;
  if ((flags & 1) != 0) {
    target = baseline;
    codec::Undo undo;
    codec::Touched touched;
    touched.reset(target.size());
    is_target = codec::decode_in_place(context, stream, target.data(), touched, &undo);
    Bytes undone = target;
    undo.restore(undone.data());
    if (undone != baseline) std::abort();
  } else {
    // Within a few bytes of the baseline, as targets are, or anything.
    const std::size_t wanted = (flags & 2) != 0 ? baseline.size() + (flags >> 2) - 32 : 8u * (flags >> 2);
    target.resize(std::min<std::size_t>(wanted, 1 << 17));
    is_target = codec::decode_moved(context, baseline, stream, target);
  }
  if (!is_target || target.empty()) return std::nullopt;
  check_cover(*context.structure);
  if (context.structure->size_bytes != target.size()) std::abort();
  return target;
}

// In every way that can be said; the contexts of both ends go on.
void round_trip(codec::Context& sent, codec::Context& received, const Bytes& baseline, const Bytes& target) {
  bool goes_on = false;
  codec::Context before_sent = sent, before_received = received;
  if (target.size() == baseline.size()) {
    const ByteRange whole[] = {{0, static_cast<std::uint32_t>(target.size())}};
    const codec::Differences differences = codec::differences_of(*sent.structure, baseline, target, whole);
    Bytes stream, back = baseline;
    goes_on = codec::encode_in_place(sent, baseline, target, differences, stream);
    codec::Touched touched;
    touched.reset(back.size());
    if (goes_on && (!codec::decode_in_place(received, stream, back.data(), touched) || back != target)) std::abort();
  }
  const codec::Structure target_structure = codec::find_structure(target);
  const codec::Structure& base = *before_sent.structure;
  std::vector<codec::Matches> ways;
  if (base.is_flatbuffer) {
    const std::optional<codec::Structure> followed = codec::follow(base, baseline, target);
    if (followed) check_cover(*followed);
    if (followed) ways.push_back(codec::match(base, baseline, *followed, target, true));
    if (target_structure.is_flatbuffer) ways.push_back(codec::match(base, baseline, target_structure, target, false));
    std::optional<codec::Matches> aligned = codec::align(base, baseline, target);
    if (aligned) ways.push_back(std::move(*aligned));
  }
  for (codec::Matches& matches : ways) {
    Bytes stream, back(target.size());
    codec::Context sender = before_sent, receiver = before_received;
    const bool is_said = codec::encode_moved(sender, baseline, std::move(matches), target, stream);
    if (is_said && (!codec::decode_moved(receiver, baseline, stream, back) || back != target)) std::abort();
    if (is_said && !goes_on) {
      goes_on = true;
      sent = std::move(sender), received = std::move(receiver);
    }
  }
  if (goes_on) return;
  sent = received = {std::make_shared<const codec::Structure>(target_structure), {}, {}, {}};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 6) return 0;
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  const std::size_t baseline_size = std::min<std::size_t>(data[0] + 256u * data[1], size - 5);
  const std::size_t first_size = std::min<std::size_t>(data[3] + 256u * data[4], size - 5 - baseline_size);
  const Bytes baseline(bytes + 5, bytes + 5 + baseline_size);
  const BytesView first(bytes + 5 + baseline_size, first_size);
  const BytesView second(first.data() + first_size, size - 5 - baseline_size - first_size);
  if (baseline.empty()) return 0;
  const auto structure = std::make_shared<const codec::Structure>(codec::find_structure(baseline));
  check_cover(*structure);

  codec::Context context{structure, {}, {}, {}}, sent = context, received = context;
  const std::optional<Bytes> one = decode(context, baseline, first, data[2]);
  if (!one) return 0;
  const std::optional<Bytes> two = decode(context, *one, second, data[2]);
  round_trip(sent, received, baseline, *one);
  if (!two) return 0;
  round_trip(sent, received, *one, *two);
  return 0;
}
