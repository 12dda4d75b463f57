// Patches hold for buffers however they were built: with defaults written, strings shared, buffers within buffers,
// unions, vectors of 64 bits, by the object API, and from JSON by the parser that flatc is made of.
#include <doctest/doctest.h>
#include <flatbuffers/flatbuffers.h>
#include <flatbuffers/idl.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "libsync/message.h"
#include "libsync/patch.h"
#include "libsync/patch_context.h"
#include "unit/small_world.h"
#include "unit/support.h"

namespace libsync {
namespace {

using flatbuffers::FlatBufferBuilder;
using test::pick;
using test::Random;

flatbuffers::voffset_t field(flatbuffers::voffset_t i) { return flatbuffers::FieldIndexToOffset(i); }

Bytes bytes_of(const FlatBufferBuilder& builder) {
  const auto* bytes = reinterpret_cast<const std::byte*>(builder.GetBufferPointer());
  return Bytes(bytes, bytes + builder.GetSize());
}

// Some things of a game. What a step changes is a few of them; some come, some go.
struct Thing {
  std::int32_t hp = 0;
  std::uint32_t kind = 0;
  std::vector<std::int64_t> totals;
};
std::vector<Thing> next_step(std::vector<Thing> things, Random& random) {
  if (things.size() < 30 && pick(random, 0, 2) == 0) {
    const auto at = static_cast<std::ptrdiff_t>(pick(random, 0, things.size()));  // first: arguments have no order
    things.insert(things.begin() + at,
                  Thing{static_cast<std::int32_t>(pick(random, 0, 2)), static_cast<std::uint32_t>(pick(random, 0, 4)),
                        std::vector<std::int64_t>(pick(random, 0, 3), -5)});
  }
  if (things.size() > 20 && pick(random, 0, 3) == 0) things.erase(things.begin());
  for (Thing& thing : things) {
    if (pick(random, 0, 3) == 0) thing.hp = static_cast<std::int32_t>(pick(random, 0, 3)) * 100;
    for (std::int64_t& total : thing.totals) total += static_cast<std::int64_t>(pick(random, 0, 1)) << 33;
  }
  return things;
}
std::string text_of(std::uint32_t kind) { return "a kind of thing, number " + std::to_string(kind); }

using Build = std::function<Bytes(const std::vector<Thing>&)>;

Bytes build_by_hand(const std::vector<Thing>& things, bool forces_defaults, bool shares_strings) {
  FlatBufferBuilder builder;
  builder.ForceDefaults(forces_defaults);
  std::vector<flatbuffers::Offset<void>> offsets;
  for (const Thing& thing : things) {
    const std::string text = text_of(thing.kind);
    const auto name = shares_strings ? builder.CreateSharedString(text) : builder.CreateString(text);
    const auto totals = builder.CreateVector(thing.totals);
    const auto start = builder.StartTable();
    builder.AddOffset(field(0), name);
    builder.AddOffset(field(1), totals);
    builder.AddElement<std::int32_t>(field(2), thing.hp, 0);
    builder.AddElement<std::uint8_t>(field(3), static_cast<std::uint8_t>(thing.kind), 0);
    offsets.emplace_back(builder.EndTable(start));
  }
  const auto list = builder.CreateVector(offsets);
  const auto start = builder.StartTable();
  builder.AddOffset(field(0), list);
  builder.Finish(flatbuffers::Offset<void>(builder.EndTable(start)));
  return bytes_of(builder);
}

// Each thing is a buffer of its own in a vector of bytes, as for nested_flatbuffer.
Bytes build_nested(const std::vector<Thing>& things) {
  FlatBufferBuilder builder;
  std::vector<flatbuffers::Offset<void>> offsets;
  for (const Thing& thing : things) {
    const Bytes inner = build_by_hand({thing}, false, false);
    builder.ForceVectorAlignment(inner.size(), 1, 8);
    const auto nested = builder.CreateVector(reinterpret_cast<const std::uint8_t*>(inner.data()), inner.size());
    const auto start = builder.StartTable();
    builder.AddOffset(field(0), nested);
    offsets.emplace_back(builder.EndTable(start));
  }
  const auto list = builder.CreateVector(offsets);
  const auto start = builder.StartTable();
  builder.AddOffset(field(0), list);
  builder.Finish(flatbuffers::Offset<void>(builder.EndTable(start)));
  return bytes_of(builder);
}

// The protocol's own messages: a union of tables, packed by the object API.
Bytes build_objects(const std::vector<Thing>& things) {
  protocol::EnvelopeT envelope;
  envelope.sequence = things.size();
  if (things.size() % 2 == 0) {
    protocol::SubscribeT subscribe;
    for (const Thing& thing : things) {
      auto& topic = subscribe.topics.emplace_back(std::make_unique<protocol::TopicRequestT>());
      topic->name = text_of(thing.kind);
      topic->priority = static_cast<std::uint8_t>(thing.hp / 4);
    }
    envelope.message.Set(std::move(subscribe));
  } else {
    protocol::AckT ack;
    for (const Thing& thing : things) {
      auto& version = ack.versions.emplace_back(std::make_unique<protocol::TopicVersionT>());
      version->topic = thing.kind;
      version->version = static_cast<std::uint64_t>(thing.hp);
    }
    envelope.message.Set(std::move(ack));
  }
  FlatBufferBuilder builder;
  builder.Finish(protocol::Envelope::Pack(builder, &envelope), protocol::EnvelopeIdentifier());
  return bytes_of(builder);
}

Bytes build_from_json(const std::vector<Thing>& things) {
  flatbuffers::Parser parser;
  REQUIRE_MESSAGE(parser.Parse(R"(
    struct Place { x:float; y:double; }
    table Rock { weight:long; place:Place; }
    table Ship { name:string; totals:[long]; ratios:[double]; }
    union Any { Rock, Ship }
    table Thing { any:Any; hp:int = 100; }
    table World { things:[Thing]; anys:[Any]; flags:[bool]; }
    root_type World;)"),
                  parser.error_);
  std::string json = R"({ "things": [)";
  for (const Thing& thing : things) {
    const bool is_rock = thing.kind % 2 == 0;
    json += &thing == things.data() ? "" : ",";
    json +=
        R"({ "hp": )" + std::to_string(thing.hp) + R"(, "any_type": ")" + (is_rock ? "Rock" : "Ship") + R"(", "any": )";
    if (is_rock) {
      json += R"({ "weight": )" + std::to_string(thing.hp * 5'000'000'000) + R"(, "place": { "x": 1.5, "y": )" +
              std::to_string(thing.hp) + " } } }";
      continue;
    }
    json += R"({ "name": ")" + text_of(thing.kind) + R"(", "totals": [)";
    for (std::size_t i = 0; i < thing.totals.size(); ++i) json += (i == 0 ? "" : ",") + std::to_string(thing.totals[i]);
    json += R"(], "ratios": [0.25, )" + std::to_string(thing.hp) + "] } }";
  }
  json += R"(], "anys_type": ["Rock", "Ship"], "anys": [{ "weight": 3 }, { "name": "x" }], "flags": [true, false] })";
  REQUIRE_MESSAGE(parser.Parse(json.c_str()), parser.error_);
  return bytes_of(parser.builder_);
}

// Every step leads to its bytes, in a context and from five steps before. All are `times` smaller than the snapshots:
// they were understood, not only sent.
void check(const Build& build, std::size_t times = 6) {
  Random random(7);
  std::vector<Thing> things;
  std::vector<SnapshotPtr> all;
  PatchContext sent, received;
  std::size_t n_bytes = 0, n_patch = 0;
  for (int step = 0; step < 60; ++step) {
    CAPTURE(step);
    things = next_step(std::move(things), random);
    const SnapshotPtr target = Snapshot::copy_of(build(things));
    const auto check_patch = [&](const Snapshot& baseline, PatchContext* from, PatchContext* to) {
      Bytes patch;
      make_patch(baseline, *target, patch, kPatchFormat, from);
      CHECK(patch.size() <= target->size_bytes() + kPatchOverheadBytes);
      const Result<SnapshotPtr> applied = apply_patch(baseline, patch, Limits{}, to);
      REQUIRE(applied);
      CHECK(std::ranges::equal((*applied)->bytes(), target->bytes()));
      return patch.size();
    };
    check_patch(*Snapshot::empty(), nullptr, nullptr);
    if (all.size() >= 5) check_patch(*all[all.size() - 5], nullptr, nullptr);
    if (!all.empty()) n_patch += check_patch(*all.back(), &sent, &received);
    n_bytes += target->size_bytes();
    all.push_back(target);
  }
  CHECK(times * n_patch < n_bytes);
}

}  // namespace

TEST_CASE("other builders: defaults written out") {
  check([](const std::vector<Thing>& things) { return build_by_hand(things, true, false); });
}
TEST_CASE("other builders: strings that many share, vectors of 64 bits") {
  check([](const std::vector<Thing>& things) { return build_by_hand(things, false, true); });
}
// What is in the inner ones is bytes: nobody looks for objects there.
TEST_CASE("other builders: buffers within buffers") { check(build_nested, 3); }
TEST_CASE("other builders: unions, by the object API") { check(build_objects); }
TEST_CASE("other builders: what the parser makes of JSON, with unions, vectors of unions and structs") {
  check(build_from_json);
}

}  // namespace libsync
