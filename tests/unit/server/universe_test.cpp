// universe.h: the reference game through its interface. Orbits and saved records have files of their own.
#include "game/universe.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <random>

#include "game/genesis.h"
#include "game/name_rules.h"
#include "game/research_tree.h"
#include "game/rules.h"
#include "universe_support.h"

using namespace libsync;                // NOLINT(google-build-using-namespace)
using namespace libsync::server;        // NOLINT(google-build-using-namespace)
using namespace libsync::server::test;  // NOLINT(google-build-using-namespace)

// --- The beginning -----------------------------------------------------------------------------------------

TEST_CASE("Universe: has 1,000 bodies by id at the start, one star, a dozen planets") {
  Universe universe;
  const world::GameState& state = world_of(universe);
  REQUIRE(state.bodies()->size() == 1000);
  std::map<BodyType, int> count;
  std::uint32_t last = 0;
  for (const world::CelestialBody* body : *state.bodies()) {
    CHECK(body->id() > last);
    last = body->id();
    ++count[body->body_type()];
  }
  CHECK(count[BodyType::kStar] == 1);
  CHECK(count[BodyType::kPlanet] == 12);
  CHECK(count[BodyType::kComet] == 80);
  CHECK(count[BodyType::kAsteroid] > 800);
  CHECK(state.next_body_id() == 1001);
  CHECK(state.radius() == kUniverseRadius);
  CHECK(state.bodies()->LookupByKey(2)->name()->str() == "Ember");
}

TEST_CASE("Universe: the same seed and actions give the same bytes, another seed does not") {
  const auto play = [](std::uint64_t seed) {
    UniverseOptions options;
    options.seed = seed;
    Played game(options);
    accepted(game.universe, create_action(BodyType::kAsteroid, {100, 50, 1}, "mine"));
    accepted(game.universe, research_action(1));
    run(game.universe, 200);
    return all_snapshots(game.universe);
  };
  CHECK(play(9) == play(9));
  CHECK(play(9).at("world") != play(10).at("world"));
}

TEST_CASE("Universe: a tick changes numbers in the world's bytes and the place of nothing") {
  Universe universe(small());
  const Bytes before = copy_of(universe.snapshot("world"));
  universe.tick();
  const Bytes after = copy_of(universe.snapshot("world"));
  REQUIRE(before.size() == after.size());
  const auto* a = world::GetGameState(before.data());
  const auto* b = world::GetGameState(after.data());
  for (flatbuffers::uoffset_t i = 0; i < a->bodies()->size(); ++i) {
    const auto place = [](const world::GameState* s, const world::CelestialBody* body) {
      return reinterpret_cast<const std::uint8_t*>(body) - reinterpret_cast<const std::uint8_t*>(s);
    };
    CHECK(place(a, a->bodies()->Get(i)) == place(b, b->bodies()->Get(i)));
    if (i > 0) CHECK_FALSE(*a->bodies()->Get(i)->position() == *b->bodies()->Get(i)->position());
  }
  CHECK(b->tick() == 1);
  CHECK(b->time_ms() == 100);
}

TEST_CASE("Universe: its schema is the binary schema of world.fbs") {
  const Universe universe(small(1));
  const auto schema = universe.schema();
  REQUIRE(schema.size() > 8);
  CHECK(std::string(reinterpret_cast<const char*>(schema.data()) + 4, 4) == "BFBS");
}

// --- Topics ------------------------------------------------------------------------------------------------

TEST_CASE("Universe: everybody may see the world, and each player himself alone") {
  Universe universe(small());
  CHECK(universe.may_subscribe("alice", "world"));
  CHECK(universe.may_subscribe("alice", "player/alice"));
  for (const char* topic : {"player/bob", "player/", "player/alice2", "player/alic", "worlds", "", "player"}) {
    CHECK_FALSE(universe.may_subscribe("alice", topic));
  }
}

TEST_CASE("Universe: a player's topic exists from join to leave") {
  Universe universe(small());
  REQUIRE(universe.topics().size() == 1);
  universe.join("bob");
  universe.join("alice");
  REQUIRE(universe.topics().size() == 3);
  CHECK(universe.topics()[1].name == "player/alice");
  CHECK(universe.topics()[1].topic_class == TopicClass::kOwn);
  universe.leave("bob");
  universe.leave("nobody");
  CHECK(universe.topics().size() == 2);
}

TEST_CASE("Universe: passing time does not change a player's snapshot, and amounts grow by the rates all the same") {
  Played game(small());
  const Bytes before = copy_of(game.universe.snapshot(kAliceTopic));
  run(game.universe, 300);
  CHECK(copy_of(game.universe.snapshot(kAliceTopic)) == before);
  accepted(game.universe, create_action(BodyType::kAsteroid, {100, 0, 0}));
  const world::Player& player = player_of(game.universe);
  CHECK(player.time_ms() == 30'000);
  CHECK(player.resources()->energy() == doctest::Approx(200 + 30 * 2 - 15));
  CHECK(player.resources()->minerals() == doctest::Approx(200 + 30 * 2 - 15));
  CHECK(player.resources()->science() == doctest::Approx(30 + 30 * 0.5));
  CHECK(player.resources()->minerals_rate() == doctest::Approx(2.1));
}

// --- CreateCelestialBody -----------------------------------------------------------------------------------

TEST_CASE("CreateCelestialBody: a new player can create ten asteroids at once, each on a circle around the star") {
  Played game;
  for (int i = 0; i < 10; ++i) {
    const server::ActionOutcome outcome =
        accepted(game.universe, create_action(BodyType::kAsteroid, {120 + static_cast<float>(i), 30, 0.5F}));
    CHECK(outcome.visible_in == std::vector<std::string>{"world", kAliceTopic});
    const auto* body = world_of(game.universe).bodies()->LookupByKey(answer_of(outcome).body_id());
    REQUIRE(body != nullptr);
    CHECK(body->owner()->str() == kAlice);
    CHECK(body->name() == nullptr);
    CHECK(body->parent() == 1);
    CHECK(body->position()->x() == 120 + static_cast<float>(i));
  }
  CHECK(world_of(game.universe).bodies()->size() == 1010);
  CHECK(player_of(game.universe).bodies_created() == 10);
}

TEST_CASE("CreateCelestialBody: a body near a planet orbits the planet and travels with it") {
  Played game;
  const auto* goliath = world_of(game.universe).bodies()->LookupByKey(6);
  REQUIRE(goliath->name()->str() == "Goliath");
  const Vec3f at{goliath->position()->x() + 9, goliath->position()->y(), goliath->position()->z()};
  const std::uint32_t id = answer_of(accepted(game.universe, create_action(BodyType::kComet, at))).body_id();
  for (int tick = 0; tick < 2000; ++tick) {
    game.universe.tick();
    const auto* bodies = world_of(game.universe).bodies();
    const auto* planet = bodies->LookupByKey(6)->position();
    const auto* body = bodies->LookupByKey(id);
    REQUIRE(body->parent() == 6);
    const Vec3f apart{body->position()->x() - planet->x(), body->position()->y() - planet->y(),
                      body->position()->z() - planet->z()};
    REQUIRE(length(apart) == doctest::Approx(9).epsilon(0.01));
  }
}

TEST_CASE("CreateCelestialBody: refuses stars, unknown types and locked types and changes nothing") {
  Played game;
  CHECK(refused(game.universe, create_action(BodyType::kStar, {100, 0, 0})) == "stars cannot be created");
  CHECK(has(refused(game.universe, create_action(static_cast<BodyType>(6), {100, 0, 0})), "no such type"));
  CHECK(has(refused(game.universe, create_action(static_cast<BodyType>(255), {100, 0, 0})), "no such type"));
  CHECK(has(refused(game.universe, create_action(BodyType::kPlanet, {100, 0, 0})), "Planet forging"));
  CHECK(has(refused(game.universe, create_action(BodyType::kMoon, {100, 0, 0})), "Moon shaping"));
  CHECK(has(refused(game.universe, create_action(BodyType::kStation, {100, 0, 0})), "Orbital assembly"));
}

TEST_CASE("CreateCelestialBody: refuses a position that is not finite or outside the universe and changes nothing") {
  Played game;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinite = std::numeric_limits<float>::infinity();
  const float largest = std::numeric_limits<float>::max();
  for (const Vec3f at :
       {Vec3f{nan, 0, 0}, Vec3f{100, nan, 0}, Vec3f{100, 0, nan}, Vec3f{infinite, 0, 0}, Vec3f{100, -infinite, 0},
        Vec3f{largest, largest, largest}, Vec3f{1200.5F, 0, 0}, Vec3f{900, 900, 0}, Vec3f{0, 0, -1201}}) {
    refused(game.universe, create_action(BodyType::kAsteroid, at));
  }
  accepted(game.universe, create_action(BodyType::kAsteroid, {0, -1200, 0}));
}

TEST_CASE("CreateCelestialBody: refuses a position inside the star, a planet or a moon and changes nothing") {
  Played game;
  CHECK(has(refused(game.universe, create_action(BodyType::kAsteroid, {0, 0, 0})), "inside Asterion"));
  CHECK(has(refused(game.universe, create_action(BodyType::kAsteroid, {10, 9, 3})), "inside Asterion"));
  for (const world::CelestialBody* body : *world_of(game.universe).bodies()) {
    if (body->body_type() != BodyType::kPlanet && body->body_type() != BodyType::kMoon) continue;
    const Vec3f at{body->position()->x(), body->position()->y() + body->radius() * 0.9F, body->position()->z()};
    const server::ActionOutcome outcome = game.universe.on_action(kAlice, create_action(BodyType::kAsteroid, at));
    REQUIRE(outcome.status == ActionStatus::kRefused);
    REQUIRE(has(outcome.message, "inside"));
  }
  accepted(game.universe, create_action(BodyType::kAsteroid, {14.5F, 0, 0}));
}

TEST_CASE("CreateCelestialBody: refuses names that are too long, not UTF-8 or have control characters") {
  Played game;
  for (const std::string& name :
       {std::string(33, 'x'), std::string("a\nb"), std::string("a\x7F"), std::string("\xFF"), std::string("\xC0\x80"),
        std::string("\xED\xA0\x80"), std::string("\xE2\x82"), std::string("\xC2\x85"), std::string("a\0b", 3),
        std::string("\xE2\x80\xAE"), std::string("\xF5\x80\x80\x80")}) {
    CHECK(has(refused(game.universe, create_action(BodyType::kAsteroid, {100, 0, 0}, name)), "name"));
  }
  const std::string wide = "\xF0\x9F\x9A\x80";  // a rocket; 32 of them are 128 bytes
  std::string longest;
  for (int i = 0; i < 32; ++i) longest += wide;
  const auto id =
      answer_of(accepted(game.universe, create_action(BodyType::kAsteroid, {100, 0, 0}, longest))).body_id();
  CHECK(world_of(game.universe).bodies()->LookupByKey(id)->name()->str() == longest);
}

TEST_CASE("why_not_name: no bytes are too strange for it, and what it takes has at most 32 characters") {
  std::mt19937 random(11);
  for (int i = 0; i < 20'000; ++i) {
    std::string name(random() % 40, '\0');
    for (char& c : name) c = static_cast<char>(random() % 4 == 0 ? random() : 0xC0 + random() % 64);
    if (why_not_name(name)) continue;
    const auto continuation = [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80; };
    CHECK(name.size() - static_cast<std::size_t>(std::count_if(name.begin(), name.end(), continuation)) <= 32);
  }
  CHECK_FALSE(why_not_name(""));
  CHECK_FALSE(why_not_name("Zo\xC3\xAB 7"));
}

TEST_CASE("CreateCelestialBody: refuses what the player cannot pay and takes the price of what he can") {
  Played game(small());
  int created = 0;
  while (game.universe.on_action(kAlice, create_action(BodyType::kAsteroid, {100, 0, 0})).status ==
         ActionStatus::kAccepted) {
    REQUIRE(++created < 100);
  }
  CHECK(created == 10);
  CHECK(has(refused(game.universe, create_action(BodyType::kAsteroid, {100, 0, 0})), "are needed"));
  const world::Player& player = player_of(game.universe);
  CHECK(player.resources()->energy() >= 0);
  CHECK(player.resources()->minerals() >= 0);
  CHECK(player.resources()->minerals_rate() == doctest::Approx(3.0));
  const double price = player.prices()->LookupByKey(BodyType::kAsteroid)->minerals();
  CHECK(price == 23);
  run(game.universe, 200);
  accepted(game.universe, create_action(BodyType::kAsteroid, {100, 0, 0}));
}

TEST_CASE("create_body: refuses when energy or minerals alone are short, and leaves player and bodies as they were") {
  for (const Amounts amounts : {Amounts{14.9, 1000, 0}, Amounts{1000, 14.9, 0}}) {
    Player::Saved rich;
    rich.user = kAlice;
    rich.amounts = amounts;
    Player player(rich);
    Bodies bodies = make_bodies(1, 20);
    const CreateBodyRequest request{BodyType::kAsteroid, {100, 0, 0}, ""};
    const Result<std::uint32_t> id = create_body(bodies, player, request, 0, 5000);
    REQUIRE_FALSE(id.has_value());
    CHECK(id.error().detail ==
          (amounts.energy < 15 ? "15 energy are needed, 14 are there" : "15 minerals are needed, 14 are there"));
    CHECK(player.state() == rich);
    CHECK(bodies.size() == 20);
    CHECK(create_body(bodies, player, request, 100, 5000).has_value());
  }
}

TEST_CASE("CreateCelestialBody: refuses more bodies than the player is allowed, and more than the universe holds") {
  Played game(small());
  run(game.universe, 3000);
  for (std::uint32_t i = 0; i < kStartAllowance; ++i) {
    accepted(game.universe, create_action(BodyType::kAsteroid, {100, 0, 0}));
  }
  CHECK(has(refused(game.universe, create_action(BodyType::kAsteroid, {100, 0, 0})), "only 12 bodies"));

  UniverseOptions options = small(20);
  options.max_bodies = 21;
  Played full(options);
  accepted(full.universe, create_action(BodyType::kAsteroid, {100, 0, 0}));
  CHECK(refused(full.universe, create_action(BodyType::kAsteroid, {100, 0, 0})) == "the universe is full");
}

// --- Payloads ----------------------------------------------------------------------------------------------

TEST_CASE("on_action: a payload cut at any length is malformed and changes nothing") {
  Played game(small(20));
  const Bytes whole = create_action(BodyType::kAsteroid, {100, 0, 0}, "a name");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CAPTURE(size);
    const server::ActionOutcome outcome = game.universe.on_action(kAlice, BytesView(whole).first(size));
    // The last bytes are padding of the first string: without them the action may still be whole.
    if (size + 8 < whole.size()) REQUIRE(outcome.code == ErrorCode::kActionMalformed);
  }
}

TEST_CASE("on_action: refuses payloads that are too long, of no type or of an unknown type") {
  Played game(small(20));
  Bytes payload = save_action();
  payload.resize(4097);
  refused(game.universe, payload, kAlice, ErrorCode::kActionMalformed);
  flatbuffers::FlatBufferBuilder none;
  refused(game.universe, finish_action(none, fb::ActionBody::NONE, fb::CreateSaveGame(none).Union()), kAlice,
          ErrorCode::kActionMalformed);
  flatbuffers::FlatBufferBuilder unknown;
  refused(game.universe, finish_action(unknown, static_cast<fb::ActionBody>(9), fb::CreateSaveGame(unknown).Union()),
          kAlice, ErrorCode::kActionMalformed);
  flatbuffers::FlatBufferBuilder no_position;
  refused(game.universe,
          finish_action(no_position, fb::ActionBody::CreateCelestialBody, fb::CreateSaveGame(no_position).Union()),
          kAlice, ErrorCode::kActionMalformed);
}

TEST_CASE("on_action: any bytes at any alignment leave a universe whose save can be loaded") {
  Played game(small(30));
  std::mt19937 random(5);
  const std::vector<Bytes> seeds{create_action(BodyType::kComet, {300, 20, 0}, "n"), research_action(2), save_action()};
  for (int i = 0; i < 30'000; ++i) {
    const Bytes& seed = seeds[random() % seeds.size()];
    const std::size_t shift = random() % 8;
    Bytes buffer(shift);
    buffer.insert(buffer.end(), seed.begin(), seed.end());
    for (std::size_t flips = random() % 4; flips > 0; --flips) {
      buffer[shift + random() % seed.size()] = static_cast<std::byte>(random());
    }
    const auto outcome = game.universe.on_action(kAlice, BytesView(buffer).subspan(shift));
    if (outcome.wants_save) game.universe.on_saved(kAlice, random() % 2 == 0);
    if (i % 16 == 0) game.universe.tick();
  }
  Universe restarted(small(30));
  REQUIRE(restarted.load(game.universe.save()).has_value());
  restarted.join(kAlice);
  CHECK(all_snapshots(restarted) == all_snapshots(game.universe));
}

// --- Research ----------------------------------------------------------------------------------------------

TEST_CASE("research_tree: ids count from 1, prerequisites come earlier, every locked type can be unlocked") {
  std::uint16_t next = 1;
  std::map<BodyType, int> unlocks;
  for (const ResearchNode& node : research_tree()) {
    CHECK(node.id == next++);
    for (const std::uint16_t id : node.prerequisites) CHECK(id < node.id);
    ++unlocks[node.unlocks];
  }
  for (const BodyTraits& traits : kBodyTraits) CHECK((unlocks[traits.body_type] == 1) == !traits.unlocked_at_start);
}

TEST_CASE("StartResearch: the first research ends within 20 seconds and raises the rates at that moment") {
  Played game(small());
  run(game.universe, 7);
  const server::ActionOutcome outcome = accepted(game.universe, research_action(1));
  CHECK(outcome.visible_in == std::vector<std::string>{kAliceTopic});
  const world::Research* node = player_of(game.universe).research()->LookupByKey(1);
  CHECK(node->status() == world::ResearchStatus::kRunning);
  CHECK(node->done_at_ms() == 700 + 15'000);
  CHECK(player_of(game.universe).research()->LookupByKey(5)->status() == world::ResearchStatus::kLocked);
  const Bytes running = copy_of(game.universe.snapshot(kAliceTopic));
  run(game.universe, 149);
  CHECK(copy_of(game.universe.snapshot(kAliceTopic)) == running);
  game.universe.tick();
  const world::Player& player = player_of(game.universe);
  CHECK(player.research()->LookupByKey(1)->status() == world::ResearchStatus::kDone);
  CHECK(player.research()->LookupByKey(1)->done_at_ms() == 0);
  CHECK(player.research()->LookupByKey(5)->status() == world::ResearchStatus::kAvailable);
  CHECK(player.resources()->energy_rate() == 4);
  CHECK(player.time_ms() == 15'700);
  CHECK(player.resources()->energy() == doctest::Approx(200 + 0.7 * 2 - 20 + 15 * 2));
  // Numbers changed, places did not.
  CHECK(game.universe.snapshot(kAliceTopic).size() == running.size());
}

TEST_CASE("StartResearch: refuses unknown, locked, running, done, a second one, and what cannot be paid") {
  Played game(small());
  CHECK(has(refused(game.universe, research_action(0)), "no such research"));
  CHECK(has(refused(game.universe, research_action(13)), "no such research"));
  CHECK(has(refused(game.universe, research_action(65535)), "no such research"));
  CHECK(has(refused(game.universe, research_action(5)), "\"Solar collectors\" first"));
  accepted(game.universe, research_action(1));
  CHECK(has(refused(game.universe, research_action(1)), "running already"));
  CHECK(has(refused(game.universe, research_action(2)), "another research is running"));
  run(game.universe, 150);
  CHECK(has(refused(game.universe, research_action(1)), "done already"));
  CHECK(has(refused(game.universe, research_action(5)), "science are needed"));
}

TEST_CASE("StartResearch: the whole tree can be researched, and every effect arrives") {
  Played game(small());
  for (const ResearchNode& node : research_tree()) {
    run(game.universe, 20'000);
    accepted(game.universe, research_action(node.id));
    run(game.universe, static_cast<int>(node.duration_ms / 100));
  }
  const world::Player& player = player_of(game.universe);
  for (const world::Research* node : *player.research()) CHECK(node->status() == world::ResearchStatus::kDone);
  for (const world::BodyPrice* price : *player.prices()) CHECK(price->unlocked());
  CHECK(player.bodies_allowed() == 84);
  CHECK(player.resources()->energy_rate() == 14);
  CHECK(player.resources()->minerals_rate() == 12);
  CHECK(player.resources()->science_rate() == 4.5);
  CHECK(player.prices()->LookupByKey(BodyType::kAsteroid)->minerals() == 12);
  const auto id = answer_of(accepted(game.universe, create_action(BodyType::kPlanet, {0, 950, 0}, "Alicia"))).body_id();
  CHECK(world_of(game.universe).bodies()->LookupByKey(id)->mass() > 1);
}

TEST_CASE("StartResearch: goes on while the player is away") {
  Played game(small());
  accepted(game.universe, research_action(1));
  game.universe.leave(kAlice);
  run(game.universe, 200);
  game.universe.join(kAlice);
  CHECK(player_of(game.universe).resources()->energy_rate() == 4);
}

// --- SaveGame ----------------------------------------------------------------------------------------------

TEST_CASE("SaveGame: asks the shell for a save and shows its tick once that is durable") {
  Played game(small());
  run(game.universe, 5);
  const server::ActionOutcome outcome = accepted(game.universe, save_action());
  CHECK(outcome.wants_save);
  CHECK(answer_of(outcome).saved_tick() == 5);
  CHECK(player_of(game.universe).last_saved_tick() == 0);
  run(game.universe, 1);
  game.universe.on_saved(kAlice, true);
  CHECK(player_of(game.universe).last_saved_tick() == 5);
}

TEST_CASE("SaveGame: the records of a save say which save they are") {
  Played game(small());
  run(game.universe, 5);
  accepted(game.universe, save_action());
  Universe restarted(small());
  REQUIRE(restarted.load(game.universe.save()).has_value());
  restarted.join(kAlice);
  CHECK(player_of(restarted).last_saved_tick() == 5);
}

TEST_CASE("SaveGame: a save that failed shows nothing; a second one within a second is refused") {
  Played game(small());
  run(game.universe, 5);
  accepted(game.universe, save_action());
  CHECK(has(refused(game.universe, save_action()), "not ended"));
  game.universe.on_saved(kAlice, false);
  CHECK(player_of(game.universe).last_saved_tick() == 0);
  run(game.universe, 9);
  CHECK(has(refused(game.universe, save_action()), "a moment ago"));
  game.universe.join("bob");
  accepted(game.universe, save_action(), "bob");
  run(game.universe, 1);
  accepted(game.universe, save_action());
}

// --- Players known -----------------------------------------------------------------------------------------

TEST_CASE("Roster: beyond its bound it forgets who has been away longest, never who is here") {
  UniverseOptions options = small(20);
  options.max_players = 3;
  Universe universe(options);
  for (const char* user : {"a", "b", "c"}) universe.join(user);
  accepted(universe, create_action(BodyType::kAsteroid, {100, 0, 0}), "b");
  accepted(universe, research_action(1), "b");
  universe.leave("b");
  universe.leave("a");
  universe.join("d");
  CHECK(universe.save().size() == 4);
  const auto keys = [&] {
    std::vector<std::string> found;
    for (const SaveRecord& record : universe.save()) found.push_back(record.key);
    return found;
  };
  CHECK(keys() == std::vector<std::string>{"world", "player/a", "player/c", "player/d"});
  universe.join("e");
  universe.join("f");
  CHECK(keys() == std::vector<std::string>{"world", "player/c", "player/d", "player/e", "player/f"});
  run(universe, 200);  // b's research ends for nobody
  // Back again, b begins anew, but still owns the asteroid.
  universe.join("b");
  CHECK(player_of(universe, "b").bodies_created() == 1);
  CHECK(player_of(universe, "b").resources()->energy() == 200);
}
