// scripted_patch.h: patches of FlatBuffers said value by value (docs/WIRE_FORMAT.md sections 3.4, 3.5), whether or not
// a sender would ever say it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "byte_writer.h"
#include "codec/contents.h"
#include "libsync/patch.h"
#include "libsync/types.h"

namespace libsync::test {

// Has the members of codec::Decoder. Hands out the values of a script, one for each nibble, bit, number and raw value
// that is asked for, then zeros: runs of one object, nothing changed; and codes them.
class Script {
 public:
  static constexpr bool kDecodes = true;
  void begin(codec::Part, std::uint32_t = 0) {}

  explicit Script(std::vector<std::uint32_t> values) : encoder_(work_), values_(std::move(values)) {}

  std::uint32_t nibble(codec::Nibble& model, std::uint32_t = 0) { return encoder_.nibble(model, next() & 15); }
  bool bit(codec::Bit& model, bool = false) { return encoder_.bit(model, (next() & 1) != 0); }
  std::uint32_t raw(unsigned n, std::uint32_t = 0) {
    return encoder_.raw(n, static_cast<std::uint32_t>(next() & ((std::uint64_t{1} << n) - 1)));
  }
  std::uint32_t number(codec::Number& model, std::uint32_t = 0) { return encoder_.number(model, next()); }
  bool at_end() const { return at_ >= values_.size(); }

  Bytes stream() {
    Bytes bytes;
    encoder_.finish(bytes);
    return bytes;
  }

 private:
  std::uint32_t next() { return at_ < values_.size() ? values_[at_++] : 0; }

  codec::EncoderWork work_;
  codec::Encoder encoder_;
  std::vector<std::uint32_t> values_;
  std::size_t at_ = 0;
};

struct ScriptedPatch {
  Bytes patch;
  std::optional<Bytes> target;  // nothing: what was said does not fit, or not all of it was asked for
};

// `context`: the patch continues it if it is at `baseline`; it stays as it is.
inline ScriptedPatch scripted_patch(const Snapshot& baseline, PatchKind kind, std::size_t target_size,
                                    std::vector<std::uint32_t> values, const PatchContext& context = {}) {
  const bool continues = context.is_at(baseline);
  codec::Context at = continues ? *PatchContext(context).release() : codec::new_context(baseline.structure());
  Script script(std::move(values));
  Bytes target(target_size);
  bool is_target = false;
  if (kind == PatchKind::kMoved) {
    is_target = codec::decode_objects(at, script, baseline.bytes(), target);
  } else {
    target.assign(baseline.bytes().begin(), baseline.bytes().end());
    is_target = codec::decode_types(at, script, target.data(), [](std::uint32_t, std::uint32_t) {});
  }
  Bytes patch;
  ByteWriter writer(patch);
  writer.u8(static_cast<std::uint8_t>(static_cast<unsigned>(kind) | (continues ? kContinuesBit : 0)));
  if (kind == PatchKind::kMoved) writer.varint(target_size);
  writer.u64(digest_of(target).value);
  writer.bytes(script.stream());
  return {std::move(patch), is_target ? std::optional(std::move(target)) : std::nullopt};
}

}  // namespace libsync::test
