#include "game/saved_state.h"

#include <cmath>
#include <optional>
#include <string_view>
#include <utility>

namespace libsync::server {
namespace {

// Ticks and milliseconds stay exact as doubles, which JavaScript has for numbers.
constexpr std::uint64_t kMaxCount = std::uint64_t{1} << 53U;
constexpr std::size_t kMaxTextBytes = 1024;

using Problem = std::optional<std::string>;

Error unusable(const std::string& key, const std::string& why) {
  return {ErrorCode::kMalformed, "saved record \"" + key + "\": " + why};
}

bool is_positive(float value) { return std::isfinite(value) && value > 0; }
bool is_amount(double value) { return std::isfinite(value) && value >= 0; }
Vec3f from(const world::Vec3& v) { return {v.x(), v.y(), v.z()}; }

const std::uint8_t* data_of(const Bytes& bytes) { return reinterpret_cast<const std::uint8_t*>(bytes.data()); }

Problem check_body(const world::CelestialBody& table, const Bodies& before) {
  if (table.id() == 0 || table.id() >= UINT32_MAX - 1) return "an id out of range";
  if (before.size() != 0 && table.id() <= before.all().back().id) return "ids are not ascending";
  if (table.body_type() > BodyType::kStation) return "an unknown type of body";
  if (table.position() == nullptr || table.velocity() == nullptr) return "a body without motion";
  const Vec3f position = from(*table.position());
  if (!is_finite(position) || !is_finite(from(*table.velocity()))) return "a motion that is not finite";
  if (!is_positive(table.mass()) || !is_positive(table.radius())) return "a mass or radius that is not positive";
  if ((table.name() != nullptr && table.name()->size() > kMaxTextBytes) ||
      (table.owner() != nullptr && table.owner()->size() > kMaxTextBytes)) {
    return "a name that is too long";
  }
  const bool is_star = table.body_type() == BodyType::kStar;
  if (is_star != (before.size() == 0)) return "the first body, and no other, is the star";
  if (is_star != (table.parent() == 0)) return "every body but the star has a parent";
  if (!is_star && before.find(table.parent()) == nullptr) return "a parent that is not older than its body";
  if (!is_star && length_squared(position) == 0) return "a body in the centre of its parent";
  return std::nullopt;
}

Problem decode_world(const Bytes& value, std::size_t max_bodies, SavedUniverse& out) {
  // Three tables deep; a table per body and the root.
  flatbuffers::Verifier verifier(data_of(value), value.size(), 8, static_cast<flatbuffers::uoffset_t>(max_bodies + 1));
  if (!world::VerifyGameStateBuffer(verifier)) return "not a GameState, or too many bodies";
  const auto& table = *world::GetGameState(value.data());
  if (table.tick() >= kMaxCount || table.time_ms() >= kMaxCount) return "a time out of range";
  if (!is_positive(table.gravity())) return "a gravity that is not positive";
  out.time = {table.tick(), table.time_ms()};
  out.bodies = Bodies(table.gravity());
  for (const world::CelestialBody* body : *table.bodies()) {
    if (Problem problem = check_body(*body, out.bodies)) return problem;
    Body restored;
    restored.id = body->id();
    restored.body_type = body->body_type();
    restored.mass = body->mass();
    restored.radius = body->radius();
    restored.parent = body->parent();
    restored.relative = {from(*body->position()), from(*body->velocity())};
    if (body->name() != nullptr) restored.name = body->name()->str();
    if (body->owner() != nullptr) restored.owner = body->owner()->str();
    out.bodies.restore(std::move(restored));
    const Motion& absolute = out.bodies.all().back().absolute;
    if (!is_finite(absolute.position) || !is_finite(absolute.velocity)) return "a motion that is not finite";
  }
  if (out.bodies.size() == 0 || out.bodies.size() > max_bodies) return "no body at all, or too many";
  if (table.next_body_id() <= out.bodies.all().back().id || table.next_body_id() == UINT32_MAX) {
    return "a next id that is used already";
  }
  out.bodies.set_next_id(table.next_body_id());
  return std::nullopt;
}

Problem check_research(const Player::Saved& player, const GameTime& now) {
  const auto open = [&](const ResearchNode& node) {
    for (const std::uint16_t id : node.prerequisites) {
      if (player.research_done.count(id) == 0) return false;
    }
    return true;
  };
  for (const std::uint16_t id : player.research_done) {
    const ResearchNode* node = find_research(id);
    if (node == nullptr || !open(*node)) return "research that could not have been done";
  }
  if (player.research_running == 0) return player.research_done_at_ms == 0 ? Problem() : "an end of no research";
  const ResearchNode* node = find_research(player.research_running);
  if (node == nullptr || !open(*node) || player.research_done.count(node->id) != 0) {
    return "research that could not be running";
  }
  if (player.research_done_at_ms <= now.time_ms || player.research_done_at_ms > now.time_ms + node->duration_ms) {
    return "research that ends at an impossible time";
  }
  return std::nullopt;
}

Problem decode_player(const Bytes& value, std::string_view user, const GameTime& now, Player::Saved& out) {
  flatbuffers::Verifier verifier(data_of(value), value.size(), 8, 8);
  if (!verifier.VerifyBuffer<world::SavedPlayer>(nullptr)) return "not a SavedPlayer";
  const auto& table = *flatbuffers::GetRoot<world::SavedPlayer>(value.data());
  out.user = table.user()->str();
  if (out.user != user) return "the user is another one than the key says";
  out.amounts = {table.energy(), table.minerals(), table.science()};
  if (!is_amount(out.amounts.energy) || !is_amount(out.amounts.minerals) || !is_amount(out.amounts.science)) {
    return "an amount that is negative or not finite";
  }
  out.time_ms = table.time_ms();
  out.last_saved_tick = table.last_saved_tick();
  if (out.time_ms > now.time_ms || out.last_saved_tick > now.tick) return "a time in the future";
  if (table.research_done() != nullptr) {
    for (const std::uint16_t id : *table.research_done()) {
      if (!out.research_done.insert(id).second) return "research that was done twice";
    }
  }
  out.research_running = table.research_running();
  out.research_done_at_ms = table.research_done_at_ms();
  return check_research(out, now);
}

}  // namespace

SaveRecord encode_world(const Bodies& bodies, const GameTime& time) {
  flatbuffers::FlatBufferBuilder builder;
  build_world(builder, bodies, time, Frame::kRelativeToParent);
  const BytesView bytes = view_of(builder);
  return {kWorldKey, Bytes(bytes.begin(), bytes.end())};
}

SaveRecord encode_player(const Player::Saved& player, std::uint32_t bodies_created) {
  flatbuffers::FlatBufferBuilder builder(256);
  const auto user = builder.CreateString(player.user);
  const auto done =
      builder.CreateVector(std::vector<std::uint16_t>(player.research_done.begin(), player.research_done.end()));
  builder.Finish(world::CreateSavedPlayer(builder, user, player.amounts.energy, player.amounts.minerals,
                                          player.amounts.science, player.time_ms, done, player.research_running,
                                          player.research_done_at_ms, bodies_created, player.last_saved_tick));
  const BytesView bytes = view_of(builder);
  return {kPlayerPrefix + player.user, Bytes(bytes.begin(), bytes.end())};
}

Result<SavedUniverse> decode_saved(const std::vector<SaveRecord>& records, std::size_t max_bodies) {
  SavedUniverse saved;
  bool has_world = false;
  for (const SaveRecord& record : records) {
    if (record.key != kWorldKey) continue;
    if (has_world) return unusable(record.key, "there are two");
    if (Problem problem = decode_world(record.value, max_bodies, saved)) return unusable(record.key, *problem);
    has_world = true;
  }
  if (!has_world) return unusable(kWorldKey, "missing");

  const std::string_view prefix = kPlayerPrefix;
  for (const SaveRecord& record : records) {
    if (record.key == kWorldKey) continue;
    if (record.key.compare(0, prefix.size(), prefix) != 0) return unusable(record.key, "not a key of this game");
    const std::string user = record.key.substr(prefix.size());
    Player::Saved player;
    if (Problem problem = decode_player(record.value, user, saved.time, player)) return unusable(record.key, *problem);
    if (!saved.players.emplace(user, std::move(player)).second) return unusable(record.key, "there are two");
  }
  return saved;
}

}  // namespace libsync::server
