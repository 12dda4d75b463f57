#include "game/universe.h"

#include <map>
#include <utility>

#include "game/action_request.h"
#include "game/genesis.h"
#include "game/rules.h"
#include "game/saved_state.h"
#include "world_bfbs_generated.h"

namespace libsync::server {
namespace {

constexpr std::string_view kWorldTopic = "world";
constexpr std::string_view kPlayerTopicPrefix = "player/";

std::string player_topic(const std::string& user) { return std::string(kPlayerTopicPrefix) + user; }

ActionOutcome refusal(const Error& error) {
  ActionOutcome outcome;
  outcome.status = ActionStatus::kRefused;
  outcome.code = error.code;
  outcome.message = error.detail;
  return outcome;
}

}  // namespace

Universe::Universe(const UniverseOptions& options)
    : options_(options), bodies_(make_bodies(options.seed, options.body_count)), roster_(options.max_players) {}

std::span<const std::byte> Universe::schema() const {
  return {reinterpret_cast<const std::byte*>(world::GameStateBinarySchema::data()),
          world::GameStateBinarySchema::size()};
}

std::vector<TopicSpec> Universe::topics() const {
  std::vector<TopicSpec> topics;
  topics.reserve(1 + roster_.online().size());
  topics.push_back({std::string(kWorldTopic), TopicClass::kBulk, 128});
  for (const std::string& user : roster_.online()) topics.push_back({player_topic(user), TopicClass::kOwn, 255});
  return topics;
}

bool Universe::may_subscribe(std::string_view user, std::string_view topic) const {
  if (topic == kWorldTopic) return true;
  return topic.substr(0, kPlayerTopicPrefix.size()) == kPlayerTopicPrefix &&
         topic.substr(kPlayerTopicPrefix.size()) == user;
}

void Universe::join(const std::string& user) {
  Roster::Entry& entry = known(user);
  roster_.set_online(entry, true);
}

void Universe::leave(const std::string& user) {
  if (Roster::Entry* entry = roster_.find(user)) roster_.set_online(*entry, false);
}

// Who is not known begins anew, but with the bodies that he created before he was forgotten.
Roster::Entry& Universe::known(const std::string& user) {
  if (Roster::Entry* entry = roster_.find(user)) return *entry;
  Player player(user, time_.time_ms);
  for (const Body& body : bodies_.all()) {
    if (body.owner == user && !user.empty()) player.count_body(body.body_type);
  }
  return roster_.add(std::move(player));
}

ActionOutcome Universe::on_action(const std::string& user, BytesView payload) {
  Result<ActionRequest> request = decode_action(payload);
  if (!request) return refusal(request.error());
  Roster::Entry& entry = known(user);

  if (std::holds_alternative<SaveRequest>(*request)) return ask_for_save(entry);

  ActionOutcome outcome;
  if (const auto* create = std::get_if<CreateBodyRequest>(&*request)) {
    const Result<std::uint32_t> id = create_body(bodies_, entry.player, *create, time_.time_ms, options_.max_bodies);
    if (!id) return refusal(id.error());
    world_built_ = false;
    outcome.payload = encode_body_created(*id);
    outcome.visible_in.emplace_back(kWorldTopic);
  } else {
    const std::uint16_t research = std::get<ResearchRequest>(*request).research;
    const Result<bool> started = start_research(entry.player, research, time_.time_ms);
    if (!started) return refusal(started.error());
    roster_.note_research(entry.player);
  }
  entry.snapshot.clear();
  outcome.visible_in.push_back(player_topic(user));
  return outcome;
}

ActionOutcome Universe::ask_for_save(Roster::Entry& entry) {
  if (entry.save_tick) return refusal({ErrorCode::kActionRefused, "the last save has not ended yet"});
  if (entry.save_asked_ms && time_.time_ms - *entry.save_asked_ms < options_.save_interval_ms) {
    return refusal({ErrorCode::kActionRefused, "the last save was a moment ago; one per second is enough"});
  }
  entry.save_tick = time_.tick;
  entry.save_asked_ms = time_.time_ms;
  ActionOutcome outcome;
  outcome.wants_save = true;
  outcome.payload = encode_save_asked(time_.tick);
  outcome.visible_in.push_back(player_topic(entry.player.state().user));
  return outcome;
}

void Universe::on_saved(const std::string& user, bool durable) {
  Roster::Entry* entry = roster_.find(user);
  if (entry == nullptr || !entry->save_tick) return;
  if (durable) {
    entry->player.set_last_saved_tick(*entry->save_tick);
    entry->snapshot.clear();
  }
  entry->save_tick.reset();
}

void Universe::tick() {
  ++time_.tick;
  time_.time_ms += options_.tick_ms;
  bodies_.step(static_cast<float>(options_.tick_ms) / 1000.0F);
  roster_.finish_research(time_.time_ms);
  world_built_ = false;
}

BytesView Universe::snapshot(std::string_view topic) {
  if (topic == kWorldTopic) {
    if (!world_built_) build_world(world_builder_, bodies_, time_, Frame::kAbsolute);
    world_built_ = true;
    return view_of(world_builder_);
  }
  SYNC_ASSERT(topic.substr(0, kPlayerTopicPrefix.size()) == kPlayerTopicPrefix);
  Roster::Entry* entry = roster_.find(topic.substr(kPlayerTopicPrefix.size()));
  SYNC_ASSERT(entry != nullptr);
  if (entry->snapshot.empty()) {
    build_player(player_builder_, entry->player);
    const BytesView bytes = view_of(player_builder_);
    entry->snapshot.assign(bytes.begin(), bytes.end());
  }
  return entry->snapshot;
}

std::vector<SaveRecord> Universe::save() const {
  std::vector<SaveRecord> records;
  records.reserve(1 + roster_.all().size());
  records.push_back(encode_world(bodies_, time_));
  for (const auto& [user, entry] : roster_.all()) {
    Player::Saved state = entry.player.state();
    // If these records become durable, they are the save that was asked for.
    if (entry.save_tick) state.last_saved_tick = *entry.save_tick;
    records.push_back(encode_player(state, entry.player.bodies_created()));
  }
  return records;
}

Result<bool> Universe::load(const std::vector<SaveRecord>& records) {
  if (records.empty()) return false;
  Result<SavedUniverse> saved = decode_saved(records, options_.max_bodies);
  if (!saved) return saved.error();

  std::map<std::string_view, std::vector<BodyType>> owned;
  for (const Body& body : saved->bodies.all()) {
    if (!body.owner.empty()) owned[body.owner].push_back(body.body_type);
  }
  Roster roster(options_.max_players);
  for (auto& [user, state] : saved->players) {
    Player player(std::move(state));
    for (const BodyType type : owned[user]) player.count_body(type);
    roster.add(std::move(player));
  }
  roster_ = std::move(roster);
  bodies_ = std::move(saved->bodies);
  time_ = saved->time;
  world_built_ = false;
  return true;
}

}  // namespace libsync::server
