#include "game/snapshots.h"

#include <vector>

namespace libsync::server {
namespace {

template <typename Table>
using Offsets = std::vector<flatbuffers::Offset<Table>>;

world::Vec3 vec3(const Vec3f& v) { return {v.x, v.y, v.z}; }

}  // namespace

void build_world(flatbuffers::FlatBufferBuilder& builder, const Bodies& bodies, const GameTime& time, Frame frame) {
  builder.Clear();
  builder.ForceDefaults(true);
  Offsets<world::CelestialBody> tables;
  tables.reserve(bodies.size());
  for (const Body& body : bodies.all()) {
    const Motion& motion = frame == Frame::kAbsolute ? body.absolute : body.relative;
    const world::Vec3 position = vec3(motion.position);
    const world::Vec3 velocity = vec3(motion.velocity);
    // A name belongs to its body; the owner's is written once for all that are his.
    const auto name = body.name.empty() ? 0 : builder.CreateString(body.name);
    const auto owner = body.owner.empty() ? 0 : builder.CreateSharedString(body.owner);
    tables.push_back(world::CreateCelestialBody(builder, body.id, body.body_type, &position, &velocity, body.mass,
                                                body.radius, body.parent, name, owner));
  }
  const auto list = builder.CreateVector(tables);
  world::FinishGameStateBuffer(builder, world::CreateGameState(builder, time.tick, time.time_ms, bodies.gravity(),
                                                               bodies.next_id(), list, kUniverseRadius));
}

void build_player(flatbuffers::FlatBufferBuilder& builder, const Player& player) {
  builder.Clear();
  builder.ForceDefaults(true);
  const Player::Saved& state = player.state();

  Offsets<world::Research> research;
  for (const ResearchNode& node : research_tree()) {
    const auto name = builder.CreateString(node.name);
    const auto effect = builder.CreateString(node.effect);
    const auto needed = builder.CreateVector(node.prerequisites.data(), node.prerequisites.size());
    const world::ResearchStatus status = player.status_of(node);
    const std::uint64_t done_at_ms = status == world::ResearchStatus::kRunning ? state.research_done_at_ms : 0;
    research.push_back(world::CreateResearch(builder, node.id, name, effect, needed, node.cost_science,
                                             node.cost_energy, node.duration_ms, status, done_at_ms));
  }
  const auto research_list = builder.CreateVector(research);

  Offsets<world::BodyPrice> prices;
  for (const BodyTraits& traits : kBodyTraits) {
    const Price price = player.price_of(traits);
    prices.push_back(
        world::CreateBodyPrice(builder, traits.body_type, price.energy, price.minerals, player.unlocked(traits)));
  }
  const auto price_list = builder.CreateVector(prices);

  const Amounts& amounts = state.amounts;
  const Amounts rates = player.rates();
  const auto resources = world::CreateResources(builder, amounts.energy, amounts.minerals, amounts.science,
                                                rates.energy, rates.minerals, rates.science);
  const auto user = builder.CreateString(state.user);
  builder.Finish(world::CreatePlayer(builder, user, state.time_ms, resources, research_list, price_list,
                                     player.bodies_created(), player.bodies_allowed(), state.last_saved_tick));
}

}  // namespace libsync::server
