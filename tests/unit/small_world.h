// small_world.h: FlatBuffers of a few hundred bytes with everything that moves in larger ones: strings, vectors, fields
// that leave, padding that depends on the neighbours. Built by hand, without a schema.
#pragma once

#include <flatbuffers/flatbuffers.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "libsync/types.h"
#include "unit/support.h"

namespace libsync::test {

struct SmallBody {
  std::uint32_t id = 0;
  std::string name;
  float x = 0, y = 0;
  std::int64_t mass = 0;
  std::uint16_t hp = 100;  // absent at 100
  std::vector<std::uint32_t> items;
  std::vector<std::string> tags;
};
struct SmallShot {
  std::int32_t x, y, vx, vy;
};

struct SmallWorld {
  std::uint32_t tick = 0;
  std::vector<SmallBody> bodies;
  std::vector<SmallShot> shots;

  Bytes build() const {
    flatbuffers::FlatBufferBuilder builder;
    std::vector<flatbuffers::Offset<void>> offsets;
    for (const SmallBody& body : bodies) {
      const auto name = builder.CreateString(body.name);
      const auto items = builder.CreateVector(body.items);
      const flatbuffers::uoffset_t tags = body.tags.empty() ? 0 : builder.CreateVectorOfStrings(body.tags).o;
      const auto start = builder.StartTable();
      builder.AddElement<std::int64_t>(field(4), body.mass, 0);
      if (tags != 0) builder.AddOffset(field(7), flatbuffers::Offset<void>(tags));
      builder.AddOffset(field(6), items);
      builder.AddElement<float>(field(3), body.y, 0);
      builder.AddElement<float>(field(2), body.x, 0);
      builder.AddOffset(field(1), name);
      builder.AddElement<std::uint32_t>(field(0), body.id, 0);
      builder.AddElement<std::uint16_t>(field(5), body.hp, 100);
      offsets.emplace_back(builder.EndTable(start));
    }
    const auto list = builder.CreateVector(offsets);
    builder.StartVector(shots.size() * sizeof(SmallShot), 4);
    builder.PushBytes(reinterpret_cast<const std::uint8_t*>(shots.data()), shots.size() * sizeof(SmallShot));
    const flatbuffers::Offset<void> shot_list(builder.EndVector(shots.size()));
    const auto start = builder.StartTable();
    builder.AddOffset(field(2), shot_list);
    builder.AddOffset(field(1), list);
    builder.AddElement<std::uint32_t>(field(0), tick, 0);
    builder.Finish(flatbuffers::Offset<void>(builder.EndTable(start)));
    const auto* bytes = reinterpret_cast<const std::byte*>(builder.GetBufferPointer());
    return Bytes(bytes, bytes + builder.GetSize());
  }

 private:
  static flatbuffers::voffset_t field(int index) {
    return flatbuffers::FieldIndexToOffset(static_cast<flatbuffers::voffset_t>(index));
  }
};

// A world of `n` bodies, each time the same.
inline SmallWorld small_world(std::uint32_t n) {
  SmallWorld world;
  world.tick = 1001;
  for (std::uint32_t i = 0; i < n; ++i) {
    SmallBody body;
    body.id = 10 + 3 * i;
    body.name = (i % 3 == 0 ? "moon " : "station number ") + std::to_string(i * 7919 % 1000);
    body.x = 1.5f * static_cast<float>(i);
    body.y = 1000.25f - static_cast<float>(i * i);
    body.mass = 1'000'000'007LL * (i + 1);
    body.hp = static_cast<std::uint16_t>(i % 4 == 0 ? 100 : 100 - i % 90);
    for (std::uint32_t k = 0; k < i % 4; ++k) body.items.push_back(i * 31 + k);
    if (i % 5 == 0) body.tags = {"rare", "tag " + std::to_string(i)};
    world.bodies.push_back(std::move(body));
    world.shots.push_back(
        {static_cast<std::int32_t>(i * 1000), -static_cast<std::int32_t>(i), 7, static_cast<std::int32_t>(i) - 3});
  }
  return world;
}

// What a game may do in a tick: some edits, and most of what flies flies on.
inline void play(SmallWorld& world, Random& random) {
  ++world.tick;
  for (SmallShot& shot : world.shots) shot.x += shot.vx, shot.y += shot.vy, shot.vy -= pick(random, 0, 9) == 0 ? 1 : 0;
  for (std::uint64_t edits = pick(random, 0, 8); edits > 0; --edits) {
    const std::size_t n = world.bodies.size();
    const std::size_t at = n == 0 ? 0 : pick(random, 0, n - 1);
    const auto place = world.bodies.begin() + static_cast<std::ptrdiff_t>(at);
    switch (n == 0 ? 0 : pick(random, 0, 12)) {
      case 0: world.bodies.insert(place, small_world(50).bodies[pick(random, 0, 49)]); break;
      case 1: world.bodies.erase(place); break;
      case 2: place->name.resize(pick(random, 0, 40), 'z'); break;
      case 3: place->hp = static_cast<std::uint16_t>(pick(random, 98, 102)); break;
      case 4: place->items.resize(pick(random, 0, 20), 5); break;
      case 5: place->tags.assign(pick(random, 0, 3), "tag"); break;
      case 6: std::shuffle(world.bodies.begin(), place, random); break;
      case 7: world.shots.resize(pick(random, 0, 30), {0, 0, 3, -2}); break;
      default: place->x += 0.5f; break;
    }
  }
}

}  // namespace libsync::test
