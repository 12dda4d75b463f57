// colony.cpp: worlds that mostly rest: a a2 b e e2 f. Here and there a population grows, something is damaged or
// mined, a player earns, a research advances; in some worlds bodies are founded and destroyed.
#include <algorithm>
#include <memory>

#include "games.h"
#include "genesis.h"
#include "scalars.h"

namespace libsync::traces {
namespace {

// Per tick; a pair is the least and the most, all numbers between are as likely.
struct Life {
  Census census;
  int bodies_changed[2] = {0, 0};
  int players_changed[2] = {0, 0};
  int research_changed[2] = {0, 0};
  int defaults_changed = 0;  // values that reach or leave their default
  int created[2] = {0, 0};
  int removed[2] = {0, 0};
};

class Colony final : public Workload {
 public:
  Colony(std::uint64_t seed, const Life& life) : Workload(seed), life_(life) {
    world_ = make_world(random_, life.census, Motion::kDouble);
  }

 private:
  void tick() override {
    for (int i = between(life_.removed); i > 0; --i) world_.bodies.erase(world_.bodies.begin() + random_body());
    for (int i = between(life_.created); i > 0; --i) create();
    for (int i = between(life_.bodies_changed); i > 0; --i) {
      Body& changed = body();
      change_scalars(random_, changed, random_.between(1, 3));
    }
    for (int i = 0; i < life_.defaults_changed; ++i) change_default(body());
    for (int i = between(life_.players_changed); i > 0; --i) {
      Player& player = world_.players[random_.below(static_cast<std::uint32_t>(world_.players.size()))];
      player.credits += random_.between(1, 250);
    }
    for (int i = between(life_.research_changed); i > 0; --i) {
      Research& node = world_.research[random_.below(static_cast<std::uint32_t>(world_.research.size()))];
      node.progress = node.progress < 0.99f ? node.progress + 1.0f / 256 : 1.0f / 256;
    }
  }

  // A new body takes a free id at a random place of the order.
  void create() {
    auto& bodies = world_.bodies;
    for (;;) {
      const std::uint32_t id = 1000 + random_.below(bodies.back().id - 1000);
      const auto place = std::ranges::lower_bound(bodies, id, {}, &Body::id);
      if (place->id == id) continue;
      bodies.insert(place, make_body(random_, id));
      return;
    }
  }

  // A shield goes up or down, a body is conquered or given up, settled or abandoned.
  void change_default(Body& body) {
    switch (random_.below(3)) {
      case 0: body.shield = body.shield != 0 ? 0 : 100 + random_.below(800); break;
      case 1: body.owner = body.owner != 0 ? 0 : 1 + random_.below(30); break;
      default: body.population = body.population != 0 ? 0 : 1000 + random_.below(4'000'000); break;
    }
  }

  int between(const int (&range)[2]) { return random_.between(range[0], range[1]); }
  std::ptrdiff_t random_body() { return random_.below(static_cast<std::uint32_t>(world_.bodies.size())); }
  Body& body() { return world_.bodies[static_cast<std::size_t>(random_body())]; }

  Life life_;
};

constexpr Census kSystem = {2000, 30, 40, 60, 40, 30};

std::unique_ptr<Workload> make(std::uint64_t seed, const Life& life) { return std::make_unique<Colony>(seed, life); }

}  // namespace

std::unique_ptr<Workload> make_idle(std::uint64_t seed) {
  return make(seed,
              {.census = kSystem, .bodies_changed = {14, 24}, .players_changed = {1, 3}, .research_changed = {1, 3}});
}

std::unique_ptr<Workload> make_defaults(std::uint64_t seed) {
  return make(seed, {.census = kSystem,
                     .bodies_changed = {14, 24},
                     .players_changed = {1, 3},
                     .research_changed = {1, 3},
                     .defaults_changed = 3});
}

std::unique_ptr<Workload> make_inserts(std::uint64_t seed) {
  return make(seed, {.census = kSystem,
                     .bodies_changed = {5, 15},
                     .players_changed = {1, 2},
                     .research_changed = {1, 2},
                     .created = {1, 4},
                     .removed = {1, 4}});
}

std::unique_ptr<Workload> make_big(std::uint64_t seed) {
  return make(seed, {.census = {100'000, 30, 40, 60, 40, 30},
                     .bodies_changed = {85, 105},
                     .players_changed = {1, 3},
                     .research_changed = {1, 3}});
}

std::unique_ptr<Workload> make_big_inserts(std::uint64_t seed) {
  return make(seed, {.census = {100'000, 30, 40, 60, 40, 30},
                     .bodies_changed = {85, 105},
                     .players_changed = {1, 3},
                     .research_changed = {1, 3},
                     .created = {2, 6},
                     .removed = {2, 6}});
}

std::unique_ptr<Workload> make_room(std::uint64_t seed) {
  return make(seed, {.census = {20, 3, 12, 4, 0, 0},
                     .bodies_changed = {4, 6},
                     .players_changed = {0, 1},
                     .research_changed = {0, 1}});
}

}  // namespace libsync::traces
