#include "build_world.h"

#include <vector>

namespace libsync::traces {
namespace {

using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;

fb::Vec3d to_double(const Vector& v) { return {v[0], v[1], v[2]}; }
fb::Vec3f to_float(const Vector& v) {
  return {static_cast<float>(v[0]), static_cast<float>(v[1]), static_cast<float>(v[2])};
}
fb::Vec3i to_fixed(const Vector& v) {
  return {static_cast<std::int32_t>(v[0]), static_cast<std::int32_t>(v[1]), static_cast<std::int32_t>(v[2])};
}

Offset<fb::Body> build(FlatBufferBuilder& builder, const Body& body, Motion motion) {
  const auto name = builder.CreateString(body.name);
  const auto resources = builder.CreateVector(body.resources.data(), body.resources.size());
  const fb::Vec3d position_double = to_double(body.position), velocity_double = to_double(body.velocity);
  const fb::Vec3f position_float = to_float(body.position), velocity_float = to_float(body.velocity);
  const fb::Vec3i position_fixed = to_fixed(body.position), velocity_fixed = to_fixed(body.velocity);
  const bool is_double = motion == Motion::kDouble, is_float = motion == Motion::kFloat;
  const bool is_fixed = motion == Motion::kFixed;
  return fb::CreateBody(builder, body.id, body.kind, name, body.owner, is_double ? &position_double : nullptr,
                        is_double ? &velocity_double : nullptr, is_float ? &position_float : nullptr,
                        is_float ? &velocity_float : nullptr, is_fixed ? &position_fixed : nullptr,
                        is_fixed ? &velocity_fixed : nullptr, body.mass, body.radius, body.population, body.hp,
                        body.temperature, body.shield, resources);
}

Offset<fb::Player> build(FlatBufferBuilder& builder, const Player& player) {
  const auto name = builder.CreateString(player.name);
  const auto status = builder.CreateString(player.status);
  const auto inventory = builder.CreateVectorOfStructs(player.inventory);
  return fb::CreatePlayer(builder, player.id, name, player.credits, player.score, status, inventory);
}

Offset<fb::Research> build(FlatBufferBuilder& builder, const Research& node) {
  const auto name = builder.CreateString(node.name);
  return fb::CreateResearch(builder, node.id, name, node.level, node.progress, node.cost);
}

Offset<fb::Event> build(FlatBufferBuilder& builder, const Event& event) {
  return fb::CreateEvent(builder, event.id, event.tick, event.kind, event.body, event.player, event.amount);
}

Offset<fb::ChatLine> build(FlatBufferBuilder& builder, const ChatLine& line) {
  const auto text = builder.CreateString(line.text);
  return fb::CreateChatLine(builder, line.id, line.player, line.time_ms, text);
}

template <typename Table, typename Model, typename... More>
std::vector<Offset<Table>> build_all(FlatBufferBuilder& builder, const std::vector<Model>& models, More... more) {
  std::vector<Offset<Table>> offsets;
  offsets.reserve(models.size());
  for (const Model& model : models) offsets.push_back(build(builder, model, more...));
  return offsets;
}

// A game without players has no vector of players, rather than an empty one.
template <typename Table>
Offset<flatbuffers::Vector<Offset<Table>>> vector_of(FlatBufferBuilder& builder,
                                                     const std::vector<Offset<Table>>& all) {
  return all.empty() ? 0 : builder.CreateVector(all);
}

}  // namespace

void build_world(const World& world, FlatBufferBuilder& builder) {
  builder.Clear();
  const auto body_tables = build_all<fb::Body>(builder, world.bodies, world.motion);
  const auto player_tables = build_all<fb::Player>(builder, world.players);
  const auto research_tables = build_all<fb::Research>(builder, world.research);
  const auto event_tables = build_all<fb::Event>(builder, world.events);
  const auto chat_tables = build_all<fb::ChatLine>(builder, world.chat);
  const auto bodies = vector_of(builder, body_tables);
  const auto players = vector_of(builder, player_tables);
  const auto research = vector_of(builder, research_tables);
  const auto events = vector_of(builder, event_tables);
  const auto chat = vector_of(builder, chat_tables);
  const auto cubes = world.cubes.empty() ? Offset<flatbuffers::Vector<const fb::Cube*>>(0)
                                         : builder.CreateVectorOfStructs(world.cubes);
  const fb::Vec3f viewer = to_float(world.viewer);
  fb::FinishWorldBuffer(
      builder, fb::CreateWorld(builder, world.tick, world.time_ms, world.has_viewer ? &viewer : nullptr, bodies,
                               players, research, events, chat, cubes));
}

}  // namespace libsync::traces
