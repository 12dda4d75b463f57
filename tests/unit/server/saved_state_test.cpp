// saved_state.h: what is kept between runs, and that only what the game could have saved is taken back.
#include "game/saved_state.h"

#include <doctest/doctest.h>

#include <limits>
#include <random>

#include "universe_support.h"

using namespace libsync;                // NOLINT(google-build-using-namespace)
using namespace libsync::server;        // NOLINT(google-build-using-namespace)
using namespace libsync::server::test;  // NOLINT(google-build-using-namespace)

namespace {

// A record of the world with one thing changed by `change`, as a save of `universe` has it.
template <typename Change>
std::vector<SaveRecord> changed_world(const Universe& universe, Change change) {
  std::vector<SaveRecord> records = universe.save();
  world::GameStateT state;
  world::GetGameState(records[0].value.data())->UnPackTo(&state);
  change(state);
  flatbuffers::FlatBufferBuilder builder;
  world::FinishGameStateBuffer(builder, world::GameState::Pack(builder, &state));
  records[0].value = copy_of(view_of(builder));
  return records;
}

template <typename Change>
std::vector<SaveRecord> changed_player(const Universe& universe, Change change) {
  std::vector<SaveRecord> records = universe.save();
  world::SavedPlayerT state;
  flatbuffers::GetRoot<world::SavedPlayer>(records[1].value.data())->UnPackTo(&state);
  change(state);
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(world::SavedPlayer::Pack(builder, &state));
  records[1].value = copy_of(view_of(builder));
  return records;
}

// Checks that a new universe refuses the records and stays what it was.
std::string load_refused(const std::vector<SaveRecord>& records) {
  Universe universe(small());
  const Bytes before = copy_of(universe.snapshot("world"));
  const Result<bool> loaded = universe.load(records);
  REQUIRE_FALSE(loaded.has_value());
  CHECK(loaded.error().code == ErrorCode::kMalformed);
  CHECK(copy_of(universe.snapshot("world")) == before);
  CHECK(universe.save().size() == 1);
  return loaded.error().detail;
}

}  // namespace

TEST_CASE("save, load: a restarted universe has the same bytes and goes on with the same bytes") {
  std::mt19937 random(17);
  std::uniform_real_distribution<float> any(-800, 800);
  Universe universe;
  const std::vector<std::string> users{"alice", "bob", "c/d%_", "\xC3\xA9"};
  for (const std::string& user : users) universe.join(user);
  for (int i = 0; i < 400; ++i) {
    const std::string& user = users[random() % users.size()];
    universe.on_action(user, create_action(random() % 2 ? BodyType::kAsteroid : BodyType::kComet,
                                           {any(random), any(random), any(random) * 0.01F}, i % 3 ? "" : "n"));
    universe.on_action(user, research_action(static_cast<std::uint16_t>(1 + random() % 12)));
    run(universe, static_cast<int>(random() % 20));
  }
  Universe restarted(small(3));
  const auto loaded = restarted.load(universe.save());
  REQUIRE(loaded.has_value());
  CHECK(loaded.value());
  for (const std::string& user : users) restarted.join(user);
  CHECK(all_snapshots(restarted) == all_snapshots(universe));
  CHECK(restarted.save() == universe.save());
  for (Universe* u : {&universe, &restarted}) {
    run(*u, 500);
    u->on_action("alice", create_action(BodyType::kAsteroid, {200, 200, 0}));
    run(*u, 5);
  }
  CHECK(all_snapshots(restarted) == all_snapshots(universe));
}

TEST_CASE("save: a record of a player who did nothing stays the same") {
  Played game(small());
  const auto before = game.universe.save();
  run(game.universe, 50);
  const auto after = game.universe.save();
  REQUIRE(after.size() == 2);
  CHECK(after[1] == before[1]);
  CHECK_FALSE(after[0] == before[0]);
}

TEST_CASE("load: nothing saved leaves the universe new") {
  Universe universe(small());
  const auto loaded = universe.load({});
  REQUIRE(loaded.has_value());
  CHECK_FALSE(loaded.value());
}

TEST_CASE("load: refuses a world that the game could not have saved") {
  Universe universe(small());
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto world = [&](auto change) { return load_refused(changed_world(universe, change)); };
  using State = world::GameStateT;
  CHECK(has(world([](State& s) { s.bodies[5]->id = s.bodies[4]->id; }), "ascending"));
  CHECK(has(world([](State& s) { std::swap(s.bodies[5], s.bodies[6]); }), "ascending"));
  CHECK(has(world([](State& s) { s.bodies[0]->id = 0; }), "id"));
  CHECK(has(world([](State& s) { s.bodies[5]->parent = s.bodies[5]->id; }), "parent"));
  CHECK(has(world([](State& s) { s.bodies[5]->parent = s.bodies[6]->id; }), "parent"));
  CHECK(has(world([](State& s) { s.bodies[5]->parent = 99'999; }), "parent"));
  CHECK(has(world([](State& s) { s.bodies[5]->parent = 0; }), "parent"));
  CHECK(has(world([](State& s) { s.bodies[5]->body_type = BodyType::kStar; }), "star"));
  CHECK(has(world([](State& s) { s.bodies.erase(s.bodies.begin()); }), "star"));
  CHECK(has(world([](State& s) { s.bodies[5]->body_type = static_cast<BodyType>(77); }), "type"));
  CHECK(has(world([&](State& s) { *s.bodies[5]->position = world::Vec3(nan, 0, 0); }), "finite"));
  CHECK(has(world([&](State& s) { *s.bodies[5]->velocity = world::Vec3(0, 0, nan); }), "finite"));
  CHECK(has(world([](State& s) { *s.bodies[5]->position = world::Vec3(0, 0, 0); }), "centre"));
  CHECK(has(world([](State& s) { s.bodies[5]->position.reset(); }), "motion"));
  CHECK(has(world([&](State& s) { s.bodies[5]->mass = nan; }), "mass"));
  CHECK(has(world([](State& s) { s.bodies[5]->radius = -1; }), "radius"));
  CHECK(has(world([](State& s) { s.gravity = 0; }), "gravity"));
  CHECK(has(world([](State& s) { s.next_body_id = s.bodies.back()->id; }), "next id"));
  CHECK(has(world([](State& s) { s.tick = UINT64_MAX; }), "time"));
  CHECK(has(world([](State& s) { s.bodies.clear(); }), "no body"));
}

TEST_CASE("load: refuses a player that the game could not have saved") {
  Played game(small());
  run(game.universe, 10);
  const auto player = [&](auto change) { return load_refused(changed_player(game.universe, change)); };
  using State = world::SavedPlayerT;
  CHECK(has(player([](State& s) { s.user = "mallory"; }), "user"));
  CHECK(has(player([](State& s) { s.energy = -1; }), "amount"));
  CHECK(has(player([](State& s) { s.science = std::numeric_limits<double>::infinity(); }), "amount"));
  CHECK(has(player([](State& s) { s.time_ms = 1001; }), "future"));
  CHECK(has(player([](State& s) { s.last_saved_tick = 11; }), "future"));
  CHECK(has(player([](State& s) { s.research_done = {1, 1}; }), "twice"));
  CHECK(has(player([](State& s) { s.research_done = {5}; }), "could not have been done"));
  CHECK(has(player([](State& s) { s.research_done = {99}; }), "could not have been done"));
  CHECK(has(player([](State& s) { s.research_running = 5, s.research_done_at_ms = 2000; }), "running"));
  CHECK(has(player([](State& s) { s.research_running = 1, s.research_done_at_ms = 1000; }), "impossible time"));
  CHECK(has(player([](State& s) { s.research_running = 1, s.research_done_at_ms = 99'000; }), "impossible time"));
  CHECK(has(player([](State& s) { s.research_done_at_ms = 2000; }), "no research"));
}

TEST_CASE("load: refuses records that are missing, double, foreign or cut") {
  Played game(small());
  const std::vector<SaveRecord> good = game.universe.save();
  REQUIRE(good.size() == 2);
  CHECK(has(load_refused({good[1]}), "missing"));
  CHECK(has(load_refused({good[0], good[0]}), "two"));
  CHECK(has(load_refused({good[0], good[1], good[1]}), "two"));
  CHECK(has(load_refused({good[0], {"other", {}}}), "not a key"));
  for (std::size_t which = 0; which < 2; ++which) {
    for (std::size_t size = 0; size + 8 < good[which].value.size(); size += which == 0 ? 37 : 1) {
      std::vector<SaveRecord> cut = good;
      cut[which].value.resize(size);
      load_refused(cut);
    }
  }
}

TEST_CASE("load: whatever bytes are wrong, it either refuses or takes over a world that runs and can be saved") {
  Played game(small(20));
  const std::vector<SaveRecord> good = game.universe.save();
  std::mt19937 random(23);
  for (int i = 0; i < 3000; ++i) {
    std::vector<SaveRecord> bad = good;
    Bytes& value = bad[random() % 2].value;
    for (int flips = 0; flips < 3; ++flips) value[random() % value.size()] = static_cast<std::byte>(random());
    Universe universe(small(1));
    if (!universe.load(bad)) continue;
    run(universe, 3);
    universe.join(kAlice);
    all_snapshots(universe);
  }
}
