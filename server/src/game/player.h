// player.h: one player's resources, research and bodies. Everything that passes with time is a closed formula: amounts
// are true at one moment and grow at known rates, so a player changes only when something happens.
#pragma once

#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <utility>

#include "game/bodies.h"
#include "game/economy.h"
#include "game/research_tree.h"

namespace libsync::server {

struct Price {
  double energy = 0;
  double minerals = 0;
};

class Player {
 public:
  // Somebody new, with what everybody begins with. `now_ms` is game time, here and below.
  Player(std::string user, std::uint64_t now_ms);

  // What is kept between runs; the counts of bodies are not, the universe knows them.
  struct Saved {
    std::string user;
    Amounts amounts;
    std::uint64_t time_ms = 0;
    std::set<std::uint16_t> research_done;
    std::uint16_t research_running = 0;
    std::uint64_t research_done_at_ms = 0;
    std::uint64_t last_saved_tick = 0;
    bool operator==(const Saved&) const = default;
  };
  // Requires: `saved` keeps the rules, see saved_state.h.
  explicit Player(Saved saved) : state_(std::move(saved)) {}
  const Saved& state() const { return state_; }

  // --- What is true
  Amounts amounts_at(std::uint64_t now_ms) const;
  Amounts rates() const;
  world::ResearchStatus status_of(const ResearchNode& node) const;
  bool unlocked(const BodyTraits& traits) const;
  Price price_of(const BodyTraits& traits) const;
  std::uint32_t bodies_created() const { return bodies_created_; }
  std::uint32_t bodies_allowed() const;

  // --- What happens. Callers have checked the rules.
  // Counts a body that exists already, when a player is built from what was saved.
  void count_body(BodyType type);
  // Pays for a body and counts it.
  void buy_body(const BodyTraits& traits, std::uint64_t now_ms);
  void start_research(const ResearchNode& node, std::uint64_t now_ms);
  // Ends the running research at the moment it was due. Requires: one is running.
  void finish_research();
  void set_last_saved_tick(std::uint64_t tick) { state_.last_saved_tick = tick; }

 private:
  // Makes the amounts true at `now_ms`. Needed before rates or amounts change.
  void settle(std::uint64_t now_ms);
  bool done(std::uint16_t research) const { return state_.research_done.count(research) != 0; }

  Saved state_;
  std::uint32_t bodies_created_ = 0;
  std::array<std::uint32_t, 6> bodies_by_type_{};  // [BodyType]
};

}  // namespace libsync::server
