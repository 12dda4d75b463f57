// universe_support.h: a universe to play in, actions to do in it, and views of what came of them.
#pragma once

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

#include "game/universe.h"

namespace libsync::server::test {

namespace fb = world::action;

inline const std::string kAlice = "alice";
inline const std::string kAliceTopic = "player/alice";

inline Bytes copy_of(BytesView bytes) { return {bytes.begin(), bytes.end()}; }

inline Bytes finish_action(flatbuffers::FlatBufferBuilder& builder, fb::ActionBody type,
                           flatbuffers::Offset<void> body) {
  builder.Finish(fb::CreatePlayerAction(builder, type, body));
  return copy_of(view_of(builder));
}

inline Bytes create_action(BodyType type, Vec3f at, const std::string& name = "") {
  flatbuffers::FlatBufferBuilder builder;
  const world::Vec3 position(at.x, at.y, at.z);
  const auto text = name.empty() ? 0 : builder.CreateString(name);
  return finish_action(builder, fb::ActionBody::CreateCelestialBody,
                       fb::CreateCreateCelestialBody(builder, type, &position, text).Union());
}

inline Bytes research_action(std::uint16_t research) {
  flatbuffers::FlatBufferBuilder builder;
  return finish_action(builder, fb::ActionBody::StartResearch, fb::CreateStartResearch(builder, research).Union());
}

inline Bytes save_action() {
  flatbuffers::FlatBufferBuilder builder;
  return finish_action(builder, fb::ActionBody::SaveGame, fb::CreateSaveGame(builder).Union());
}

inline void run(Universe& universe, int ticks) {
  for (int i = 0; i < ticks; ++i) universe.tick();
}

inline const world::GameState& world_of(Universe& universe) {
  const BytesView bytes = universe.snapshot("world");
  flatbuffers::Verifier verifier(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  REQUIRE(world::VerifyGameStateBuffer(verifier));
  return *world::GetGameState(bytes.data());
}

inline const world::Player& player_of(Universe& universe, const std::string& user = kAlice) {
  const BytesView bytes = universe.snapshot("player/" + user);
  flatbuffers::Verifier verifier(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  REQUIRE(verifier.VerifyBuffer<world::Player>(nullptr));
  return *flatbuffers::GetRoot<world::Player>(bytes.data());
}

inline std::map<std::string, Bytes> all_snapshots(Universe& universe) {
  std::map<std::string, Bytes> all;
  for (const TopicSpec& topic : universe.topics()) all[topic.name] = copy_of(universe.snapshot(topic.name));
  return all;
}

inline const fb::ActionOutcome& answer_of(const server::ActionOutcome& outcome) {
  return *flatbuffers::GetRoot<fb::ActionOutcome>(outcome.payload.data());
}

// Does what must be refused, and checks that nothing at all changed by it.
inline std::string refused(Universe& universe, const Bytes& payload, const std::string& user = kAlice,
                           ErrorCode code = ErrorCode::kActionRefused) {
  const auto before = all_snapshots(universe);
  const auto saved_before = universe.save();
  const server::ActionOutcome outcome = universe.on_action(user, payload);
  CHECK(outcome.status == ActionStatus::kRefused);
  CHECK(outcome.code == code);
  CHECK_FALSE(outcome.message.empty());
  CHECK(outcome.visible_in.empty());
  CHECK(outcome.payload.empty());
  CHECK_FALSE(outcome.wants_save);
  CHECK(all_snapshots(universe) == before);
  CHECK(universe.save() == saved_before);
  return outcome.message;
}

inline server::ActionOutcome accepted(Universe& universe, const Bytes& payload, const std::string& user = kAlice) {
  server::ActionOutcome outcome = universe.on_action(user, payload);
  CHECK_MESSAGE(outcome.status == ActionStatus::kAccepted, outcome.message);
  CHECK(outcome.code == ErrorCode::kNone);
  return outcome;
}

inline bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// A universe with alice in it.
struct Played {
  explicit Played(UniverseOptions options = {}) : universe(options) { universe.join(kAlice); }
  Universe universe;
};

inline UniverseOptions small(std::size_t bodies = 60) {
  UniverseOptions options;
  options.body_count = bodies;
  return options;
}

}  // namespace libsync::server::test
