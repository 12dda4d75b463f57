// research_tree.h: what can be researched: cost, time, prerequisites, effect. The same for every player and fixed for a
// version of the game; ids are saved, so a node keeps its id for ever.
#pragma once

#include <cstdint>
#include <span>

#include "game/economy.h"

namespace libsync::server {

struct ResearchNode {
  std::uint16_t id;
  const char* name;
  const char* effect;                            // for people; says what the fields below do
  std::span<const std::uint16_t> prerequisites;  // lower ids
  double cost_science;
  double cost_energy;
  std::uint32_t duration_ms;           // game time
  Amounts rates = {};                  // added to the player's rates
  std::uint32_t allowance = 0;         // more bodies allowed
  double price_factor = 1;             // prices are multiplied by it
  BodyType unlocks = BodyType::kStar;  // kStar: nothing
};

// By id: 1, 2, 3 ...
std::span<const ResearchNode> research_tree();
// Null if there is none.
const ResearchNode* find_research(std::uint16_t id);

}  // namespace libsync::server
