// decoding.h: what the targets that decode below the digest share: small states that are made once, so that an
// execution is spent on decoding, and what has to hold of whatever a stream leads to.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <utility>
#include <vector>

#include "codec/codec.h"
#include "codec/contents.h"
#include "libsync/patch.h"
#include "unit/random_world.h"
#include "unit/small_world.h"

namespace libsync::fuzz {

// What a receiver holds, and the context it is in.
struct State {
  SnapshotPtr held;
  Bytes bytes;  // the same
  codec::Context context;
};

inline void check(bool holds) {
  if (!holds) std::abort();
}

// A structure's objects cover its bytes, are found by their place, and are those of the types.
inline void check_cover(const codec::Structure& structure) {
  std::uint32_t covered = 0, index = 0;
  structure.for_each(0, structure.size_bytes, [&](const codec::Object& object) {
    check(object.start == covered && structure.starts.index_of(covered) == index++);
    check(structure.groups[object.type].starts[structure.rank_of(object.type, object.start)] == object.start);
    covered = object.end;
  });
  check(covered == structure.size_bytes && index == structure.n_objects());
}

// States of worlds of a few hundred bytes, each as it is received whole and after some patches; then bytes that are no
// FlatBuffer. The same in every run: corpora count on it.
inline std::vector<State> make_states() {
  std::vector<State> states;
  const auto add = [&](const SnapshotPtr& held, PatchContext& context) {
    const BytesView bytes = held->bytes();
    const std::unique_ptr<codec::Context> at = context.is_at(*held) ? PatchContext(context).release() : nullptr;
    states.push_back({held, Bytes(bytes.begin(), bytes.end()), at ? *at : codec::new_context(held->structure())});
  };
  const auto add_world = [&](auto world, auto play) {
    SnapshotPtr held = Snapshot::copy_of(world.build());
    PatchContext sent, received;
    add(held, received);
    for (int i = 0; i < 3; ++i) {
      play(world);
      const SnapshotPtr target = Snapshot::copy_of(world.build());
      Bytes patch;
      make_patch(*held, *target, patch, kPatchFormat, &sent);
      held = *apply_patch(*held, patch, Limits{}, &received);
    }
    add(held, received);
  };
  for (std::uint32_t n = 0; n < 4; ++n) {
    test::Random random(n);
    add_world(test::small_world(n), [&](test::SmallWorld& world) { test::play(world, random); });
  }
  for (std::uint64_t seed = 4; states.size() < 20; ++seed) {
    test::Random random(seed);
    test::RandomWorld world(random);
    const std::size_t size = world.build().size();
    if (size < 150 || size > 500) continue;
    add_world(std::move(world), [&](test::RandomWorld& played) { played.play(random); });
  }
  test::Random random(1);
  PatchContext none;
  add(Snapshot::copy_of(test::random_bytes(random, 40)), none);
  return states;
}

inline const State& state_of(std::uint8_t choice) {
  static const std::vector<State> states = make_states();
  return states[choice % states.size()];
}

// Decodes `state` to its target, in place or at most 64 bytes larger or smaller; nothing if `decoder` says nothing that
// fits. An in-place patch can be undone.
template <typename Decoder>
std::optional<Bytes> decode(const Bytes& baseline, codec::Context& context, Decoder& decoder, std::uint8_t how) {
  Bytes target;
  if ((how & 1) != 0) {
    target = baseline;
    codec::Undo undo;
    const bool is_target = codec::decode_types(
        context, decoder, target.data(),
        [&](std::uint32_t position, std::uint32_t size) { undo.keep(target.data(), position, size); });
    Bytes undone = target;
    undo.restore(undone.data());
    check(undone == baseline);
    if (!is_target) return std::nullopt;
  } else {
    target.resize(std::max<std::size_t>(64, baseline.size() + how / 2) - 64);
    if (!codec::decode_objects(context, decoder, baseline, target)) return std::nullopt;
  }
  if (target.empty()) return std::nullopt;
  check_cover(*context.structure);
  check(context.structure->size_bytes == target.size());
  return target;
}

}  // namespace libsync::fuzz
